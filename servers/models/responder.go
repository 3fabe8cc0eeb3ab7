package models

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
	"gatewaylab/servers/process"
	"gatewaylab/servers/trace/recorder"
	"gatewaylab/servers/wire"
)

// The names under which labserver is a worker of a responder.
const (
	fastcgiWorker = "fastcgi-worker"
	scgiWorker    = "scgi-worker"
	uwsgiWorker   = "uwsgi-worker"
)

// fastcgi, scgi and uwsgi are what stands behind a gateway: worker processes,
// as prefork's, that take requests not from clients but from whoever speaks to
// them, already read, as CGI variables. What the three protocols have in common
// is nearly all; see wire.

// scgi serves one request on each connection, one at a time in each worker.
func scgi(env *Env) error {
	if err := runResponder(env, scgiWorker, false, refuseSCGI); err != nil {
		return fmt.Errorf("scgi: %w", err)
	}
	return nil
}

// uwsgi does the same, with a buffer for the variables that is never larger
// than it was told.
func uwsgi(env *Env) error {
	if err := runResponder(env, uwsgiWorker, false, refuseUWSGI); err != nil {
		return fmt.Errorf("uwsgi: %w", err)
	}
	return nil
}

// fastcgi's connections can be kept, and a worker then waits for all of its own
// and for new ones, see keeper; or shared, and then each worker has many
// requests in progress at a time, see multiplexWorker.
func fastcgi(env *Env) error {
	if env.Options.String("mpx") == "on" {
		if err := runArbiter(env, multiplexWorkerName, env.Options.Int("requests")); err != nil {
			return fmt.Errorf("fastcgi: %w", err)
		}
		return nil
	}
	if err := runResponder(env, fastcgiWorker, true, refuseFastCGI); err != nil {
		return fmt.Errorf("fastcgi: %w", err)
	}
	return nil
}

// How an answer begins, up to the number: as RFC 3875 section 6.3.3 has it, or
// with a status line of HTTP, as uWSGI does.
const (
	cgiStatus  = "Status: "
	httpStatus = "HTTP/1.1 "
)

// A responder serves a gateway's connection.
type responder interface {
	Serve(conn io.ReadWriter) (unread bool, err error)
}

func scgiWork(env *Env) error {
	buffer := env.Options.Int("buffer")
	return respond(env, cgiStatus, func(h wire.Handler, o wire.ServeOptions) responder {
		o.MaxVars = buffer
		return wire.NewSCGIResponder(h, o)
	})
}

func uwsgiWork(env *Env) error {
	buffer := env.Options.Int("buffer")
	return respond(env, httpStatus, func(h wire.Handler, o wire.ServeOptions) responder {
		o.MaxVars = buffer
		return wire.NewUWSGIResponder(h, o)
	})
}

// respond is the life of a worker that serves one request, and with it one
// connection, at a time on one thread, in blocking system calls.
func respond(env *Env, status string, with func(wire.Handler, wire.ServeOptions) responder) error {
	c, call, err := newGatewayConn(env, status)
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	r := with(call.serve, wire.ServeOptions{Phase: c.enter})
	if err := errors.Join(env.Options.Err(), c.worker.behindUsher()); err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	c.worker.ready()
	defer c.worker.release()
	return c.worker.run(func(fd int, peer netip.AddrPort) { c.serve(fd, peer, r) })
}

// newGatewayConn makes a worker, on the calling thread, and how it has the
// application answer.
func newGatewayConn(env *Env, status string) (*gatewayConn, *call, error) {
	oneThread()
	w, err := newWorker(env, 1)
	if err != nil {
		return nil, nil, err
	}
	c := &gatewayConn{worker: w, slot: w.slots[0],
		syncConn: syncConn{beats: w.slots[0], stall: w.timeout, leaving: &w.accept.leaving}}
	return c, newCall(env, recorder.WSGI(wsgi.Application(app.New())), status, false), nil
}

// A gatewayConn is the one connection that a worker serves, and what it is doing.
type gatewayConn struct {
	syncConn
	worker *worker
	slot   *process.Slot
	phase  wire.Phase
	served bool // some request was, on this connection
	held   bool // the slot shows the connection already
}

// serve serves a connection that was accepted.
func (c *gatewayConn) serve(fd int, peer netip.AddrPort, r responder) {
	c.open(fd, peer)
	c.served, c.phase, c.held = false, wire.Waiting, true
	c.slot.Busy() // a silent connection holds the worker too
	c.settle(r.Serve(c))
}

