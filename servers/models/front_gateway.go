package models

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface"
	"gatewaylab/servers/wire"
)

// A gateway speaks one of the gateway protocols to an instance: variables and
// a body in, a CGI response out.
type gateway interface {
	Do(ctx context.Context, vars []app.Field, body io.Reader) (io.ReadCloser, error)
	Close()
}

func newGateway(p *proxy, dial func(context.Context) (net.Conn, error)) (gateway, error) {
	switch p.wire {
	case wireFastCGI:
		return wire.NewFastCGI(dial, wire.FastCGIOptions{
			Reuse: p.reuses(), MaxIdle: p.keepalive, Multiplex: p.mpx, Instances: p.sharing,
			Stderr: func(b []byte) { p.env.Log.Printf("%s: %.1000q", p.model, b) },
		}), nil
	case wireSCGI:
		return wire.NewSCGI(dial), nil
	case wireUWSGI:
		return wire.NewUWSGI(dial), nil
	}
	return nil, fmt.Errorf("the front doesn't speak %s", p.wire)
}

// reuses says whether connections to the instances are kept.
func (p *proxy) reuses() bool { return p.reuse && p.keepalive > 0 }

// exchangeCGI asks over FastCGI, SCGI or uwsgi.
func (b *back) exchangeCGI(ctx context.Context, out *outbound) (*inbound, error) {
	head := iface.HeadOf1(out.req)
	head.Fields, head.Remote, head.Local = out.fields, out.remote, out.local
	vars, err := head.Variables(iface.Mount{Software: "gatewaylab"}, out.body.size)
	if err != nil {
		return nil, &frontError{status: 400, why: err.Error(), cause: err}
	}
	if b.p.script != "" {
		vars = append(vars, app.Field{Name: "SCRIPT_FILENAME", Value: b.p.script})
	}
	stdout, err := b.gateway.Do(ctx, vars, out.body.reader())
	if err != nil {
		return nil, b.gatewayError(err)
	}
	giveUp := func() {
		stdout.Close()
		if !out.body.taken() {
			out.body.abandon()
		}
	}
	in := bufio.NewReaderSize(&cgiOutput{stdout, b}, iface.MaxHeaderLine)
	resp, err := iface.ReadResponse(in)
	if err != nil {
		giveUp()
		return nil, b.gatewayError(err)
	}
	answer := &inbound{status: resp.Status, header: resp.Header, length: resp.Length, body: in}
	if resp.Kind == iface.LocalRedirect {
		answer.location = resp.Location
	}
	if resp.Length >= 0 {
		answer.body = &countedAnswer{r: in, left: resp.Length}
	}
	answer.done = giveUp
	return answer, nil
}

// gatewayError says what an error of a gateway protocol is to the client.
func (b *back) gatewayError(err error) error {
	var unreachable *connectError
	var protocol *wire.ProtocolError
	switch {
	case errors.As(err, &unreachable):
		return err
	case errors.Is(err, wire.ErrOverloaded):
		return &frontError{status: 503, why: "the application server is overloaded", cause: err, wait: true}
	case errors.As(err, &protocol) && protocol.Oversize:
		return &frontError{status: 431, why: "the request's head is larger than " + b.p.wire + " can carry", cause: err}
	}
	return fmt.Errorf("instance %d: %w", b.number+1, err)
}

// A cgiOutput is what a responder says. That it is not content with how the
// request went is for the log: what it said is the answer all the same.
type cgiOutput struct {
	io.Reader
	b *back
}

func (o *cgiOutput) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	var status *wire.StatusError
	if errors.As(err, &status) {
		o.b.p.env.Log.Printf("front: instance %d of %s: %v", o.b.number+1, o.b.p.model, err)
		err = io.EOF
	}
	return n, err
}
