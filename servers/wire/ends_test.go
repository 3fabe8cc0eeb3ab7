package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/app"
)

const patience = 20 * time.Second

// recorded is a connection that brings what is in it and keeps what it gets.
type recorded struct {
	in  io.Reader
	out bytes.Buffer
}

func (r *recorded) Read(p []byte) (int, error)  { return r.in.Read(p) }
func (r *recorded) Write(p []byte) (int, error) { return r.out.Write(p) }

type pipeEnd struct{ net.Conn }

// dialTo connects to a peer that does what it is told.
func dialTo(peer func(*pipeEnd)) Dial {
	return func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		go peer(&pipeEnd{there})
		return here, nil
	}
}

type do func(context.Context, []app.Field, io.Reader) (io.ReadCloser, error)

func clients(dial Dial) map[string]do {
	return map[string]do{
		"FastCGI": NewFastCGI(dial, FastCGIOptions{}).Do,
		"SCGI":    NewSCGI(dial).Do,
		"uwsgi":   NewUWSGI(dial).Do,
	}
}

// A responder that is served on every connection of a listener.
type served struct {
	addr  net.Addr
	conns sync.WaitGroup
	mu    sync.Mutex
	count int
	errs  []error
}

func (s *served) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, s.addr.Network(), s.addr.String())
}

func (s *served) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// serve accepts connections until the test's end, when all must have ended.
func serve(t *testing.T, network string, each func(net.Conn) error) *served {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{addr: ln.Addr()}
	s.conns.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.count++
			s.mu.Unlock()
			s.conns.Go(func() {
				err := each(conn)
				conn.Close()
				s.mu.Lock()
				s.errs = append(s.errs, err)
				s.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		ended := make(chan struct{})
		go func() { s.conns.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("a connection is still being served")
		}
	})
	return s
}

func orderly(serve func(io.ReadWriter) (bool, error)) func(net.Conn) error {
	return func(conn net.Conn) error {
		unread, err := serve(conn)
		if half, ok := conn.(interface{ CloseWrite() error }); ok && unread {
			_ = half.CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}
		return err
	}
}

