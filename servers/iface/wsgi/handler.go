package wsgi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
)

// A Sink is where a server sends an answer: a connection to a client, or to a
// gateway. An error means that whoever is on the other end is gone.
type Sink interface {
	// Start takes the head, just before the first block, or where the body is
	// empty at the end. Header is without Content-Length: length is how many
	// bytes will be written, -1 if nobody knows. Where the answer has no body
	// (HEAD, 204, 304) length is what to say all the same, and none is written.
	Start(status int, reason string, header []app.Field, length int64) error
	// Write takes a part of the body, and may gather.
	Write(p []byte) (int, error)
	// Flush sends what was gathered, with the head if that is still there.
	Flush() error
}

// Errors of an application that breaks a rule which its server must hold it to.
var (
	ErrTwice     = errors.New("wsgi: start_response was called a second time without exc_info")
	ErrNoStart   = errors.New("wsgi: there is a body, or its end, before start_response was called")
	ErrNoBody    = errors.New("wsgi: the application returned no iterable")
	ErrLateWrite = errors.New("wsgi: write was called after the application had returned its iterable")
	ErrTooLong   = errors.New("wsgi: the body is longer than its Content-Length")
	ErrTooShort  = errors.New("wsgi: the body is shorter than its Content-Length")
	ErrPanic     = errors.New("wsgi: the application panicked")
)

// A Handler runs applications by the rules that PEP 3333 gives to servers. It
// serves one request at a time, for one goroutine, and any number one after
// another, for which it needs no memory of its own.
type Handler struct {
	start StartResponse // made once: each method value costs an allocation
	write Write
	offer func(string)

	environ *Environ
	sink    Sink
	head    bool // the request is HEAD

	called   bool // start_response was, whether it went well or not
	status   int
	reason   string
	header   []app.Field
	length   int64 // promised; -1 = not
	blocks   int   // that the iterable yields; -1 = it doesn't say
	upgrade  string
	returned bool // the application did; write is closed
	bodyless bool // the answer has no body, whatever is written
	sent     bool // the head has left
	left     int64
	fault    error // of a call whose error the application may have dropped
	gone     error // of the sink
}

// NewHandler returns a handler.
func NewHandler() *Handler {
	h := &Handler{}
	h.start, h.write, h.offer = h.startResponse, h.writeBlock, h.offerUpgrade
	return h
}

// Run has the application answer one request, and makes the answer itself if
// the application can't: what a FaultError says, else 500. What the application did
// wrong is written to the environ's Errors. Run returns nil when a whole answer
// was given to the sink; after an error it was not, and whoever waits for it
// must not take what it has got for the whole.
func (h *Handler) Run(a App, e *Environ, s Sink) error {
	h.environ, h.sink = e, s
	h.head = e.Get("REQUEST_METHOD") == "HEAD"
	h.called, h.returned, h.bodyless, h.sent = false, false, false, false
	h.header, h.length, h.upgrade, h.fault, h.gone = nil, -1, "", nil, nil
	e.OfferUpgrade = h.offer
	err := h.serve(a)
	switch {
	case err == nil:
		return nil
	case h.gone != nil:
		return h.gone
	case errors.Is(err, app.ErrGone):
		return err
	}
	var fault *FaultError
	if !errors.As(err, &fault) {
		fault = &FaultError{500, "the application failed"}
		h.log(err)
	}
	if h.sent {
		return err
	}
	return h.answer(fault)
}

// Sent says whether a part of the last answer has gone to the sink.
func (h *Handler) Sent() bool { return h.sent }

func (h *Handler) log(err error) { note(h.environ.Errors, err.Error()) }

// note writes a line to wsgi.errors. Nobody is left to tell if that fails.
func note(w io.Writer, line string) { _, _ = io.WriteString(w, line+"\n") }

// serve calls the application and sends what it yields.
func (h *Handler) serve(a App) (err error) {
	var body Iterable
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
		}
		if body != nil {
			err = h.close(body, err)
		}
	}()
	body, err = a(h.environ, h.start)
	h.returned = true
	switch {
	case err != nil:
		return err
	case h.gone != nil:
		return h.gone
	case h.fault != nil:
		return h.fault
	case body == nil:
		return ErrNoBody
	}
	return h.iterate(body)
}

// close closes the iterable, whatever has happened before.
func (h *Handler) close(body Iterable, before error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log(fmt.Errorf("%w in close: %v", ErrPanic, p))
			err = before
		}
	}()
	if err := body.Close(); err != nil {
		h.log(fmt.Errorf("wsgi: close the iterable: %w", err)) // the answer is no worse for it
	}
	return before
}

