package models

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
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

// serveASGI hands one request to an application, whose client is given up if
// it stalls for longer than stall in the middle of its body. The error is for the
// log.
func serveASGI(a asgi.App, w http.ResponseWriter, r *http.Request, origin *asgi.Origin, stall time.Duration) error {
	if refused(w, r) {
		return nil
	}
	x := &httpExchange{
		body:   stallLimit{body: r.Body, w: w, stall: newPatience(stall), ended: r.Body == http.NoBody},
		answer: httpAnswer{w: w, r: r},
	}
	x.Exchange = asgi.Exchange{Body: &x.body, Length: r.ContentLength, Answer: &x.answer}
	setScope(&x.Scope, r, origin)
	err := x.Serve(r.Context(), a)
	var fault *asgi.BodyError
	switch {
	case err == nil, x.Complete():
		x.body.leave()
		return err
	case errors.As(err, &fault) && !x.Started():
		bodyFault(w, r, fault.Err)
		return nil
	case errors.Is(err, asgi.ErrDisconnected), fault != nil:
		panic(http.ErrAbortHandler)
	default:
		// The client must not take what it got for the whole answer. net/http
		// logs why.
		panic(err)
	}
}

// An httpExchange is what one request needs, in one piece of memory.
type httpExchange struct {
	asgi.Exchange
	body   stallLimit
	answer httpAnswer
}

// setScope makes the scope that of a request that net/http has read. It has
// sorted the header, so only the order of a name's values is the client's.
func setScope(s *asgi.Scope, r *http.Request, o *asgi.Origin) {
	*s = asgi.Scope{
		Type: asgi.TypeHTTP, ASGI: asgi.ASGI{Version: asgi.Version, SpecVersion: asgi.VersionWWW},
		HTTPVersion: strconv.Itoa(r.ProtoMajor), Method: r.Method, Scheme: "http",
		Path: r.URL.Path, RawPath: r.URL.EscapedPath(), QueryString: r.URL.RawQuery,
		Client: o.Client, Server: o.Server, State: maps.Clone(o.State),
	}
	if r.ProtoMajor == 1 {
		s.HTTPVersion = "1." + strconv.Itoa(r.ProtoMinor)
	}
	if o.TLS {
		s.Scheme = "https"
	}
	s.Headers = append(make([]app.Field, 0, 2+len(r.Header)), app.Field{Name: "host", Value: r.Host})
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, v := range r.Header[name] {
			s.Headers = append(s.Headers, app.Field{Name: asgi.Lower(name), Value: v})
		}
	}
}

// bodyRefusal is what a body that could not be read is answered with.
func bodyRefusal(err error) (status int, why string) {
	var refused *http1.Error
	switch {
	case errors.As(err, &refused):
		return refused.Status, refused.Why
	case isTimeout(err):
		return http.StatusRequestTimeout, "the body stopped coming"
	}
	return http.StatusBadRequest, "the body is cut off"
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

// slowest is how slow a client may be in the long run: it has a second for each
// 500 bytes.
const slowest = time.Second / 500

// A patience is how long a client may keep a server waiting: for no longer than
// most in one piece, and altogether no longer than most and what slowest allows
// for that which it sends. So neither one who stalls nor one who sends a byte a
// second lasts, and one with a large body on a slow line does.
type patience struct{ most, left time.Duration }

func newPatience(most time.Duration) patience { return patience{most, most} }

// spent takes off a wait that has brought so many bytes.
func (p *patience) spent(since time.Time, bytes int) {
	p.left = min(p.left-time.Since(since)+time.Duration(bytes)*slowest, p.most)
}

// stallLimit is a request's body that net/http reads from a client with whom
// there is a limit to patience.
type stallLimit struct {
	body  io.Reader
	w     http.ResponseWriter
	stall patience
	ended bool
	err   error // other than io.EOF
}

func (s *stallLimit) Read(p []byte) (int, error) {
	if s.ended {
		return 0, io.EOF
	}
	begun := time.Now()
	s.limit(begun.Add(s.stall.left))
	n, err := s.body.Read(p)
	s.stall.spent(begun, n)
	switch {
	case err == io.EOF:
		s.ended = true
		s.limit(time.Time{}) // from here on net/http reads, to see the client go
	case err != nil:
		s.err = err
	}
	return n, err
}

// leave is for a body that the application didn't want, or not all of: the
// answer goes out, and what the client still sends is taken and dropped for a
// while. net/http would end the stream with RST_STREAM and NO_ERROR (RFC 9113
// section 8.1), which curl 7.88 takes for a failure while it is sending.
func (s *stallLimit) leave() {
	if s.ended {
		return
	}
	s.limit(time.Now().Add(min(s.stall.left, lingerLimit)))
	if http.NewResponseController(s.w).Flush() == nil {
		_, _ = io.Copy(io.Discard, s.body) // an error ends the connection, or the stream
	}
}

func (s *stallLimit) limit(t time.Time) {
	_ = http.NewResponseController(s.w).SetReadDeadline(t) // without one, the client may stall; nothing else is lost
}

// httpAnswer is app.Response over net/http, which keeps a promised
// Content-Length by refusing what is too much and closing a connection on
// which too little was sent.
type httpAnswer struct {
	w http.ResponseWriter
	r *http.Request
}

func (a *httpAnswer) Start(status int, header []app.Field) error {
	h := a.w.Header()
	for _, f := range header {
		h[f.Name] = append(h[f.Name], f.Value)
	}
	sayUpgrade(h, a.r)
	a.w.WriteHeader(status)
	return nil
}

func (a *httpAnswer) Write(p []byte) (int, error) {
	n, err := a.w.Write(p)
	return n, a.gone(err)
}

func (a *httpAnswer) Flush() error { return a.gone(http.NewResponseController(a.w).Flush()) }

// Finish leaves the rest to net/http, which does it when its handler returns.
func (a *httpAnswer) Finish() error { return nil }

// gone tells errors that are the application's fault from others.
func (a *httpAnswer) gone(err error) error {
	if err == nil || errors.Is(err, http.ErrContentLength) || errors.Is(err, http.ErrBodyNotAllowed) {
		return err
	}
	return fmt.Errorf("%w: %w", asgi.ErrDisconnected, err)
}
