package asgi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gatewaylab/servers/app"
)

// An Answer takes the response of an Exchange: app.Response, whose Flush sends
// what there is, and in the end Finish, which sends what is left of it. Names
// are in canonical form, Start is called once and first. An error that is
// ErrDisconnected says that nobody is left to send to; any other is taken for
// the application's fault, such as a body that is not as long as it said.
type Answer interface {
	app.Response
	Finish() error
}

// An Exchange is the server's side of an http scope: it turns a request's body
// and a response into events, and has them come in order. A server keeps one
// for each connection, sets the exported fields for a request, and calls Serve.
type Exchange struct {
	Scope  Scope
	Body   io.Reader // the request's, up to its io.EOF; nil: none
	Length int64     // of Body, if the client has said it; else -1
	Answer Answer

	ctx     context.Context
	receive Receive
	send    Send

	left     int64
	ended    bool // the body has been received
	started  bool
	complete bool
	gone     bool
	over     bool // the application has returned
	bodyErr  error

	buffer  []byte
	fields  []app.Field
	request HTTPRequest
}

// What is read of a body at a time, and what of that is kept for the next
// request.
const (
	pieceSize = 32 << 10
	keptSize  = 4 << 10
)

// A BodyError says that the request's body could not be read. The application
// was told that the client has disconnected.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "the request's body: " + e.Err.Error() }

// Unwrap returns what reading it has returned.
func (e *BodyError) Unwrap() error { return e.Err }

// Serve calls the application. Without an error the response is complete.
// With one there are three cases:
//
//   - Complete: it is the application's fault and for the log; where nothing
//     had been answered yet, the answer was a 500.
//   - A *BodyError and not Started: the server may answer for the body.
//   - Otherwise the connection must be cut, so that the client doesn't take
//     what it got for the whole.
//
// An error that is ErrDisconnected is nobody's fault.
func (x *Exchange) Serve(ctx context.Context, a App) error {
	if x.receive == nil {
		x.receive, x.send = x.doReceive, x.doSend
	}
	x.ctx, x.left = ctx, x.Length
	x.ended, x.started, x.complete, x.gone, x.over, x.bodyErr = false, false, false, false, false, nil
	err := a(ctx, &x.Scope, x.receive, x.send)
	x.over = true
	if cap(x.buffer) > keptSize {
		x.buffer = nil
	}
	x.request.Body = nil
	switch {
	case x.complete:
		return err
	case x.bodyErr != nil:
		return &BodyError{x.bodyErr}
	case x.gone, errors.Is(err, ErrDisconnected):
		return ErrDisconnected
	case err == nil && !x.started:
		err = errors.New("asgi: the application returned without http.response.start")
	case err == nil:
		err = errors.New("asgi: the application returned without the last http.response.body")
	}
	if !x.started {
		x.fail()
	}
	return err
}

// Complete says whether the response is complete.
func (x *Exchange) Complete() bool { return x.complete }

// Started says whether the response was begun.
func (x *Exchange) Started() bool { return x.started }

// Received says whether the application has received the whole body.
func (x *Exchange) Received() bool { return x.ended }

// fail answers 500 in the application's place.
func (x *Exchange) fail() {
	const text = "500 internal server error: the application failed\n"
	start := HTTPResponseStart{Status: 500, Headers: []app.Field{{Name: "content-type", Value: "text/plain; charset=utf-8"}}}
	if x.start(&start) == nil && x.body(&HTTPResponseBody{Body: []byte(text)}) == nil {
		x.complete = true
	}
}

func (x *Exchange) doReceive() (Event, error) {
	switch {
	case x.over:
		return nil, errors.New("asgi: receive was called after the application returned")
	case x.gone, x.complete:
		return &HTTPDisconnect{}, nil
	case !x.ended:
		return x.piece(), nil
	}
	// Nothing else can come.
	if loop := x.Scope.Loop; loop != nil {
		_ = loop.Await(func(func()) {})
	} else {
		<-x.ctx.Done()
	}
	x.gone = true
	return &HTTPDisconnect{}, nil
}

// piece reads some of the body.
func (x *Exchange) piece() Event {
	e := &x.request
	e.Body, e.MoreBody = nil, false
	if x.Body == nil || x.left == 0 {
		x.ended = true
		return e
	}
	if x.buffer == nil {
		size := int64(pieceSize)
		if x.left > 0 {
			size = min(size, max(x.left, 512))
		}
		x.buffer = make([]byte, size)
	}
	n, err := x.Body.Read(x.buffer)
	for n == 0 && err == nil {
		n, err = x.Body.Read(x.buffer)
	}
	if x.left > 0 {
		x.left -= int64(n)
	}
	e.Body = x.buffer[:n]
	switch {
	case err == nil || err == io.EOF && x.left <= 0:
		e.MoreBody = err == nil && x.left != 0
		x.ended = !e.MoreBody
		return e
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	x.bodyErr, x.gone = err, true
	return &HTTPDisconnect{}
}

func (x *Exchange) doSend(e Event) error {
	switch {
	case x.over:
		return errors.New("asgi: send was called after the application returned")
	case x.gone:
		return ErrDisconnected
	case x.complete:
		return nil // further messages are ignored
	}
	var err error
	switch e := e.(type) {
	case *HTTPResponseStart:
		err = x.start(e)
	case *HTTPResponseBody:
		err = x.body(e)
	case nil:
		err = errors.New("asgi: nil was sent instead of an event")
	default:
		err = fmt.Errorf("asgi: %s was sent in an http scope", e.EventType())
	}
	x.gone = x.gone || errors.Is(err, ErrDisconnected)
	return err
}

func (x *Exchange) start(e *HTTPResponseStart) error {
	switch {
	case x.started:
		return errors.New("asgi: http.response.start was sent twice")
	case e.Status < 200 || e.Status > 599:
		return fmt.Errorf("asgi: http.response.start has status %d, expected one from 200 to 599", e.Status)
	}
	x.fields = x.fields[:0]
	for i := range e.Headers {
		f := &e.Headers[i]
		if f.Name == "transfer-encoding" { // the server's own business
			continue
		}
		x.fields = append(x.fields, app.Field{Name: Canonical(f.Name), Value: f.Value})
	}
	x.started = true
	return x.Answer.Start(e.Status, x.fields)
}

func (x *Exchange) body(e *HTTPResponseBody) error {
	if !x.started {
		return errors.New("asgi: http.response.body was sent before http.response.start")
	}
	if len(e.Body) > 0 {
		if _, err := x.Answer.Write(e.Body); err != nil {
			return err
		}
	}
	if e.MoreBody {
		return x.Answer.Flush()
	}
	err := x.Answer.Finish()
	x.complete = err == nil
	return err
}
