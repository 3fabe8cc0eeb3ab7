package wsgi

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"gatewaylab/servers/app"
)

// Check is a middleware that holds the server around it and the application
// inside it to the rules of PEP 3333, as wsgiref.validate does, and changes
// nothing. The first rule that is broken is what the application has raised: a
// *ViolationError that names it. What can't be raised any more, that the iterable
// was never closed, is written to the environ's Errors when the garbage
// collector finds it, and so is what is not forbidden but looks like a mistake.
func Check(a App) App {
	return func(e *Environ, start StartResponse) (Iterable, error) {
		if err := checkEnviron(e); err != nil {
			return nil, err
		}
		if start == nil {
			return nil, violation(StartCallable, "start_response is nil")
		}
		warn(e)
		c := &checked{start: start, head: e.Get("REQUEST_METHOD") == http.MethodHead, left: -1, errors: e.Errors, closed: new(atomic.Bool)}
		e.Input = &checkedInput{c: c, r: e.Input, left: inputLength(e)}
		e.Errors = &checkedErrors{c: c, w: e.Errors}
		body, err := a(e, c.startResponse)
		c.returned = true
		if body == nil || err != nil || c.fault != nil || c.raised != nil {
			return c.early(body, err)
		}
		c.body = body
		runtime.AddCleanup(c, reportUnclosed, unclosed{c.closed, c.errors})
		return c, nil
	}
}

// early is for an application that has returned no body, or failed: what it
// returned is closed here or, beside an error, by the server.
func (c *checked) early(body Iterable, err error) (Iterable, error) {
	switch {
	case c.fault != nil:
		err = c.fault
	case err == nil && c.raised != nil:
		err = c.fail(ExcInfoPassed, "it went on after %q", c.raised)
	case err == nil:
		err = violation(IterableReturned, "it returned neither an iterable nor an error")
	}
	return body, err
}

type unclosed struct {
	closed *atomic.Bool
	errors io.Writer
}

func reportUnclosed(u unclosed) {
	if !u.closed.Load() {
		note(u.errors, violation(CloseCalled, "it has dropped the iterable").Error())
	}
}

// checked is one request: the iterable that the server gets.
type checked struct {
	start  StartResponse
	body   Iterable
	errors io.Writer
	head   bool

	called   bool  // start_response was
	bodyless bool  // 204, 304, HEAD
	left     int64 // of a promised length; -1 = none was promised
	sent     bool  // a block has gone to the server, so the head has
	returned bool
	closed   *atomic.Bool
	ended    bool
	raised   error // by start_response for exc_info
	fault    error // the first violation; nothing else counts after it
}

func (c *checked) fail(rule, format string, args ...any) error {
	if c.fault == nil {
		c.fault = violation(rule, format, args...)
	}
	return c.fault
}

func (c *checked) startResponse(status string, header []app.Field, exc error) (Write, error) {
	if c.called && exc == nil {
		return nil, c.fail(StartOnce, "a second call, status %q", status)
	}
	c.called = true
	if err := c.checkHead(status, header); err != nil {
		return nil, err
	}
	length := promised(header)
	write, err := c.start(status, header, exc)
	switch {
	case err != nil && exc != nil:
		c.raised = err
		return nil, err
	case err != nil:
		return nil, err
	case exc != nil && c.sent:
		return nil, c.fail(ExcInfoRaised, "it took a second head after the first was sent")
	case write == nil:
		return nil, c.fail(WriteReturned, "it returned neither")
	}
	c.left = length
	c.bodyless = c.head || strings.HasPrefix(status, "204") || strings.HasPrefix(status, "304")
	return func(block []byte) error { return c.write(write, block) }, nil
}

func (c *checked) write(write Write, block []byte) error {
	if c.returned {
		return c.fail(WriteInTime, "%d bytes written after it had returned", len(block))
	}
	if err := c.count(block); err != nil {
		return err
	}
	err := write(block)
	c.sent = c.sent || err == nil && len(block) > 0
	return err
}

// count takes a block off the promised length.
func (c *checked) count(block []byte) error {
	if c.bodyless || c.left < 0 {
		return nil
	}
	if c.left -= int64(len(block)); c.left < 0 {
		return c.fail(LengthKept, "%d bytes too many", -c.left)
	}
	return nil
}

// Next passes a block on.
func (c *checked) Next() ([]byte, error) {
	if c.closed.Load() {
		return nil, c.fail(ReadAfterClose, "it asked for another block")
	}
	block, err := c.body.Next()
	switch {
	case c.fault != nil:
		return nil, c.fault
	case c.raised != nil && (err == nil || err == io.EOF):
		return nil, c.fail(ExcInfoPassed, "it went on after %q", c.raised)
	case err == io.EOF:
		return nil, c.end()
	case err != nil:
		return nil, err
	case len(block) > 0 && !c.called:
		return nil, c.fail(StartFirst, "it yielded %d bytes", len(block))
	}
	if err := c.count(block); err != nil {
		return nil, err
	}
	c.sent = c.sent || len(block) > 0
	return block, nil
}

func (c *checked) end() error {
	switch {
	case !c.called:
		return c.fail(StartFirst, "it ended")
	case !c.bodyless && c.left > 0 && !c.ended:
		return c.fail(LengthKept, "%d bytes are missing", c.left)
	}
	c.ended = true
	return io.EOF
}

// Close closes the application's iterable.
func (c *checked) Close() error {
	c.closed.Store(true)
	return c.body.Close()
}