// echoes answers with what the request was: its variables, and the size and
// sum of its body; then as many bytes as it asks for.
func echoes(x *Exchange) error {
	h := sha256.New()
	n, err := io.Copy(h, x.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(x.Out, "Content-Type: text/plain\n\n%d %x\n", n, h.Sum(nil))
	for _, v := range x.Vars {
		if v.Name != "SCGI" && v.Name != "CONTENT_LENGTH" {
			fmt.Fprintf(x.Out, "%s=%q\n", v.Name, v.Value)
		}
	}
	more, _ := lookup(x.Vars, "MORE")
	size, _ := strconv.Atoi(more)
	block := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	for size > 0 {
		n, err := x.Out.Write(block[:min(size, len(block))])
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}

// gateways are all ways to ask a responder: client and the server for it.
func gateways(t *testing.T, network string, h Handler) map[string]do {
	t.Helper()
	all := map[string]do{}
	fast := func(name string, o FastCGIOptions, each func(net.Conn) error) {
		c := NewFastCGI(serve(t, network, each).dial, o)
		t.Cleanup(c.Close)
		all[name] = c.Do
	}
	one := func(conn net.Conn) error {
		return orderly(NewFastCGIResponder(h, ServeOptions{MaxVars: 1 << 20, Phase: func(Phase) {}}).Serve)(conn)
	}
	m := NewFastCGIMultiplexer(h, MultiplexOptions{MaxVars: 1 << 20, Requests: 64, Timeout: patience})
	fast("FastCGI", FastCGIOptions{}, one)
	fast("FastCGI, connections kept", FastCGIOptions{Reuse: true}, one)
	fast("FastCGI, connections shared", FastCGIOptions{Multiplex: true}, m.Serve)
	fast("FastCGI, connections that could be shared", FastCGIOptions{}, m.Serve)
	fast("FastCGI, connections that can't be shared", FastCGIOptions{Multiplex: true}, one)
	all["SCGI"] = NewSCGI(serve(t, network, func(c net.Conn) error {
		return orderly(NewSCGIResponder(h, ServeOptions{}).Serve)(c)
	}).dial).Do
	all["uwsgi"] = NewUWSGI(serve(t, network, func(c net.Conn) error {
		return orderly(NewUWSGIResponder(h, ServeOptions{MaxVars: MaxUWSGI}).Serve)(c)
	}).dial).Do
	return all
}

func ask(t *testing.T, ask do, vars []app.Field, body io.Reader) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := ask(ctx, vars, body)
	if err != nil {
		return "", err
	}
	defer a.Close()
	b, err := io.ReadAll(a)
	return string(b), err
}

func TestBothEnds(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, do := range gateways(t, network, echoes) {
			t.Run(network+" "+name, func(t *testing.T) {
				t.Parallel()
				for _, size := range []int{-1, 0, 1, 7, 8, pieceSize, MaxContent, MaxContent + 1, 3 << 20} {
					body := bytes.Repeat([]byte{0, 1, 0xff}, max(size, 0)/3+1)[:max(size, 0)]
					want := fmt.Sprintf("Content-Type: text/plain\n\n%d %x\n", len(body), sha256.Sum256(body))
					want += "REQUEST_METHOD=\"POST\"\nQUERY_STRING=\"\"\nHTTP_X=\"\\xff\\x80é\"\n"
					vars := []app.Field{{Name: "REQUEST_METHOD", Value: "POST"}, {Name: "QUERY_STRING"}, {Name: "HTTP_X", Value: "\xff\x80é"}}
					var r io.Reader
					if size >= 0 {
						vars = append(vars, app.Field{Name: "CONTENT_LENGTH", Value: strconv.Itoa(size)})
						r = bytes.NewReader(body)
					}
					for _, more := range []int{0, 10, outputSize, 3 << 20} {
						got, err := ask(t, do, append(vars, app.Field{Name: "MORE", Value: strconv.Itoa(more)}), r)
						whole := want + fmt.Sprintf("MORE=\"%d\"\n", more)
						if err != nil || !strings.HasPrefix(got, whole) || len(got) != len(whole)+more {
							t.Fatalf("%d bytes there, %d back: %.300q (%d bytes), %v; want %q", size, more, got, len(got), err, whole)
						}
						if b, ok := r.(*bytes.Reader); ok {
							b.Reset(body)
						}
					}
				}
			})
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	for name, do := range gateways(t, "unix", echoes) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					for j := range 20 {
						body := strings.Repeat(strconv.Itoa(i), 1000*j)
						mark := fmt.Sprintf("%d-%d", i, j)
						got, err := ask(t, do, []app.Field{{Name: "MARK", Value: mark}, {Name: "CONTENT_LENGTH", Value: strconv.Itoa(len(body))}}, strings.NewReader(body))
						if err != nil || !strings.Contains(got, fmt.Sprintf("%d %x\nMARK=%q\n", len(body), sha256.Sum256([]byte(body)), mark)) {
							t.Errorf("%s: %q, %v", mark, got, err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// A body that the application doesn't want doesn't keep the answer.
func TestUnwantedBody(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, do := range gateways(t, network, func(x *Exchange) error {
			_, err := io.WriteString(x.Out, "Content-Type: text/plain\n\nno, thanks")
			return err
		}) {
			t.Run(network+" "+name, func(t *testing.T) {
				t.Parallel()
				for range 3 {
					got, err := ask(t, do, []app.Field{{Name: "CONTENT_LENGTH", Value: "4000000"}}, io.LimitReader(zeroes{}, 4000000))
					if err != nil || !strings.HasSuffix(got, "no, thanks") {
						t.Errorf("%q, %v", got, err)
					}
				}
			})
		}
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What is flushed arrives before the rest is there.
func TestStreaming(t *testing.T) {
	step := make(chan struct{})
	for name, do := range gateways(t, "tcp", func(x *Exchange) error {
		for i := range 3 {
			if i > 0 {
				select {
				case <-step:
				case <-time.After(patience):
					return errors.New("nobody reads")
				}
			}
			fmt.Fprintf(x.Out, "%d\n", i)
			if err := x.Out.Flush(); err != nil {
				return err
			}
		}
		return nil
	}) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		a, err := do(ctx, []app.Field{{Name: "A", Value: "b"}}, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range 3 {
			if i > 0 {
				step <- struct{}{}
			}
			line := make([]byte, 2)
			if _, err := io.ReadFull(a, line); err != nil || string(line) != fmt.Sprintf("%d\n", i) {
				t.Errorf("%s: %q, %v", name, line, err)
			}
		}
		if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: %d, %v at the end", name, n, err)
		}
		a.Close()
		cancel()
	}
}

// A request's body that stops in the middle ends the request.
func TestShortBody(t *testing.T) {
	for name, do := range gateways(t, "tcp", func(x *Exchange) error {
		n, _ := contentLength("uwsgi", x.Vars)
		if got, err := io.Copy(io.Discard, x.Body); got == n {
			return fmt.Errorf("all of it came: %w", err)
		}
		return errors.New("short")
	}) {
		_, err := ask(t, do, []app.Field{{Name: "CONTENT_LENGTH", Value: "100"}}, strings.NewReader("not a hundred"))
		if !errors.Is(err, errShortBody) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClientsRefuseWhatCantBeCarried(t *testing.T) {
	nobody := func(context.Context) (net.Conn, error) { t.Error("it connects"); return nil, errors.New("no") }
	large := []app.Field{{Name: "HTTP_COOKIE", Value: strings.Repeat("x", MaxUWSGI)}}
	var bad *ProtocolError
	if _, err := NewUWSGI(nobody).Do(t.Context(), large, nil); !errors.As(err, &bad) || !bad.Oversize {
		t.Errorf("uwsgi: %v", err)
	}
	for name, do := range clients(nobody) {
		if _, err := do(t.Context(), []app.Field{{Name: "CONTENT_LENGTH", Value: "many"}}, nil); err == nil {
			t.Errorf("%s takes a CONTENT_LENGTH that is no number", name)
		}
		if name != "FastCGI" {
			if _, err := do(t.Context(), nil, strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "CONTENT_LENGTH") {
				t.Errorf("%s, a body of unknown length: %v", name, err)
			}
		}
	}
}

// FastCGI can carry a body whose length nobody knows.
func TestFastCGIBodyOfUnknownLength(t *testing.T) {
	for name, do := range gateways(t, "unix", echoes) {
		if strings.HasPrefix(name, "FastCGI") {
			if got, err := ask(t, do, []app.Field{{Name: "A", Value: "b"}}, strings.NewReader("12345")); err != nil || !strings.Contains(got, "\n\n5 ") {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

// Variables that take more than one record.
func TestFastCGIManyParams(t *testing.T) {
	for name, do := range gateways(t, "unix", echoes) {
		if strings.HasPrefix(name, "FastCGI") {
			value := strings.Repeat("v", 300_000)
			if got, err := ask(t, do, []app.Field{{Name: "A", Value: value}, {Name: "B", Value: "c"}}, nil); err != nil || !strings.HasSuffix(got, value+"\"\nB=\"c\"\n") {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	}
}

func TestStatusLineBecomesField(t *testing.T) {
	for said, want := range map[string]string{
		"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody": "Status: 404 Not Found\r\nA: b\r\n\r\nbody",
		"HTTP/1.0 200 OK\r\n\r\n":                    "Status: 200 OK\r\n\r\n",
		"Status: 200 OK\r\n\r\n":                     "Status: 200 OK\r\n\r\n",
		"HTTP":                                       "HTTP",
		"HTTP: yes\n\n":                              "HTTP: yes\n\n",
		"":                                           "",
	} {
		dial := dialTo(func(c *pipeEnd) {
			_, _ = c.Read(make([]byte, 100))
			for i := range said { // byte by byte
				_, _ = io.WriteString(c, said[i:i+1])
			}
			c.Close()
		})
		for name, do := range map[string]do{"SCGI": NewSCGI(dial).Do, "uwsgi": NewUWSGI(dial).Do} {
			if got, err := ask(t, do, nil, nil); got != want || err != nil {
				t.Errorf("%s: %q became %q, %v", name, said, got, err)
			}
		}
	}
}
