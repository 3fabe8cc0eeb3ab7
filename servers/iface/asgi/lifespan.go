package asgi

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// A Lifespan is the server's side of a lifespan scope. The application is a
// coroutine that runs within Start and Stop and on their thread, as it is to
// be where its requests are; one goroutine should call both.
type Lifespan struct {
	scope Scope
	goOn  func() (struct{}, bool)
	end   func()
	phase phase
	over  bool  // the application has returned
	err   error // what it failed with
}

// phase is how far a lifespan has come.
type phase uint8

const (
	called   phase = iota // nothing has been received
	starting              // lifespan.startup was
	started               // lifespan.startup.complete was sent
	stopping              // lifespan.shutdown was received
	stopped               // lifespan.shutdown.complete was sent
)

// Start has the application start up and returns when it is ready. An
// application that fails without a word is one that knows no lifespans: the
// server goes on without it. The error is lifespan.startup.failed.
func (l *Lifespan) Start(ctx context.Context, a App) error {
	l.scope = Scope{Type: TypeLifespan, ASGI: ASGI{Version, VersionLifespan}, State: map[string]any{}}
	l.goOn, l.end = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			l.over = true
			if p := recover(); p != nil {
				l.err = errors.Join(l.err, fmt.Errorf("panic: %v", p))
			}
		}()
		err := a(ctx, &l.scope, func() (Event, error) { return l.receive(yield) }, l.send)
		if l.err == nil {
			l.err = err
		}
	})
	l.goOn()
	var failure *lifespanError
	if errors.As(l.err, &failure) {
		return l.err
	}
	return nil
}

// Supported says whether the application has answered.
func (l *Lifespan) Supported() bool { return l.phase >= started }

// State is what the application left in its scope for the requests.
func (l *Lifespan) State() map[string]any { return l.scope.State }

// Stop has the application clean up and returns when it has. The error is
// lifespan.shutdown.failed or what else it failed with.
func (l *Lifespan) Stop() error {
	if l.goOn == nil || !l.Supported() || l.over {
		return nil
	}
	l.goOn()
	l.end()
	switch {
	case l.err != nil:
		return l.err
	case l.phase < stopped:
		return errors.New("asgi: the application answered lifespan.shutdown with nothing")
	}
	return nil
}

// Close ends the application without a word, for a server that has no time for
// Stop. It does nothing after that.
func (l *Lifespan) Close() {
	if l.end != nil {
		l.end()
	}
}

// A lifespanError is what the application says has failed.
type lifespanError struct{ event, message string }

func (e *lifespanError) Error() string {
	if e.message == "" {
		return "asgi: " + e.event
	}
	return "asgi: " + e.event + ": " + e.message
}

func (l *Lifespan) receive(yield func(struct{}) bool) (Event, error) {
	switch l.phase {
	case called:
		l.phase = starting
		return &LifespanStartup{}, nil
	case started:
		if l.phase = stopping; !yield(struct{}{}) { // until Stop
			return nil, errors.New("asgi: the server has given the lifespan up")
		}
		return &LifespanShutdown{}, nil
	default:
		return nil, errors.New("asgi: receive was called before the last lifespan event was answered, or after lifespan.shutdown")
	}
}

func (l *Lifespan) send(e Event) error {
	switch e := e.(type) {
	case *LifespanStartupComplete:
		return l.answer(e, starting, started)
	case *LifespanStartupFailed:
		err := l.answer(e, starting, called)
		if err == nil {
			l.err = &lifespanError{e.EventType(), e.Message}
		}
		return err
	case *LifespanShutdownComplete:
		return l.answer(e, stopping, stopped)
	case *LifespanShutdownFailed:
		err := l.answer(e, stopping, stopped)
		if err == nil {
			l.err = &lifespanError{e.EventType(), e.Message}
		}
		return err
	case nil:
		return errors.New("asgi: nil was sent instead of an event")
	}
	return fmt.Errorf("asgi: %s was sent in a lifespan scope", e.EventType())
}

func (l *Lifespan) answer(e Event, asked, answered phase) error {
	if l.phase != asked {
		return fmt.Errorf("asgi: %s was sent, but nothing received that it would answer", e.EventType())
	}
	l.phase = answered
	return nil
}
