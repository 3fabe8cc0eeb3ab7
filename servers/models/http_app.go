package models

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface"
)

// refused answers a request whose target no application could be handed: a
// path that doesn't start with "/" (CONNECT) or holds a NUL byte, which no
// CGI variable can. All models refuse the same ones.
func refused(w http.ResponseWriter, r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/") && strings.IndexByte(r.URL.Path, 0) < 0 {
		return false
	}
	http.Error(w, "400 bad request: the target must be a path", http.StatusBadRequest)
	return true
}

// serveApp hands one request to the application. A client that stalls for
// longer than stall in the middle of its body is given up.
func serveApp(a *app.App, w http.ResponseWriter, r *http.Request, stall time.Duration) {
	if refused(w, r) {
		return
	}
	x := &exchange{
		body:   stallLimit{body: r.Body, w: w, stall: stall, ended: r.Body == http.NoBody},
		answer: httpAnswer{w: w, r: r},
	}
	x.request = app.Request{
		Method: r.Method,
		Path:   r.URL.Path,
		Query:  r.URL.RawQuery,
		Header: iface.Fields(r),
		Body:   &x.body,
		Length: r.ContentLength,
		Gone:   r.Context().Done,
	}
	err := a.Serve(&x.answer, &x.request)
	switch {
	case err == nil:
		x.body.leave()
	case x.body.err != nil && !x.answer.started:
		bodyFault(w, r, x.body.err)
	default:
		// The client must not take what it got for the whole answer.
		panic(http.ErrAbortHandler)
	}
}

// An exchange is what one request needs, in one piece of memory.
type exchange struct {
	request app.Request
	body    stallLimit
	answer  httpAnswer
}

// bodyFault answers for a body that could not be read, and ends the
// connection, on which nobody knows any more where the next request starts.
// That is another matter with HTTP/2.
func bodyFault(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	status, text := http.StatusBadRequest, "400 bad request: the body is cut off or malformed"
	switch {
	case errors.As(err, &large):
		status, text = http.StatusRequestEntityTooLarge, "413 content too large"
	case isTimeout(err):
		status, text = http.StatusRequestTimeout, "408 request timeout: the body stopped coming"
	}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	http.Error(w, text, status)
}

// sayUpgrade adds the option that belongs to an Upgrade field (RFC 9110
// section 7.8), for which HTTP/2 has no use (RFC 9113 section 8.2.2).
func sayUpgrade(h http.Header, r *http.Request) {
	switch {
	case h["Upgrade"] == nil:
	case r.ProtoMajor == 1:
		h.Set("Connection", "Upgrade")
	default:
		delete(h, "Upgrade")
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// stallLimit is a request's body with a limit on the time that each read may
// take, as a limit for the whole would punish large bodies on slow lines.
type stallLimit struct {
	body  io.Reader
	w     http.ResponseWriter
	stall time.Duration
	ended bool
	err   error // other than io.EOF
}

func (s *stallLimit) Read(p []byte) (int, error) {
	if s.ended {
		return 0, io.EOF
	}
	s.limit(time.Now().Add(s.stall))
	n, err := s.body.Read(p)
	switch {
	case err == io.EOF:
		s.ended = true
		s.limit(time.Time{}) // from here on net/http reads, to see the client go
	case err != nil:
		s.err = err
	}
	return n, err
}

// leave is for a body that the application didn't want: net/http drops what
// is left, up to 256 KiB, more than which ends the connection.
func (s *stallLimit) leave() {
	if !s.ended {
		s.limit(time.Now().Add(s.stall))
	}
}

func (s *stallLimit) limit(t time.Time) {
	_ = http.NewResponseController(s.w).SetReadDeadline(t) // without one, the client may stall; nothing else is lost
}

// httpAnswer is app.Response over net/http, which keeps a promised
// Content-Length by refusing what is too much and closing a connection on
// which too little was sent.
type httpAnswer struct {
	w       http.ResponseWriter
	r       *http.Request
	started bool
}

func (a *httpAnswer) Start(status int, header []app.Field) error {
	a.started = true
	h := a.w.Header()
	for _, f := range header {
		h[f.Name] = append(h[f.Name], f.Value)
	}
	sayUpgrade(h, a.r)
	a.w.WriteHeader(status)
	return nil
}

func (a *httpAnswer) Write(p []byte) (int, error) { return a.w.Write(p) }

func (a *httpAnswer) Flush() error { return http.NewResponseController(a.w).Flush() }
