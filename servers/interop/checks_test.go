//go:build linux

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"gatewaylab/servers/app"
)

const largest = 64 << 20

// A check is a column of the matrix. It returns what is to be seen in the
// cell, "" for ok. What must come is waited for until the limit is over.
type check struct {
	name, doc string
	run       func(s *site, limit time.Duration) (string, error)
}

// checks are in the order in which they run; the last ones kill processes.
func checks() []check {
	return []check{
		{"answers", "method, path, query, fields, status and body arrive as they were sent: `/echo`, HEAD, 404, and a 405 that comes before 1 MiB of body was read", answers},
		{"fixed up", "bodies of 0 B to 64 MiB with a Content-Length", fixedUp},
		{"chunked up", "bodies of 0 B to 64 MiB without", chunkedUp},
		{"fixed down", "answers of 0 B to 64 MiB with a Content-Length", fixedDown},
		{"chunked down", "an answer without, in 5,000 pieces", chunkedDown},
		{"streams", "the first piece of an answer arrives before the next is made", streams},
		{"streams up", "the application has the first part of a body while its client still sends the rest, and the answer that it gives to that comes; *answered later*: it comes when the body has ended; *buffered*: the application is given nothing before the body has ended; *411*: refused without a Content-Length", streamsUp},
		{"field", "the longest request header field that passes, in powers of two from 2 KiB to 1 MiB, and what is answered to a longer one, which harms nobody", longestField},
		{"head", "the same of a request's whole header, in fields of 1 KiB", largestHead},
		{"answer's field", "the same of a header field of an answer; 500 and 502 are those of a program on the way that doesn't take it", answersField},
		{"binary", "bytes that are no UTF-8 in a field, the path and the query; all 256 in a body", binary},
		{"WebSocket", "messages are echoed", webSocket},
		{"leaves sending", "a client goes away in the middle of its body: the place it had is free again", leavesSending},
		{"leaves reading", "a client goes away in the middle of an endless answer: the application is stopped", leavesReading},
		{"cut, fixed", "the application is killed within an answer of known length: the client is not shown a complete one", cutFixed},
		{"cut, chunked", "the same within one of unknown length", cutChunked},
	}
}

func answers(s *site, _ time.Duration) (string, error) {
	status, header, body, err := s.ask(request{method: http.MethodGet, target: "/echo?a=1&b=two%20words&a=3&c", header: []app.Field{
		{Name: "X-Lab", Value: "one, two"}, {Name: "Accept", Value: "text/plain"}, {Name: "Cookie", Value: "a=1; b=2"},
		{Name: "Authorization", Value: "Basic bGFiOmxhYg=="}, {Name: "Proxy", Value: "http://evil.test"}}})
	if err != nil {
		return "", err
	}
	if got := header.Get("Content-Type"); status != 200 || got != "text/plain; charset=utf-8" {
		return "", fmt.Errorf("/echo: status %d, Content-Type %q", status, got)
	}
	for _, line := range []string{"method GET", "path /echo", "query a=1&b=two%20words&a=3&c", "header X-Lab: one, two",
		"header Accept: text/plain", "header Cookie: a=1; b=2", "body 0", "sha256 " + sumOf(strings.NewReader(""))} {
		if !hasLine(body, line) {
			return "", fmt.Errorf("/echo lacks the line %q:\n%s", line, body)
		}
	}
	for _, name := range []string{"Authorization", "Proxy", "Host", "Content-Length"} {
		if strings.Contains(body, "\nheader "+name+": ") {
			return "", fmt.Errorf("/echo shows %s:\n%s", name, body)
		}
	}
	form := post("/echo", strings.NewReader("name=value"), 10)
	form.header = []app.Field{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	_, _, body, err = s.ask(form)
	if err != nil {
		return "", err
	}
	for _, line := range []string{"method POST", "query ", "header Content-Type: application/x-www-form-urlencoded", "body 10", "sha256 " + sumOf(strings.NewReader("name=value"))} {
		if !hasLine(body, line) {
			return "", fmt.Errorf("POST /echo lacks the line %q:\n%s", line, body)
		}
	}
	return "", errors.Join(
		s.expect(get("/hello"), 200, "hello\n"),
		s.expect(request{method: http.MethodHead, target: "/hello"}, 200, ""),
		s.expect(get("/nowhere"), 404, "404 not found: / lists the routes\n"),
		s.expect(post("/hello", pattern(1<<20), 1<<20), 405, "405 method not allowed: use GET, HEAD\n"))
}

func fixedUp(s *site, _ time.Duration) (string, error) {
	for _, n := range []int64{0, 1, 65_535, 65_536, 1<<20 + 1, largest} {
		if err := s.expect(post("/upload", pattern(n), n), 200, uploaded(n)); err != nil {
			return "", err
		}
	}
	return "", nil
}

func chunkedUp(s *site, _ time.Duration) (string, error) {
	for _, n := range []int64{0, 1, 65_536, largest} {
		if err := s.expect(post("/upload", pattern(n), -1), 200, uploaded(n)); err != nil {
			return "", err
		}
	}
	return "", nil
}

func uploaded(n int64) string {
	return fmt.Sprintf("bytes %d\nsha256 %s\n", n, sumOf(pattern(n)))
}

func fixedDown(s *site, _ time.Duration) (string, error) {
	for _, n := range []int64{0, 1, 65_535, 65_536, largest} {
		if s.short && n > 65_536 {
			return "≤ 64 KiB", nil
		}
		if err := s.down(fmt.Sprintf("/bytes?n=%d", n), n, sumOf(pattern(n)), true); err != nil {
			return "", err
		}
	}
	return "", nil
}

// down holds a large answer against its length and sum.
func (s *site) down(target string, n int64, sum string, fixed bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	a, err := s.do(ctx, get(target))
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	defer a.body.Close()
	if given := a.header.Get("Content-Length"); fixed && given != fmt.Sprint(n) {
		return fmt.Errorf("%s: Content-Length %q instead of %d", target, given, n)
	}
	got, gotSum, err := digest(a.body)
	if err != nil || a.status != 200 || got != n || gotSum != sum {
		return errors.Join(err, fmt.Errorf("%s: status %d, %d bytes, sha256 %.8s…; want 200, %d bytes, %.8s…", target, a.status, got, gotSum, n, sum))
	}
	return nil
}

func chunkedDown(s *site, _ time.Duration) (string, error) {
	const chunks = 5_000
	var want bytes.Buffer
	for i := range chunks {
		fmt.Fprintf(&want, "chunk %d of %d\n", i+1, chunks)
	}
	return "", s.down(fmt.Sprintf("/stream?chunks=%d&every=0", chunks), int64(want.Len()), sumOf(&want), false)
}

// An answer whose pieces come so slowly that no buffer on the way is filled
// while anybody waits for the first one.
const slow = "/stream?chunks=100000&every=250"

func streams(s *site, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	a, err := s.begin(ctx, get(slow), len("chunk 1 of 100000\n"))
	if err != nil {
		return "", err
	}
	cancel()
	a.body.Close()
	return "", s.recovers()
}

func binary(s *site, _ time.Duration) (string, error) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	r := post("/echo?x=%FF%00%2F&y=%C3%28", bytes.NewReader(all), int64(len(all)))
	r.header = []app.Field{{Name: "X-Bytes", Value: "caf\xe9 \xff\xfe\x80"}, {Name: "Content-Type", Value: "application/octet-stream"}}
	status, _, body, err := s.ask(r)
	if err != nil {
		return "", err
	}
	for _, line := range []string{"query x=%FF%00%2F&y=%C3%28", "header X-Bytes: caf\xe9 \xff\xfe\x80", "body 256", "sha256 " + sumOf(bytes.NewReader(all))} {
		if !hasLine(body, line) {
			return "", fmt.Errorf("status %d, /echo lacks the line %q:\n%q", status, line, body)
		}
	}
	return "", s.expect(get("/%FF%FE%80"), 404, "404 not found: / lists the routes\n")
}

