package load

import (
	"io"
	"net/http"
	"strconv"
)

// response makes what a RoundTripper returns of the head that has come on c.
func (t *Transport) response(c *conn, req *http.Request) *http.Response {
	h := &c.head
	resp := &http.Response{
		Status:        h.reason(),
		StatusCode:    h.code,
		Proto:         "HTTP/1." + strconv.Itoa(h.minor),
		ProtoMajor:    1,
		ProtoMinor:    h.minor,
		Header:        h.header(),
		ContentLength: h.length,
		Close:         h.close,
		Request:       req,
		Body:          http.NoBody,
	}
	if h.chunked {
		resp.TransferEncoding = []string{"chunked"}
		delete(resp.Header, "Transfer-Encoding")
	}
	if h.length < 0 && c.body.ended && !c.body.toHEAD {
		resp.ContentLength = 0
	}
	if c.body.ended {
		t.finish(c)
		return resp
	}
	if c.body.framing == chunked {
		resp.Trailer = make(http.Header)
		c.body.trailer = resp.Trailer
	}
	resp.Body = &stream{t: t, c: c}
	return resp
}

// A stream is a response's body, read from its connection.
type stream struct {
	t    *Transport
	c    *conn // nil once the exchange has ended
	rest []byte
	err  error // what Read returns then
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (n int, err error) {
	if s.c == nil {
		return 0, s.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.rest) == 0 {
		if s.rest, err = s.c.body.next(); err != nil {
			return 0, s.end(err)
		}
	}
	n = copy(p, s.rest)
	s.rest = s.rest[n:]
	if len(s.rest) == 0 && s.c.body.ended {
		return n, s.end(io.EOF)
	}
	return n, nil
}

// end ends the exchange and returns err, or why it came about.
func (s *stream) end(err error) error {
	if ctx := s.c.ctx; err != io.EOF && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == io.EOF {
		s.t.finish(s.c)
	} else {
		s.t.drop(s.c)
	}
	s.c, s.rest, s.err = nil, nil, err
	return err
}

// Close implements io.Closer. A body that wasn't read to its end costs the
// connection.
func (s *stream) Close() error {
	if s.c != nil {
		_ = s.end(http.ErrBodyReadAfterClose)
	}
	s.err = http.ErrBodyReadAfterClose
	return nil
}
