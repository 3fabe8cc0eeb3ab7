//go:build linux

package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// What becomes of a body while its client still sends it.
const (
	streamed = "ok"             // the application has it, and its answer comes
	later    = "answered later" // the application has it; its answer comes after the body's end
	buffered = "buffered"       // the application is given nothing before the end
)

// An uploading is what is expected of a pair, of a body with a Content-Length
// and of one without; "" is streamed, and – that there is no such body here.
type uploading struct {
	fixed, chunked string
	why            string
}

// streamsUp sends bodies that come slowly and end only when something has been
// seen of the application, or was not to be expected.
func streamsUp(s *site, _ time.Duration) (string, error) {
	fixed, err := s.upload(1<<20, s.uploads.fixed)
	if err != nil {
		return "", fmt.Errorf("with a Content-Length: %w", err)
	}
	chunked, err := s.upload(-1, s.uploads.chunked)
	if err != nil {
		return "", fmt.Errorf("without a Content-Length: %w", err)
	}
	switch {
	case chunked == fixed, chunked == "–":
		return fixed, s.recovers()
	case fixed == "–":
		return chunked, s.recovers()
	}
	return fixed + "; chunked: " + chunked, s.recovers()
}

// brief is how long is waited for what is not expected.
const brief = 50 * time.Millisecond

func (s *site) upload(length int64, expected string) (string, error) {
	if expected == "–" {
		return expected, nil
	}
	if expected == "" {
		expected = streamed
	}
	const first = 4 << 10
	if err := s.free(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	body := newTrickle(ctx, 1<<20)
	defer body.release()
	has := s.reached()
	type end struct {
		text string
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		a, err := s.do(ctx, post(fmt.Sprintf("/upload?first=%d", first), body, length))
		if err != nil {
			ended <- end{err: err}
			return
		}
		defer a.body.Close()
		want := uploaded(first)
		b := make([]byte, len(want))
		n, err := io.ReadFull(a.body, b)
		switch {
		case a.status == http.StatusLengthRequired:
			ended <- end{text: "411"}
		case err != nil || a.status != 200 || string(b) != want:
			ended <- end{err: errors.Join(err, fmt.Errorf("status %d, %q", a.status, b[:n]))}
		default:
			ended <- end{text: streamed}
		}
	}()
	got, limit := buffered, time.Now().Add(patience)
	if expected == buffered {
		limit = time.Now().Add(brief)
	}
	for got != streamed {
		select {
		case e := <-ended:
			return e.text, errors.Join(e.err, unexpected(e.text, expected))
		case <-time.After(2 * time.Millisecond):
		}
		if got == buffered && has() {
			got = later
			if expected == later {
				limit = time.Now().Add(brief)
			}
		}
		if time.Now().After(limit) {
			break
		}
	}
	body.release()
	if e := <-ended; e.err != nil || e.text != streamed {
		return "", errors.Join(e.err, fmt.Errorf("after the body's end: %s", e.text))
	}
	return got, unexpected(got, expected)
}

func unexpected(got, expected string) error {
	if got == expected {
		return nil
	}
	return fmt.Errorf("%q, where %q is expected", got, expected)
}

// reached returns what says whether the application has got the request since.
func (s *site) reached() func() bool {
	if s.served != nil {
		before := s.served()
		return func() bool { return s.busy() > 0 || s.served() > before }
	}
	if s.slots > 0 {
		return func() bool { return false } // nobody tells, but the answer
	}
	return func() bool { return len(s.serving()) > 0 }
}

// A trickle is a body that comes in pieces of 1 KiB, and whose last piece waits
// for release.
type trickle struct {
	ctx      context.Context
	left     int64
	from     io.Reader
	released chan struct{}
	release  func() // has the rest come at once
}

func newTrickle(ctx context.Context, total int64) *trickle {
	released := make(chan struct{})
	return &trickle{ctx: ctx, left: total, from: pattern(total), released: released, release: sync.OnceFunc(func() { close(released) })}
}

func (t *trickle) Read(p []byte) (int, error) {
	if t.left == 0 {
		return 0, io.EOF
	}
	const piece = 1 << 10
	var pause <-chan time.Time
	if t.left > piece {
		pause = time.After(2 * time.Millisecond)
	}
	select {
	case <-t.ctx.Done():
		return 0, t.ctx.Err()
	case <-t.released:
	case <-pause:
		p = p[:min(len(p), piece)]
	}
	n, err := t.from.Read(p)
	t.left -= int64(n)
	return n, err
}