// iterate sends the blocks, each before the next is asked for.
func (h *Handler) iterate(body Iterable) error {
	h.blocks = -1
	if sized, ok := body.(Sized); ok {
		h.blocks = sized.Len()
	}
	for {
		block, err := body.Next()
		switch {
		case err != nil && err != io.EOF:
			return err
		case h.fault != nil:
			return h.fault
		case err == io.EOF:
			return h.end()
		}
		if len(block) == 0 {
			continue
		}
		if more, err := h.yielded(block); err != nil || !more {
			return err
		}
	}
}

// yielded sends a block that was yielded, and says whether there is use for
// another. A server needn't ask for all of them.
func (h *Handler) yielded(block []byte) (more bool, err error) {
	if !h.called {
		return false, ErrNoStart
	}
	if !h.sent && h.blocks == 1 {
		switch {
		case h.length < 0:
			h.length = int64(len(block))
		case h.length > int64(len(block)) && !h.bodyless:
			return false, ErrTooShort
		}
	}
	if h.length >= 0 && !h.bodyless {
		most := h.length
		if h.sent {
			most = h.left
		}
		if int64(len(block)) > most {
			h.log(ErrTooLong)
			block = block[:most]
		}
	}
	if err := h.send(block); err != nil {
		return false, err
	}
	return !h.bodyless && (h.length < 0 || h.left > 0), nil
}

// end ends the answer.
func (h *Handler) end() error {
	switch {
	case !h.called:
		return ErrNoStart
	case h.bodyless && !h.sent:
		return h.send(nil)
	case h.bodyless:
		return nil
	case !h.sent && h.length > 0, h.sent && h.left > 0:
		return ErrTooShort
	case !h.sent:
		h.length = 0
		return h.send(nil)
	}
	return nil
}

// send sends a block, and the head before it if that has not left. No block
// waits for the next.
func (h *Handler) send(block []byte) error {
	if !h.sent {
		if h.upgrade != "" && h.status == http.StatusUpgradeRequired {
			h.header = append(h.header, app.Field{Name: "Upgrade", Value: h.upgrade})
		}
		h.sent, h.left = true, h.length
		if err := h.sink.Start(h.status, h.reason, h.header, h.length); err != nil {
			return h.lost(err)
		}
	}
	if !h.bodyless && len(block) > 0 {
		if h.length >= 0 {
			h.left -= int64(len(block))
		}
		if _, err := h.sink.Write(block); err != nil {
			return h.lost(err)
		}
	}
	if err := h.sink.Flush(); err != nil {
		return h.lost(err)
	}
	return nil
}

func (h *Handler) lost(err error) error {
	h.gone = err
	return err
}

// writeBlock is write().
func (h *Handler) writeBlock(block []byte) error {
	switch {
	case h.gone != nil:
		return h.gone
	case h.returned:
		return h.refuse(ErrLateWrite)
	case !h.called:
		return h.refuse(ErrNoStart)
	case len(block) == 0:
		return nil // the head waits for the first block that isn't
	case h.length >= 0 && !h.bodyless && (h.sent && int64(len(block)) > h.left || !h.sent && int64(len(block)) > h.length):
		return h.refuse(ErrTooLong)
	}
	return h.send(block)
}

// refuse remembers what the application is told, in case it doesn't listen.
func (h *Handler) refuse(err error) error {
	h.fault = err
	return err
}

func (h *Handler) offerUpgrade(protocol string) { h.upgrade = protocol }

// startResponse is start_response. What is wrong with the head is said now,
// while the application can still do something about it.
func (h *Handler) startResponse(status string, header []app.Field, exc error) (Write, error) {
	switch {
	case exc != nil && h.sent:
		return nil, h.refuse(exc)
	case exc == nil && h.called:
		return nil, h.refuse(ErrTwice)
	}
	h.called, h.fault = true, nil
	code, reason, err := parseStatus(status)
	if err != nil {
		return nil, h.refuse(err)
	}
	length, kept, err := checkHeader(header)
	if err != nil {
		return nil, h.refuse(err)
	}
	h.status, h.reason, h.header, h.length = code, reason, kept, length
	h.bodyless = h.head || code == http.StatusNoContent || code == http.StatusNotModified
	return h.write, nil
}

// answer is the server's own, for what the application couldn't answer.
func (h *Handler) answer(f *FaultError) error {
	h.returned = false
	h.called, h.fault, h.upgrade = true, nil, ""
	h.status, h.reason = f.Status, http.StatusText(f.Status)
	text := FaultText(f)
	h.header = []app.Field{
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
	}
	h.length, h.bodyless = int64(len(text)), h.head
	return h.send([]byte(text))
}

// FaultText is the body of the answer to a fault: "408 request timeout: …".
func FaultText(f *FaultError) string {
	return strconv.Itoa(f.Status) + " " + strings.ToLower(http.StatusText(f.Status)) + ": " + f.Why + "\n"
}
