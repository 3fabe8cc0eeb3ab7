package app

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// upstreamVariable names the environment variable in which the application
// finds the IPv4 address and port of the service that /upstream calls.
const upstreamVariable = "GATEWAYLAB_UPSTREAM"

// An upstream is the other service, and the connections to it that are kept
// between calls. How a call waits is the server's: where a request has a thread
// it blocks in the kernel, where it is a goroutine the runtime's poller waits,
// and on an event loop that loop's. A client of package net/http would be too
// much to link into a CGI program, and knows but one of the three.
type upstream struct {
	address string // "" = there is none

	mu   sync.Mutex
	idle []*link // the last one used last
}

// maxIdleLinks bounds the connections that are kept; there may be as many more
// as there are calls under way.
const maxIdleLinks = 512

// Bounds of an answer. The service at hand says a few bytes.
const (
	maxUpstreamHead = 8 << 10
	maxUpstreamBody = 64 << 10
)

var (
	errUpstreamAway      = errors.New("can't be reached")
	errUpstreamClosed    = errors.New("closed the connection in place of an answer")
	errUpstreamMalformed = errors.New("answered what is no HTTP")
)

func (a *App) upstreamed(w Response, r *Request, v []int) error {
	if a.upstream.address == "" {
		return text(w, 501, "501 not implemented: there is no upstream; lab starts one with --upstream 100ms\n")
	}
	timeout := time.Duration(v[0]) * time.Millisecond
	var status int
	var body string
	err := a.upstream.onItsWay(r, func(c carrier) (err error) {
		status, body, err = a.upstream.call(c, time.Now().Add(timeout))
		return err
	})
	switch {
	case err == ErrGone:
		return err
	case err == os.ErrDeadlineExceeded:
		return text(w, 504, "504 gateway timeout: no answer from the upstream within "+milliseconds(v[0]))
	case err != nil:
		return text(w, 502, "502 bad gateway: the upstream "+err.Error()+"\n")
	case status != 200:
		return text(w, 502, "502 bad gateway: the upstream answered "+strconv.Itoa(status)+"\n")
	}
	return text(w, 200, "upstream says "+body)
}

// A carrier is a way of waiting for a socket. The deadlines' error is
// os.ErrDeadlineExceeded.
type carrier interface {
	dial(address string, until time.Time) (*link, error)
	write(l *link, p []byte, until time.Time) error
	// read returns 0 at the end.
	read(l *link, p []byte, until time.Time) (int, error)
}

// take returns a kept connection, the most recently used one, or nil.
func (u *upstream) take() *link {
	u.mu.Lock()
	defer u.mu.Unlock()
	last := len(u.idle) - 1
	if last < 0 {
		return nil
	}
	l := u.idle[last]
	u.idle[last] = nil
	u.idle = u.idle[:last]
	return l
}

func (u *upstream) keep(l *link) {
	u.mu.Lock()
	kept := len(u.idle) < maxIdleLinks
	if kept {
		u.idle = append(u.idle, l)
	}
	u.mu.Unlock()
	if !kept {
		l.close()
	}
}

// call asks and reads the answer. A call that has failed isn't made again: the
// service never closes a connection that is idle, so an end where an answer
// should be is its failure and nobody's race.
func (u *upstream) call(c carrier, until time.Time) (status int, body string, err error) {
	l := u.take()
	if l == nil {
		if l, err = c.dial(u.address, until); err != nil {
			return 0, "", refusal(err, errUpstreamAway)
		}
	}
	status, body, keep, err := u.ask(c, l, until)
	if err != nil || !keep {
		l.close()
		return status, body, err
	}
	u.keep(l)
	return status, body, nil
}

// refusal is what the application says of a failure: which error the kernel
// gave depends on the moment, and all servers must say the same.
func refusal(err, otherwise error) error {
	if err == os.ErrDeadlineExceeded || err == ErrGone {
		return err
	}
	return otherwise
}

func (u *upstream) ask(c carrier, l *link, until time.Time) (status int, body string, keep bool, err error) {
	request := "GET / HTTP/1.1\r\nHost: " + u.address + "\r\n\r\n"
	if err := c.write(l, []byte(request), until); err != nil {
		return 0, "", false, refusal(err, errUpstreamClosed)
	}
	buf := make([]byte, 0, 1<<10)
	for {
		head, n, parsed := upstreamHead(buf)
		switch {
		case parsed != nil:
			return 0, "", false, parsed
		case n > 0 && len(buf) >= n+head.length:
			// Anything behind the answer was not asked for.
			return head.status, string(buf[n : n+head.length]), head.keep && len(buf) == n+head.length, nil
		case n == 0 && len(buf) >= maxUpstreamHead:
			return 0, "", false, errUpstreamMalformed
		}
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, len(buf))...)[:len(buf)]
		}
		got, err := c.read(l, buf[len(buf):cap(buf)], until)
		if err != nil || got == 0 {
			return 0, "", false, refusal(err, errUpstreamClosed)
		}
		buf = buf[:len(buf)+got]
	}
}

type answerHead struct {
	status, length int
	keep           bool
}

// upstreamHead reads the head of an answer; n is its size, 0 if it isn't whole.
// An answer without a Content-Length has no length that a client could rely on
// to use the connection again, and is taken for malformed.
func upstreamHead(b []byte) (h answerHead, n int, err error) {
	end := strings.Index(string(b), "\r\n\r\n")
	if end < 0 {
		return h, 0, nil
	}
	lines := strings.Split(string(b[:end]), "\r\n")
	first := lines[0]
	if len(first) < len("HTTP/1.1 200") || !strings.HasPrefix(first, "HTTP/1.") || first[8] != ' ' {
		return h, 0, errUpstreamMalformed
	}
	if h.status, err = strconv.Atoi(first[9:12]); err != nil || h.status < 200 {
		return h, 0, errUpstreamMalformed
	}
	h.length, h.keep = -1, first[7] == '1'
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		switch {
		case !ok:
			return h, 0, errUpstreamMalformed
		case strings.EqualFold(name, "Content-Length"):
			if h.length, err = strconv.Atoi(value); err != nil || h.length < 0 || h.length > maxUpstreamBody {
				return h, 0, errUpstreamMalformed
			}
		case strings.EqualFold(name, "Connection") && strings.EqualFold(value, "close"):
			h.keep = false
		}
	}
	if h.length < 0 {
		return h, 0, errUpstreamMalformed
	}
	return h, end + 4, nil
}
