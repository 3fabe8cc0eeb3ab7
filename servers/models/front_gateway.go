package models

import (
	"context"
	"errors"
	"io"
	"net"

	"gatewaylab/servers/app"
)

// A gateway speaks one of the gateway protocols to an instance.
type gateway interface {
	Do(ctx context.Context, vars []app.Field, body io.Reader) (io.ReadCloser, error)
	Close()
}

func newGateway(p *proxy, dial func(context.Context) (net.Conn, error)) (gateway, error) {
	return nil, errors.New("not yet")
}

func (b *back) exchangeCGI(ctx context.Context, out *outbound) (*inbound, error) {
	return nil, errors.New("not yet")
}
