package models

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"time"

	"gatewaylab/servers/iface"
)

// exitGrace is how long a child that has closed its output too early is
// waited for, to learn from its exit status what went wrong.
const exitGrace = 100 * time.Millisecond

// answer passes a child's answer on, or returns the path of a local redirect.
func (h *cgiHost) answer(w http.ResponseWriter, r *http.Request, c *cgiChild) (location string) {
	out := h.reader(c)
	defer h.readers.Put(out)
	resp, err := iface.ReadResponse(out)
	if err != nil {
		h.noAnswer(w, c, err)
		return ""
	}
	if resp.Kind == iface.LocalRedirect {
		c.finish(exitGrace) // its place may be the only one
		return resp.Location
	}
	header := w.Header()
	for _, f := range resp.Header {
		header[f.Name] = append(header[f.Name], f.Value)
	}
	sayUpgrade(header, r)
	bodiless := r.Method == http.MethodHead || resp.Status == http.StatusNoContent || resp.Status == http.StatusNotModified
	if resp.Length >= 0 && resp.Status != http.StatusNoContent {
		header.Set("Content-Length", itoa(resp.Length))
	}
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // keeps net/http from guessing one
	}
	w.WriteHeader(resp.Status)
	if bodiless {
		_ = http.NewResponseController(w).Flush() // fails when the client has gone; then the child is killed
		_, _ = io.Copy(io.Discard, out)
		return ""
	}
	if err := h.document(w, c, out, resp.Length); err != nil {
		if c.killedFor() == nil {
			h.env.Log.Printf("cgi: child %d, %s: the answer was cut off: %v", c.pid, requestLine(c.request), err)
		}
		// The client must not take a part for the whole.
		panic(http.ErrAbortHandler)
	}
	return ""
}

// reader reads a child's output through a buffer that another child's may
// have gone through before.
func (h *cgiHost) reader(c *cgiChild) *bufio.Reader {
	if r, ok := h.readers.Get().(*bufio.Reader); ok {
		r.Reset(childOutput{c})
		return r
	}
	return bufio.NewReaderSize(childOutput{c}, iface.MaxHeaderLine)
}

// noAnswer answers for a child that did not.
func (h *cgiHost) noAnswer(w http.ResponseWriter, c *cgiChild, err error) {
	c.finish(exitGrace)
	switch c.killedFor() {
	case errTimeout:
		gatewayError(w, http.StatusGatewayTimeout)
	case errClientGone, errStopping:
		panic(http.ErrAbortHandler)
	default:
		h.env.Log.Printf("cgi: child %d, %s: answered 502: %v", c.pid, requestLine(c.request), err)
		gatewayError(w, http.StatusBadGateway)
	}
}

var (
	errShort  = errors.New("it ended before its Content-Length")
	errLong   = errors.New("it went on after its Content-Length")
	errKilled = errors.New("the child was killed by a signal")
)

// document copies the body as it comes. Length is what the program promised,
// -1 for nothing; then its end is the end of the output.
func (h *cgiHost) document(w http.ResponseWriter, c *cgiChild, out *bufio.Reader, length int64) error {
	if length >= 0 {
		return h.promised(w, c, out, length)
	}
	flush := http.NewResponseController(w).Flush
	block := make([]byte, 32<<10)
	for {
		n, err := out.Read(block)
		if n > 0 {
			if _, werr := w.Write(block[:n]); werr != nil {
				c.kill(errClientGone)
				return werr
			}
			if werr := flush(); werr != nil {
				c.kill(errClientGone)
				return werr
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	// CGI has no mark for a complete answer. One whose program was killed in
	// the middle is not; one that goes on after closing its output is.
	select {
	case <-c.ended:
		if c.diedBySignal() {
			return errKilled
		}
	case <-time.After(exitGrace):
	}
	return nil
}

// promised copies a body of known length. When it is complete the client has
// it, without waiting for the child's end.
func (h *cgiHost) promised(w http.ResponseWriter, c *cgiChild, out *bufio.Reader, length int64) error {
	flush := http.NewResponseController(w).Flush
	block := make([]byte, min(length, 32<<10))
	for length > 0 {
		n, err := out.Read(block[:min(length, int64(len(block)))])
		length -= int64(n)
		if _, werr := w.Write(block[:n]); werr != nil {
			c.kill(errClientGone)
			return werr
		}
		if length == 0 {
			break
		}
		if err == io.EOF {
			return errShort
		}
		if err != nil {
			return err
		}
		if out.Buffered() > 0 {
			continue
		}
		if err := flush(); err != nil {
			c.kill(errClientGone)
			return err
		}
	}
	if out.Buffered() > 0 {
		h.env.Log.Printf("cgi: child %d, %s: %v", c.pid, requestLine(c.request), errLong)
	}
	return nil
}
