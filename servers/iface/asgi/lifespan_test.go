package asgi

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestLifespan(t *testing.T) {
	receive := func(receive Receive, want string) error {
		e, err := receive()
		if err == nil && e.EventType() != want {
			t.Errorf("received %s, want %s", e.EventType(), want)
		}
		return err
	}
	for name, tc := range map[string]struct {
		app         App
		start, stop string // contained in the errors
		supported   bool
		state       bool
	}{
		"both": {app: func(_ context.Context, s *Scope, r Receive, send Send) error {
			if s.Type != TypeLifespan || s.ASGI != (ASGI{"3.0", "2.0"}) {
				t.Errorf("scope %+v", s)
			}
			if err := receive(r, "lifespan.startup"); err != nil {
				return err
			}
			s.State["pool"] = "open"
			if err := send(&LifespanStartupComplete{}); err != nil {
				return err
			}
			if err := receive(r, "lifespan.shutdown"); err != nil {
				return err
			}
			return send(&LifespanShutdownComplete{})
		}, supported: true, state: true},
		"raises at once":  {app: func(context.Context, *Scope, Receive, Send) error { return errRaised }},
		"panics at once":  {app: func(context.Context, *Scope, Receive, Send) error { panic("no such scope") }},
		"returns at once": {app: func(context.Context, *Scope, Receive, Send) error { return nil }},
		"raises starting": {app: func(_ context.Context, _ *Scope, r Receive, _ Send) error { _, _ = r(); return errRaised }},
		"leaves after the start": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			return send(&LifespanStartupComplete{})
		}, supported: true},
		"cannot start": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			return send(&LifespanStartupFailed{Message: "no database"})
		}, start: "lifespan.startup.failed: no database"},
		"cannot start, and raises": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			return errors.Join(send(&LifespanStartupFailed{}), errRaised)
		}, start: "lifespan.startup.failed"},
		"cannot stop": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			_ = send(&LifespanStartupComplete{})
			_, _ = r()
			return send(&LifespanShutdownFailed{Message: "still busy"})
		}, supported: true, stop: "lifespan.shutdown.failed: still busy"},
		"raises stopping": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			_ = send(&LifespanStartupComplete{})
			_, _ = r()
			return errRaised
		}, supported: true, stop: "raised"},
		"silent at the end": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			_ = send(&LifespanStartupComplete{})
			_, _ = r()
			return nil
		}, supported: true, stop: "answered lifespan.shutdown with nothing"},
		"answers too early": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error { return send(&LifespanStartupComplete{}) }},
		"receives too much": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			_, _ = r()
			_, err := r()
			return err
		}},
		"foreign": {app: func(_ context.Context, _ *Scope, r Receive, send Send) error {
			if err := send(&WebSocketAccept{}); err == nil || !strings.Contains(err.Error(), "websocket.accept was sent in a lifespan scope") {
				t.Errorf("foreign event: %v", err)
			}
			if err := send(nil); err == nil {
				t.Error("nil was taken")
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var l Lifespan
			says := func(err error, want string) {
				t.Helper()
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			}
			says(l.Start(t.Context(), tc.app), tc.start)
			if l.Supported() != tc.supported || (len(l.State()) > 0) != tc.state {
				t.Errorf("supported %v, state %v", l.Supported(), l.State())
			}
			says(l.Stop(), tc.stop)
		})
	}
	if err := new(Lifespan).Stop(); err != nil {
		t.Errorf("one that never began: %v", err)
	}
}

// A server that gives up without Stop leaves no coroutine behind.
func TestLifespanGivenUp(t *testing.T) {
	var ended error
	var l Lifespan
	err := l.Start(t.Context(), func(_ context.Context, _ *Scope, receive Receive, send Send) error {
		_, _ = receive()
		_ = send(&LifespanStartupComplete{})
		_, ended = receive()
		return ended
	})
	l.Close()
	if err != nil || ended == nil {
		t.Errorf("%v; the application got %v", err, ended)
	}
}
