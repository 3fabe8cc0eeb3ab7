package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A NotSpokenError says that a server answered as one that doesn't speak a
// protocol.
type NotSpokenError struct {
	Protocol Protocol
	How      string // "505 HTTP Version Not Supported"
}

func (e *NotSpokenError) Error() string {
	return string(e.Protocol) + " is not spoken: " + e.How
}

// Speaks finds out whether the server speaks the attack's protocol, by sending
// it the first request that isn't a fault; what it answers doesn't matter, if
// only it does. The error is a *NotSpokenError if the server answers as one
// that doesn't, and another one if that can't be told: it is not there, or
// says nothing. HTTP/1.1 is taken for granted.
func (a *Attack) Speaks(ctx context.Context) error {
	if a.Protocol == "" || a.Protocol == HTTP1 {
		return nil
	}
	requests, _, err := a.prepare()
	if err != nil {
		return err
	}
	harmless := slices.IndexFunc(requests, func(p *prepared) bool { return !p.request.Fault })
	m := requests[max(0, harmless)].message(a.Seed, 0)
	c, epoch := a.newCaller()
	defer c.Close()
	defer context.AfterFunc(ctx, c.Close)()
	var f flight
	c.call(m, &f, time.Since(epoch))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.err == nil && kindOfCode(f.code) == "", f.code != 0 && a.Protocol != WebSocket:
		return nil
	case f.code != 0:
		return &NotSpokenError{a.Protocol, f.status}
	}
	if how, err := a.probe(ctx, m); err != nil {
		return fmt.Errorf("find out whether %s speaks %s: %w", m.addr, a.Protocol, err)
	} else if how != "" {
		return &NotSpokenError{a.Protocol, how}
	}
	return nil // it does, whatever the request failed of
}

// probe goes no further than to where the server shows what it speaks, on a
// connection of its own, and says how a server answered that doesn't speak the
// protocol; "" if it does.
func (a *Attack) probe(ctx context.Context, m *message) (how string, err error) {
	d := net.Dialer{Timeout: a.Timeout}
	nc, err := d.DialContext(ctx, "tcp", m.addr)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	if err := nc.SetDeadline(time.Now().Add(a.Timeout)); err != nil {
		return "", err
	}
	switch a.Protocol {
	case H2C:
		how, err = probeH2C(nc)
	case H2:
		how, err = probeH2(nc, a.Timeout)
	default:
		how, err = probeWebSocket(nc, m)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return how, err
}

// hangUp is how a server answers that only closes; "" if err isn't that.
func hangUp(err error) string {
	if died(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNABORTED) {
		return "closed the connection"
	}
	return ""
}

// probeH2C says hello in HTTP/2 (RFC 9113 section 3.4). Who speaks it answers
// with a SETTINGS frame; who doesn't takes the preface for a request of a
// version that it doesn't know, as which it is made.
func probeH2C(nc net.Conn) (how string, err error) {
	const hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(nc, hello); err != nil && hangUp(err) == "" {
		return "", err
	}
	in := bufio.NewReader(nc)
	const frameHead = 9
	b, err := in.Peek(frameHead)
	const settings = 4
	switch {
	case err == nil && string(b[:5]) == "HTTP/":
		return statusOf(in)
	case err == nil && b[3] == settings:
		return "", nil
	case err == nil:
		return fmt.Sprintf("answered %q", b), nil
	case hangUp(err) != "":
		return hangUp(err), nil
	}
	return "", err
}

// statusOf reads a status line: "505 HTTP Version Not Supported".
func statusOf(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 1<<10)).ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	_, status, _ := strings.Cut(strings.TrimSpace(line), " ")
	return status, nil
}

// probeH2 begins TLS.
func probeH2(nc net.Conn, timeout time.Duration) (how string, err error) {
	heard := &listener{Conn: nc}
	t := tls.Client(heard, &tls.Config{NextProtos: []string{"h2"}, InsecureSkipVerify: true}) // as in h2.dialTLS
	err = t.Handshake()
	var remote *net.OpError
	switch {
	case err == nil && t.ConnectionState().NegotiatedProtocol == "h2":
		return "", nil
	case err == nil:
		return "TLS without HTTP/2: ALPN was not answered", nil
	case errors.As(err, &remote) && remote.Op == "remote error": // said in TLS: there is no protocol to agree on
		return "TLS without HTTP/2: " + remote.Err.Error(), nil
	case strings.HasPrefix(string(heard.first), "HTTP/"):
		status, err := statusOf(io.MultiReader(strings.NewReader(string(heard.first)), nc))
		return "no TLS: " + status, err
	case hangUp(err) != "":
		return "no TLS: " + hangUp(err), nil
	case kindOf(err) == KindTimeout:
		// The connection was taken, and TLS has its client speak first: a
		// server may be waiting for the end of what it takes for a line.
		return fmt.Sprintf("no TLS: no answer within %v", timeout), nil
	}
	return "no TLS: " + err.Error(), nil
}

// A listener keeps the first of what comes.
type listener struct {
	net.Conn
	first []byte
}

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if len(l.first) < 1<<10 {
		l.first = append(l.first, p[:n]...)
	}
	return n, err
}

// probeWebSocket does the handshake.
func probeWebSocket(nc net.Conn, m *message) (how string, err error) {
	var f flight
	err = (&webSocket{nc: nc}).shakeHands(m, &f)
	switch {
	case f.code != 0:
		return f.status, nil
	case hangUp(err) != "":
		return hangUp(err), nil
	case errors.Is(err, errMalformed):
		return err.Error(), nil
	}
	return "", err
}