// settle ends a connection as its service has ended.
func (c *gatewayConn) settle(unread bool, err error) {
	var bad *wire.ProtocolError
	switch {
	case c.phase == wire.Serving:
		c.done()
	case errors.As(err, &bad):
		c.worker.env.Log.Printf("%v", bad)
		c.done()
	case c.held:
		c.slot.Drop()
	}
	if err == nil || err == io.EOF || bad != nil {
		c.close(unread)
		return
	}
	c.reset() // the gateway must not take what it got for the whole answer
}

// enter notes what the connection is doing, and the end of what it was.
func (c *gatewayConn) enter(p wire.Phase) {
	was := c.phase
	c.phase = p
	switch p {
	case wire.Waiting:
		c.begin(process.Now())
		switch was {
		case wire.Serving:
			c.done()
		case wire.Reading: // it was no request
			c.slot.Drop()
			c.held = false
		}
	case wire.Reading:
		c.begin(process.Now())
		if !c.held {
			c.slot.Busy()
			c.held = true
		}
	case wire.Serving:
		c.body()
	}
}

// done counts a request.
func (c *gatewayConn) done() {
	c.served, c.held = true, false
	c.worker.count()
	c.slot.Idle()
}

// Ready says whether there is something to be read.
func (c *gatewayConn) Ready() bool {
	watch := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(watch, 0)
	return n > 0 && err == nil
}

// A call has the application answer a gateway's requests, one at a time,
// through WSGI. It is the Sink.
type call struct {
	handler *wsgi.Handler
	app     wsgi.App
	environ wsgi.Environ
	status  string // how an answer begins
	log     io.Writer
	out     *wire.Output
	head    []byte
	left    int64 // of an answer whose length is known; -1 = it isn't
}

func newCall(env *Env, a wsgi.App, status string, multithread bool) *call {
	return &call{
		handler: wsgi.NewHandler(), app: a, status: status, log: logWriter{env.Log},
		environ: wsgi.Environ{Version: [2]int{1, 0}, Multithread: multithread, Multiprocess: true},
	}
}

// serve is a wire.Handler.
func (c *call) serve(x *wire.Exchange) error {
	c.out = x.Out
	e := &c.environ
	e.Variables = appendOnce(e.Variables[:0], x.Vars)
	e.Extensions = nil
	e.URLScheme = "http"
	if secure := e.Get("HTTPS"); secure == "on" || secure == "1" {
		e.URLScheme = "https"
	}
	e.Input, e.Errors, e.Gone = gatewayBody{x.Body}, c.log, x.Gone
	if x.Errors != nil { // FastCGI, which also says where a body of unknown length ends
		e.Errors, e.InputTerminated = x.Errors, true
	}
	return c.handler.Run(c.app, e, c)
}

// appendOnce appends the variables, each name once. Some gateways send more:
// nginx a header field that was repeated as often as it came, whose values are
// joined (RFC 3875 section 4.1.18), and what its configuration names twice, of
// which the last counts.
func appendOnce(vars, more []app.Field) []app.Field {
	for _, v := range more {
		i := slices.IndexFunc(vars, func(have app.Field) bool { return have.Name == v.Name })
		switch {
		case i < 0:
			vars = append(vars, v)
		case v.Name == "HTTP_COOKIE":
			vars[i].Value += "; " + v.Value
		case strings.HasPrefix(v.Name, "HTTP_"):
			vars[i].Value += ", " + v.Value
		default:
			vars[i].Value = v.Value
		}
	}
	return vars
}

// gatewayBody words what may happen to a body on its way.
type gatewayBody struct{ body io.Reader }

func (b gatewayBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if errors.Is(err, wire.ErrAborted) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = app.ErrGone
	}
	return n, err
}

// Start takes the head of the answer, in CGI's form.
func (c *call) Start(status int, reason string, header []app.Field, length int64) error {
	b := append(strconv.AppendInt(append(c.head[:0], c.status...), int64(status), 10), ' ')
	b = append(append(b, reason...), "\r\n"...)
	for _, f := range header {
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	if length >= 0 {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), length, 10), "\r\n"...)
	}
	c.left = length
	c.head = append(b, "\r\n"...)
	_, err := c.out.Write(c.head)
	return err
}

// Write gathers.
func (c *call) Write(p []byte) (int, error) {
	if c.left >= 0 {
		c.left -= int64(len(p))
	}
	return c.out.Write(p)
}

// Flush sends what was gathered, but for the end of an answer, which leaves
// together with what ends it.
func (c *call) Flush() error {
	if c.left == 0 {
		return nil
	}
	return c.out.Flush()
}