// Len is that of the application's iterable; -1 if it doesn't say.
func (c *checked) Len() int {
	if sized, ok := c.body.(Sized); ok {
		return sized.Len()
	}
	return -1
}

// checkHead checks what start_response is called with.
func (c *checked) checkHead(status string, header []app.Field) error {
	if _, _, err := parseStatus(status); err != nil {
		return c.fail(StatusForm, "%v", err)
	}
	lengths, typed := 0, false
	for _, f := range header {
		lower := strings.ToLower(f.Name)
		switch {
		case lower == "status":
			return c.fail(HeaderStatus, "%s: %s", f.Name, f.Value)
		case !wellNamed(f.Name):
			return c.fail(HeaderName, "%.60q", f.Name)
		case control(f.Value) >= 0:
			return c.fail(HeaderValue, "%s: %.60q", f.Name, f.Value)
		case HopByHop(f.Name):
			return c.fail(HeaderHopByHop, "%s: %.60q", f.Name, f.Value)
		case lower == "content-type":
			typed = true
		case lower == "content-length":
			if lengths++; lengths > 1 || !number(f.Value) {
				return c.fail(LengthForm, "%s: %.60q", f.Name, f.Value)
			}
		}
	}
	switch none := strings.HasPrefix(status, "204") || strings.HasPrefix(status, "304"); {
	case typed && none:
		return c.fail(ContentTypeNone, "status %q with one", status)
	case !typed && !none:
		return c.fail(ContentType, "status %q without one", status)
	}
	return nil
}

// wellNamed is the validator's idea of a field name: stricter than HTTP's.
func wellNamed(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return name != "" && name[len(name)-1] != '-' && name[len(name)-1] != '_'
}

func number(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil && digits(s)
}

func promised(header []app.Field) int64 {
	for _, f := range header {
		if strings.EqualFold(f.Name, "Content-Length") {
			n, _ := strconv.ParseInt(f.Value, 10, 64) // has been checked
			return n
		}
	}
	return -1
}

// checkEnviron checks what the server has made of the request.
func checkEnviron(e *Environ) error {
	for _, name := range []string{"REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"} {
		if e.Get(name) == "" {
			return violation(EnvironRequired, "%s is missing or empty", name)
		}
	}
	seen := make(map[string]bool, len(e.Variables))
	for _, v := range e.Variables {
		switch {
		case seen[v.Name]:
			return violation(EnvironNames, "%s is there twice", v.Name)
		case v.Name == "" || strings.ContainsAny(v.Name, ".="):
			return violation(EnvironNames, "%q is no variable's name", v.Name)
		case v.Name == "HTTP_CONTENT_TYPE", v.Name == "HTTP_CONTENT_LENGTH":
			return violation(EnvironContent, "%s is set", v.Name)
		}
		seen[v.Name] = true
	}
	script, path := e.Get("SCRIPT_NAME"), e.Get("PATH_INFO")
	switch length := e.Get("CONTENT_LENGTH"); {
	case e.Version != [2]int{1, 0}:
		return violation(EnvironVersion, "it is %v", e.Version)
	case e.URLScheme != "http" && e.URLScheme != "https":
		return violation(EnvironScheme, "it is %q", e.URLScheme)
	case script != "" && script[0] != '/', path != "" && path[0] != '/', script == "/", script == "" && !seen["PATH_INFO"]:
		return violation(EnvironPath, "SCRIPT_NAME is %q, PATH_INFO %q", script, path)
	case length != "" && !number(length):
		return violation(EnvironLength, "it is %.60q", length)
	case e.Input == nil || e.Errors == nil:
		return violation(EnvironStreams, "input is %T, errors is %T", e.Input, e.Errors)
	}
	return nil
}

// warn says what is allowed and yet likely to be a mistake.
func warn(e *Environ) {
	if _, ok := e.Lookup("QUERY_STRING"); !ok {
		note(e.Errors, "wsgi: warning: QUERY_STRING is not set; some programs look elsewhere then")
	}
	known := []string{"GET", "HEAD", "POST", "OPTIONS", "PATCH", "PUT", "DELETE", "TRACE"}
	if method := e.Get("REQUEST_METHOD"); !slices.Contains(known, method) {
		note(e.Errors, "wsgi: warning: unknown REQUEST_METHOD "+strconv.Quote(method))
	}
}

// inputLength is how much the input may give; -1 = that is for it to say.
func inputLength(e *Environ) int64 {
	n, err := strconv.ParseInt(e.Get("CONTENT_LENGTH"), 10, 64)
	switch {
	case err == nil:
		return n
	case e.InputTerminated:
		return -1
	}
	return 0
}

type checkedInput struct {
	c    *checked
	r    io.Reader
	left int64
}

// Read reads, and sees that the server stops where the body does.
func (i *checkedInput) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if i.left < 0 {
		return n, err
	}
	if i.left -= int64(n); i.left < 0 || n > len(p) {
		return 0, i.c.fail(InputEnds, "it gave %d bytes too many", -i.left)
	}
	return n, err
}

// Close is what the application must not call.
func (i *checkedInput) Close() error { return i.c.fail(InputOpen, "it closed it") }

type checkedErrors struct {
	c *checked
	w io.Writer
}

func (e *checkedErrors) Write(p []byte) (int, error) {
	if !utf8.Valid(p) {
		return 0, e.c.fail(ErrorsText, "it wrote %.60q", p)
	}
	return e.w.Write(p)
}

// Close is what the application must not call.
func (e *checkedErrors) Close() error { return e.c.fail(ErrorsOpen, "it closed it") }