func webSocket(s *site, _ time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sent := []string{"hello", "", strings.Repeat("é", 40_000)}
	got, err := s.echoed(ctx, sent)
	if err == nil && !slices.Equal(got, sent) {
		err = fmt.Errorf("%d messages were answered by %.100q", len(sent), got)
	}
	return "", err
}

// rounds is how many clients are to go away so that it would be noticed if
// each kept its place.
func (s *site) rounds() int { return max(s.slots, 2) + 1 }

func leavesSending(s *site, _ time.Duration) (string, error) {
	for range s.rounds() {
		ctx, cancel := context.WithCancel(context.Background())
		left := make(chan error, 1)
		go func() {
			a, err := s.do(ctx, post("/upload", &stalling{pattern(100_000), ctx}, 1<<20))
			if err == nil {
				a.body.Close()
				err = fmt.Errorf("half a body was answered with status %d", a.status)
			} else if ctx.Err() != nil {
				err = nil
			}
			left <- err
		}()
		select {
		case err := <-left:
			cancel()
			return "", fmt.Errorf("before the client left: %w", err)
		case <-time.After(50 * time.Millisecond): // no condition: nothing can be seen of a request that is buffered
		}
		cancel()
		if err := <-left; err != nil {
			return "", err
		}
	}
	return "", s.free()
}

func leavesReading(s *site, _ time.Duration) (string, error) {
	for range s.rounds() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		a, err := s.begin(ctx, get("/stream?chunks=100000&every=20"), 1)
		cancel()
		if err != nil {
			return "", err
		}
		a.body.Close()
	}
	return "", s.free()
}

// free waits until the places of those who left are free, and holds that
// others are served.
func (s *site) free() error {
	if err := s.recovers(); err != nil {
		return err
	}
	if s.busy != nil {
		return eventually("no request under way", func() bool { return s.busy() == 0 })
	}
	if s.slots == 0 {
		return eventually("no process of the application's left", func() bool { return len(s.serving()) == 0 })
	}
	return eventually("all workers there", func() bool { return len(s.serving()) >= s.slots })
}

func cutFixed(s *site, _ time.Duration) (string, error) {
	return "", s.cut(fmt.Sprintf("/bytes?n=%d&every=250", largest), largest)
}

func cutChunked(s *site, _ time.Duration) (string, error) { return "", s.cut(slow, -1) }

var errComplete = errors.New("the client takes what it got for the whole")

// cut kills whoever answers once the answer has begun.
func (s *site) cut(target string, promised int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := s.begin(ctx, get(target), 10)
	if err != nil {
		return err
	}
	defer a.body.Close()
	killed := 0
	for _, pid := range s.serving() {
		if syscall.Kill(pid, syscall.SIGKILL) == nil { // else it has just gone
			killed++
		}
	}
	if killed == 0 {
		return fmt.Errorf("%s: nobody seems to be answering it", target)
	}
	n, err := io.Copy(io.Discard, a.body)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %d bytes and then neither an end nor an error for %v", target, n, patience)
	case err == nil && n+10 == promised:
		return fmt.Errorf("%s: complete already when its process was killed", target)
	case err == nil:
		return fmt.Errorf("%s: cut off after %d bytes: %w", target, n+10, errComplete)
	}
	return s.free()
}
