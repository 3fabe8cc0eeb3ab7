package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// An h2 is the caller for HTTP/2. Its connections are net/http's, which are
// those of golang.org/x/net/http2, only that the latter's way of getting at
// them is deprecated in favour of the former's. Which of them a request goes
// to, and when there is to be another one, is decided here; see h2Pool.
//
// An exchange makes some 40 allocations and hands over between goroutines,
// where one of Transport makes one; what a connection had is kept for 5 s
// after its end. Compare over the same protocol.
type h2 struct {
	epoch     time.Time
	timeout   time.Duration
	scheme    string
	transport http.Transport // only makes connections
	pool      h2Pool
	buffers   sync.Pool // of *[bodyBuffer]byte

	ctx    context.Context // ends when the caller is closed
	cancel context.CancelFunc

	connections atomic.Uint64
	retries     atomic.Uint64
}

// bodyBuffer is how much of an answer is read at a time.
const bodyBuffer = 16 << 10

func newH2(a *Attack) *h2 {
	c := &h2{epoch: time.Now(), timeout: a.Timeout}
	c.scheme, _ = a.Protocol.scheme()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.pool = h2Pool{streams: a.Streams, perConnection: a.PerConnection}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(a.Protocol == H2)
	protocols.SetUnencryptedHTTP2(a.Protocol == H2C)
	c.transport = http.Transport{
		Protocols: protocols, DisableCompression: true, DialContext: c.dial, DialTLSContext: c.dialTLS,
	}
	return c
}

// Connections implements caller.
func (c *h2) Connections() uint64 { return c.connections.Load() }

// Retries implements caller.
func (c *h2) Retries() uint64 { return c.retries.Load() }

// Close implements caller.
func (c *h2) Close() {
	c.cancel()
	c.pool.close()
}

func (c *h2) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1} // as in Transport.dial
	nc, err := d.DialContext(ctx, network, addr)
	if err == nil {
		c.connections.Add(1)
	}
	return nc, err
}

// dialTLS takes whatever certificate the server has: the servers of the lab
// sign their own, new at each start, so that there is nothing to check them
// against. What TLS costs is measured here, and nothing is kept secret by it.
// Each connection has a whole handshake, without a ticket of an earlier one.
func (c *h2) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	t := tls.Client(nc, &tls.Config{ServerName: host, NextProtos: []string{"h2"}, InsecureSkipVerify: true})
	err = t.HandshakeContext(ctx)
	if err == nil && t.ConnectionState().NegotiatedProtocol != "h2" {
		err = errors.New("the server did not choose h2 (ALPN)")
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("%w: %w", errTLS, err)
	}
	return t, nil
}

// call implements caller.
func (c *h2) call(m *message, f *flight, now time.Duration) {
	ctx, cancel := context.WithDeadline(c.ctx, c.epoch.Add(now+c.timeout))
	defer cancel()
	again := c.attempt(ctx, m, f)
	if again && ctx.Err() == nil {
		c.retries.Add(1)
		c.attempt(ctx, m, f)
	}
	if f.err == nil {
		return
	}
	f.done = time.Since(c.epoch)
	switch {
	case c.ctx.Err() != nil:
		f.err, f.cut = errCut, true
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		f.err = ctx.Err()
	default:
		f.err = sortH2(f.err)
	}
}

// attempt does one exchange and notes in f what came of it. again: it may be
// sent once more, having met a connection that had just ended, or one stream
// too many on a connection so new that nobody could know.
func (c *h2) attempt(ctx context.Context, m *message, f *flight) (again bool) {
	hc, opened, err := c.take(ctx, m.addr)
	if err != nil {
		f.err = err
		return false
	}
	defer c.pool.release(hc, true)
	f.reused = !opened
	known := c.pool.knows(hc)
	first := firstByte{epoch: c.epoch}
	resp, err := hc.cc.RoundTrip(m.request(first.watch(ctx)))
	if f.err = err; err != nil {
		if refused(err) {
			c.pool.answered(hc)
			return !known
		}
		return !opened && (unprocessed(err) || m.replay && first.at.Load() == 0 && cutOff(err))
	}
	c.pool.answered(hc)
	f.code = resp.StatusCode
	if f.firstByte = time.Duration(first.at.Load()); f.firstByte == 0 {
		f.firstByte = time.Since(c.epoch)
	}
	if kindOfCode(f.code) != "" {
		f.status = resp.Status
	}
	f.err = c.read(resp.Body, m.gaps, f)
	_ = resp.Body.Close() // waits until the stream no longer counts
	return false
}

// request makes what net/http sends of a message, with a body of its own.
func (m *message) request(ctx context.Context) *http.Request {
	req := m.req.WithContext(ctx)
	if req.Body != nil {
		req.Body = io.NopCloser(bytes.NewReader(m.of.body))
	}
	return req
}

// read reads the body of an answer to its end. The pieces whose gaps are noted
// are what one read gives: a frame, or several that came together.
func (c *h2) read(body io.Reader, gaps bool, f *flight) error {
	buf, ok := c.buffers.Get().(*[bodyBuffer]byte)
	if !ok {
		buf = new([bodyBuffer]byte)
	}
	defer c.buffers.Put(buf)
	f.done = f.firstByte
	for {
		n, err := body.Read(buf[:])
		now := time.Since(c.epoch)
		if n > 0 {
			if gaps && f.bytes > 0 {
				f.gaps = append(f.gaps, now-f.done)
			}
			f.bytes += int64(n)
		}
		f.done = now
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A firstByte notes when the first byte of the final response came.
type firstByte struct {
	epoch time.Time
	at    atomic.Int64 // from epoch; 0: not known
}

func (b *firstByte) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { b.at.Store(int64(time.Since(b.epoch))) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			b.at.Store(0)
			return nil
		},
	})
}

func refused(err error) bool {
	var stream http2.StreamError
	return errors.As(err, &stream) && stream.Code == http2.ErrCodeRefusedStream
}

// What net/http says of requests that it knows the server not to have
// processed. These errors have no names.
func unprocessed(err error) bool {
	text := err.Error()
	return strings.Contains(text, "client conn not usable") || strings.Contains(text, "graceful shutdown GOAWAY")
}

// cutOff says whether err is what a request gets whose connection ends.
func cutOff(err error) bool {
	return died(err) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "GOAWAY")
}

// sortH2 says of which kind an error is that net/http has for HTTP/2, whose
// types it keeps to itself; only that of streams passes for the one of
// golang.org/x/net/http2.
func sortH2(err error) error {
	var stream http2.StreamError
	text := err.Error()
	kind := error(nil)
	switch {
	case refused(err):
		kind = errStreamRefused
	case errors.As(err, &stream) && stream.Cause != nil && stream.Cause.Error() == "received from peer":
		kind = errStreamReset
	case strings.Contains(text, "GOAWAY"):
		kind = errGoingAway
	case strings.HasPrefix(text, "http2: client conn"):
		kind = io.ErrUnexpectedEOF
	case errors.As(err, &stream), strings.HasPrefix(text, "connection error:"),
		strings.Contains(text, "looked like an HTTP/1.1 header"), strings.Contains(text, "frame too large"):
		kind = errMalformed
	default:
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}
