package cgi

import (
	"io"
	"strconv"

	"gatewaylab/servers/app"
)

// A Response writes the answer in CGI's form (RFC 3875 §6): a Status field
// unless it is 200, the fields, an empty line, the body. Small answers leave
// in one write. It is an app.Response; call Flush when Serve has returned.
type Response struct {
	w       io.Writer
	buffer  []byte
	started bool
}

// bufferSize is where Write stops gathering: a pipe's worth on Linux would be
// 64 KiB, but the memory has to be touched first.
const bufferSize = 8 << 10

// NewResponse writes to w.
func NewResponse(w io.Writer) *Response { return &Response{w: w} }

// Started says whether Start was called.
func (r *Response) Started() bool { return r.started }

// Start writes the header. Its lines end in LF, which CGI allows and which is
// what programs print.
func (r *Response) Start(status int, header []app.Field) error {
	r.started = true
	b := r.buffer
	if status != 200 {
		b = append(b, "Status: "...)
		b = strconv.AppendInt(b, int64(status), 10)
		b = append(append(append(b, ' '), reason(status)...), '\n')
	}
	for _, f := range header {
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), '\n')
	}
	r.buffer = append(b, '\n')
	return nil
}

// Write buffers a little; what is large goes out at once.
func (r *Response) Write(p []byte) (int, error) {
	if len(r.buffer)+len(p) <= bufferSize {
		r.buffer = append(r.buffer, p...)
		return len(p), nil
	}
	if err := r.Flush(); err != nil {
		return 0, err
	}
	if len(p) > bufferSize {
		return r.w.Write(p)
	}
	r.buffer = append(r.buffer, p...)
	return len(p), nil
}

// Flush writes what is buffered.
func (r *Response) Flush() error {
	if len(r.buffer) == 0 {
		return nil
	}
	_, err := r.w.Write(r.buffer)
	r.buffer = r.buffer[:0]
	return err
}

// reason is the phrase for the status codes that applications of the lab use;
// it is there for people, who have the number as well.
func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 426:
		return "Upgrade Required"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	}
	return "Status " + strconv.Itoa(status)
}
