//go:build linux

package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gatewaylab/servers/app"
)

// patience is how long a thing that must come is waited for.
const patience = 30 * time.Second

// A request is what a check sends.
type request struct {
	method, target string
	header         []app.Field
	body           io.Reader // nil = none
	length         int64     // of the body; -1 = not told beforehand
}

// An answer is what came back. Closing its body before its end is the client
// going away.
type answer struct {
	status int
	header http.Header
	body   io.ReadCloser // ends with an error where the answer is broken
}

// A client sends one request and returns when the answer's header is there.
// Whoever cancels the context is a client that goes away.
type client func(ctx context.Context, r request) (*answer, error)

// A site is one pair, running.
type site struct {
	do client
	// busy is how many requests the lab's server has under way; nil where the
	// server isn't the lab's.
	busy func() int
	// serving are the processes in which the application has a request.
	serving func() []int
	// served is how many requests the lab's server has answered; nil where the
	// server isn't the lab's.
	served func() uint64
	// slots is how many requests fit at a time; 0 = as many as come.
	slots int
	// uploads is what is expected of bodies that come slowly.
	uploads uploading
	// field is how many KiB of a header have passed.
	field int
	// short answers are all that the program of others' can be trusted with.
	short bool
	// echoed sends messages on a WebSocket and returns what came back; nil
	// where there is none.
	echoed func(ctx context.Context, messages []string) ([]string, error)
}

// httpClient is Go's own, over connections that dial makes.
func httpClient(url string, dial func(context.Context) (net.Conn, error)) client {
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	if dial != nil {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	}
	return func(ctx context.Context, r request) (*answer, error) {
		body := r.body
		if body != nil {
			body = struct{ io.Reader }{body} // net/http looks for lengths and ends by itself otherwise
		}
		req, err := http.NewRequestWithContext(ctx, r.method, url+r.target, body)
		if err != nil {
			return nil, err
		}
		req.Host = "lab.test"
		if body != nil {
			if req.ContentLength = r.length; r.length == 0 {
				req.Body = http.NoBody
			}
		}
		for _, f := range r.header {
			req.Header[f.Name] = append(req.Header[f.Name], f.Value)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		return &answer{resp.StatusCode, resp.Header, resp.Body}, nil
	}
}

func get(target string) request { return request{method: http.MethodGet, target: target} }

func post(target string, body io.Reader, length int64) request {
	return request{method: http.MethodPost, target: target, body: body, length: length}
}

// ask is an exchange from beginning to end.
func (s *site) ask(r request) (status int, header http.Header, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	a, err := s.do(ctx, r)
	if err != nil {
		return 0, nil, "", fmt.Errorf("%s %.80s: %w", r.method, r.target, err)
	}
	defer a.body.Close()
	b, err := io.ReadAll(a.body)
	if err != nil {
		return a.status, a.header, string(b), fmt.Errorf("%s %.80s: status %d, after %d bytes of the answer: %w", r.method, r.target, a.status, len(b), err)
	}
	return a.status, a.header, string(b), nil
}

// expect is ask with the answer known.
func (s *site) expect(r request, status int, body string) error {
	got, _, text, err := s.ask(r)
	if err != nil {
		return err
	}
	if got != status || text != body {
		return fmt.Errorf("%s %.80s: answered %d %.300q, want %d %.300q", r.method, r.target, got, text, status, body)
	}
	return nil
}

// begin sends a request and reads the first n bytes of its answer.
func (s *site) begin(ctx context.Context, r request, n int) (*answer, error) {
	a, err := s.do(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%s %.80s: %w", r.method, r.target, err)
	}
	if a.status != http.StatusOK {
		a.body.Close()
		return nil, fmt.Errorf("%s %.80s: status %d", r.method, r.target, a.status)
	}
	if _, err := io.ReadFull(a.body, make([]byte, n)); err != nil {
		a.body.Close()
		return nil, fmt.Errorf("%s %.80s: the answer's first %d bytes: %w", r.method, r.target, n, err)
	}
	return a, nil
}

// recovers waits until the site answers.
func (s *site) recovers() error {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = s.expect(get("/hello"), 200, "hello\n"); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no answer to /hello any more: %w", err)
}

// eventually waits for a condition, however slow the machine.
func eventually(what string, holds func() bool) error {
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", patience, what)
		}
	}
	return nil
}

// pattern is the first n bytes of what /bytes answers, and of what is uploaded.
func pattern(n int64) io.Reader { return io.LimitReader(&repeated{}, n) }

type repeated struct{ at int }

func (p *repeated) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		c := copy(b[n:], app.Pattern[p.at:])
		n, p.at = n+c, (p.at+c)%len(app.Pattern)
	}
	return n, nil
}

// digest reads a stream to its end.
func digest(r io.Reader) (n int64, sum string, err error) {
	if p, ok := r.(*pageBody); ok {
		return p.digest() // where it is
	}
	h := sha256.New()
	n, err = io.Copy(h, r)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

func sumOf(r io.Reader) string {
	_, sum, err := digest(r)
	if err != nil {
		panic(err) // what it reads is in memory
	}
	return sum
}

// stalling is a body that stops coming and never ends.
type stalling struct {
	first io.Reader
	ctx   context.Context
}

func (s *stalling) Read(p []byte) (int, error) {
	n, err := s.first.Read(p)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// hasLine says whether text has the line, byte for byte.
func hasLine(text, line string) bool { return strings.Contains("\n"+text, "\n"+line+"\n") }
