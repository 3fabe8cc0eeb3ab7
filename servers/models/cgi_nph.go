package models

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"time"

	"gatewaylab/servers/iface"
)

var errNotHTTP = errors.New("a program called nph-… must answer with HTTP/1")

// passThrough hands the client's connection to a program that speaks HTTP
// itself (non-parsed header, RFC 3875 §5): not a byte is changed, and the
// connection ends with the answer.
func (h *cgiHost) passThrough(w http.ResponseWriter, c *cgiChild) {
	out := bufio.NewReaderSize(childOutput{c}, iface.MaxHeaderLine)
	if start, err := out.Peek(len("HTTP/1.")); err != nil || string(start) != "HTTP/1." {
		switch {
		case len(start) == 0:
			err = iface.ErrEmpty
		case err == nil || err == io.EOF:
			err = errNotHTTP
		}
		h.noAnswer(w, c, err)
		return
	}
	if !h.register() { // Shutdown doesn't wait for connections that were handed over
		panic(http.ErrAbortHandler)
	}
	defer h.running.Done()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.env.Log.Printf("cgi: child %d, %s: take over the connection: %v", c.pid, requestLine(c.request), err)
		c.kill(errStopping)
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{}) // net/http may have set one; if this fails the copy does too
	go func() {
		// The client has nothing more to say; when reading ends, it has gone.
		_, _ = io.Copy(io.Discard, conn)
		c.kill(errClientGone)
	}()
	if _, err := io.Copy(conn, out); err != nil {
		c.kill(errClientGone)
	}
}
