package trace

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A client sends the one request and notes both ways. It is the first party of
// the chain, so that the first hop needs no tap and the server sees the
// client's own address.
type client struct {
	clock             *clock
	start             time.Duration
	connect           time.Duration
	local             string
	secure            string // the TLS version, "" for none
	end               time.Duration
	forward, backward recording
}

// send returns the status of the answer.
func (c *client) send(ctx context.Context, base string, r *Request) (int, error) {
	u, err := url.Parse(base)
	if err != nil {
		return 0, err
	}
	raw, err := r.bytes(u.Host)
	if err != nil {
		return 0, err
	}
	if r.Timeout > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("none within %s", r.Timeout))
		defer cancel()
		ctx = limited
	}
	c.start = c.clock.now()
	defer func() { c.end = c.clock.now() }()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return 0, fmt.Errorf("connect to %s: %w", u.Host, err)
	}
	if u.Scheme == "https" {
		// The server has made its certificate itself, a moment ago.
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return 0, fmt.Errorf("TLS with %s: %w", u.Host, err)
		}
		c.secure, conn = tls.VersionName(secure.ConnectionState().Version), secure
	}
	c.connect = c.clock.now() - c.start
	c.local = conn.LocalAddr().String()
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends what waits on it
	defer stop()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		c.write(conn, raw)
	}()
	status, err := c.receive(conn, r)
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("no complete answer: %w", context.Cause(ctx))
	case err != nil && c.backward.size() == 0:
		err = errors.New("the server closed the connection without an answer")
	case err != nil:
		err = fmt.Errorf("the answer is broken off or malformed: %w", err)
	}
	conn.Close() // a server that answers without reading all leaves the rest unsent
	<-sent
	return status, err
}

// write sends the request in pieces, so that those of a large one have each
// their time.
func (c *client) write(conn io.Writer, raw []byte) {
	const piece = 64 << 10
	for len(raw) > 0 {
		p := raw[:min(len(raw), piece)]
		c.forward.note(c.clock.now(), p)
		if _, err := conn.Write(p); err != nil {
			return // the answer, or its absence, will tell
		}
		raw = raw[len(p):]
	}
}

// receive reads the final answer to its end, interim ones before it.
func (c *client) receive(conn io.Reader, r *Request) (int, error) {
	in := bufio.NewReader(&noting{conn, c})
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: r.method()})
		if err != nil {
			return 0, err
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return resp.StatusCode, nil // what comes now is not an answer any more
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode, err
	}
}

// noting notes what is read.
type noting struct {
	r io.Reader
	c *client
}

func (n *noting) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	n.c.backward.note(n.c.clock.now(), p[:k])
	return k, err
}
