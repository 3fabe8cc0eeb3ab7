package asgi

import (
	"context"
	"errors"
	"reflect"
	"sync"
)

// Check puts the rules between a server and an application. What breaks one
// doesn't get to the other side: a scope's or a received event's fault is
// returned to the server instead of calling the application, or by Receive;
// that of an event that is sent by Send. From then on all calls return it, and
// so does the application, whatever it returns itself. errors.As finds the
// *RuleError, which names the rule and who broke it.
//
// One Check should have all scopes of a server: then it sees that each request
// gets a state of its own.
func Check(a App) App {
	k := &checked{app: a}
	return k.serve
}

type checked struct {
	app App

	mu    sync.Mutex
	state uintptr // the lifespan's map
}

// A conversation is one scope under the checker. What is received and what is
// sent is judged by the scope's protocol.
type conversation struct {
	scope    *Scope
	receive  Receive
	send     Send
	protocol protocol

	mu    sync.Mutex
	busy  bool
	over  bool
	fault *RuleError
}

// A protocol is the state of one scope.
type protocol interface {
	// receives is called before the application waits for an event.
	receives() *RuleError
	// received judges what has come.
	received(Event) *RuleError
	// sends judges what is to be sent, and sent notes that it was.
	sends(Event) *RuleError
	sent(Event)
	// left is called when nobody is there any more, and gone says so.
	left()
	gone() bool
	// returned is called when the application has returned.
	returned(error) *RuleError
}

func (k *checked) serve(ctx context.Context, s *Scope, receive Receive, send Send) error {
	if f := checkScope(s); f != nil {
		return f
	}
	if f := k.checkState(s); f != nil {
		return f
	}
	c := &conversation{scope: s, receive: receive, send: send}
	switch s.Type {
	case TypeHTTP:
		c.protocol = &httpRules{scope: s, length: -1}
	case TypeWebSocket:
		c.protocol = &webSocketRules{scope: s}
	case TypeLifespan:
		c.protocol = &lifespanRules{}
	}
	err := k.app(ctx, s, c.doReceive, c.doSend)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.fault == nil {
		c.fault = c.protocol.returned(err)
	}
	if c.fault == nil || errors.Is(err, c.fault) {
		return err
	}
	if err != nil {
		return errors.Join(c.fault, err)
	}
	return c.fault
}

// checkState sees whether a request's state is the lifespan's own.
func (k *checked) checkState(s *Scope) *RuleError {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.State == nil {
		return nil
	}
	p := reflect.ValueOf(s.State).Pointer()
	switch {
	case s.Type == TypeLifespan:
		if k.state = p; len(s.State) > 0 {
			return byServer(ScopeState, "the lifespan's state is not empty at the start")
		}
	case p == k.state:
		return byServer(ScopeState, "the request's state is the lifespan's own, and not a copy")
	}
	return nil
}

// enter begins a call and says what is wrong with calling now.
func (c *conversation) enter(what string) *RuleError {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.fault != nil:
	case c.over:
		return byApplication(NothingOnceOver, "%s was called after the application returned", what)
	case c.busy:
		c.fault = byApplication(OneCallAtATime, "%s was called while another call was under way", what)
	default:
		c.busy = true
	}
	return c.fault
}

// exit ends a call, perhaps with a fault.
func (c *conversation) exit(f *RuleError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if c.fault == nil {
		c.fault = f
	}
	if c.fault != nil {
		return c.fault
	}
	return nil
}

func (c *conversation) doReceive() (Event, error) {
	if f := c.enter("receive"); f != nil {
		return nil, f
	}
	if f := c.protocol.receives(); f != nil {
		return nil, c.exit(f)
	}
	e, err := c.receive()
	var f *RuleError
	switch {
	case err != nil:
		f = byServer(ReceiveNeverFails, "receive returned the error %q", err)
	case e == nil:
		f = byServer(ReceiveNeverFails, "receive returned nothing")
	default:
		f = c.protocol.received(e)
	}
	if err := c.exit(f); err != nil {
		return nil, err
	}
	return e, nil
}

func (c *conversation) doSend(e Event) error {
	if f := c.enter("send"); f != nil {
		return f
	}
	if f := c.protocol.sends(e); f != nil {
		return c.exit(f)
	}
	gone := c.protocol.gone()
	err := c.send(e)
	switch {
	case errors.Is(err, ErrDisconnected):
		c.protocol.left()
	case gone:
		return c.exit(byServer(SendDisconnected, "send returned %v after the client had disconnected", err))
	case err != nil:
		return c.exit(byServer(SendGoodEvent, "send returned the error %q for %s", err, e.EventType()))
	default:
		c.protocol.sent(e)
	}
	if f := c.exit(nil); f != nil {
		return f
	}
	return err
}
