package wsgi

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/cgi"
)

// gatherSize is how much of an answer Application gathers before it writes.
const gatherSize = 16 << 10

// Application is the lab's application as a WSGI application. An answer that
// fits a buffer and is not flushed is yielded in one block, whose length the
// server can see; what must leave before its end is handed to write.
func Application(a *app.App) App {
	pool := &sync.Pool{New: func() any { return &reply{} }}
	return func(e *Environ, start StartResponse) (Iterable, error) {
		r := pool.Get().(*reply)
		r.pool, r.environ, r.start = pool, e, start
		request, err := r.request()
		if err == nil {
			err = a.Serve(r, request)
		}
		return r, err
	}
}

// A reply is the answer of an application that pushes (app.Response), as the
// iterable that a server pulls from.
type reply struct {
	pool    *sync.Pool
	environ *Environ
	start   StartResponse
	write   Write
	builder cgi.Builder
	block   []byte // gathered and not sent
	yielded bool
}

func (r *reply) request() (*app.Request, error) {
	for i := range r.environ.Variables {
		r.builder.Set(r.environ.Variables[i].Name, r.environ.Variables[i].Value)
	}
	request, err := r.builder.Request(r.environ.Input)
	if err != nil {
		return nil, err
	}
	if gone := r.environ.Gone; gone != nil {
		request.Gone = func() <-chan struct{} { return gone }
	}
	if r.environ.InputTerminated && r.environ.Get("CONTENT_LENGTH") == "" {
		request.Body, request.Length = r.environ.Input, -1
	}
	return request, nil
}

// Start calls start_response.
func (r *reply) Start(status int, header []app.Field) (err error) {
	if r.write != nil {
		return errors.New("the response has been started before")
	}
	for i, f := range header {
		if f.Name == "Upgrade" { // hop-by-hop, and not for an application to set
			if r.environ.OfferUpgrade != nil {
				r.environ.OfferUpgrade(f.Value)
			}
			header = append(header[:i:i], header[i+1:]...)
			break
		}
	}
	r.write, err = r.start(statusLine(status), header, nil)
	return err
}

// Write gathers.
func (r *reply) Write(p []byte) (int, error) {
	if len(r.block)+len(p) > gatherSize {
		if err := r.Flush(); err != nil {
			return 0, err
		}
		if len(p) > gatherSize { // no use in gathering: it fills a packet by itself
			return len(p), r.write(p)
		}
	}
	r.block = append(r.block, p...)
	return len(p), nil
}

// Flush hands what was gathered to write.
func (r *reply) Flush() error {
	if len(r.block) == 0 {
		return nil
	}
	err := r.write(r.block)
	r.block = r.block[:0]
	return err
}

// Next yields what was not written: a short answer whole, a long one's end.
func (r *reply) Next() ([]byte, error) {
	if r.yielded {
		return nil, io.EOF
	}
	r.yielded = true
	return r.block, nil
}

// Len is 1: the one block may be empty.
func (r *reply) Len() int { return 1 }

// Close gives the memory back.
func (r *reply) Close() error {
	pool := r.pool
	r.builder.Reset()
	*r = reply{builder: r.builder, block: r.block[:0]}
	pool.Put(r)
	return nil
}

// statusLine is the status string; those that an application of the lab uses
// often cost no memory.
func statusLine(status int) string {
	switch status {
	case 200:
		return "200 OK"
	case 400:
		return "400 Bad Request"
	case 404:
		return "404 Not Found"
	case 405:
		return "405 Method Not Allowed"
	case 426:
		return "426 Upgrade Required"
	case 500:
		return "500 Internal Server Error"
	case 501:
		return "501 Not Implemented"
	case 502:
		return "502 Bad Gateway"
	case 503:
		return "503 Service Unavailable"
	case 504:
		return "504 Gateway Timeout"
	}
	return strconv.Itoa(status) + " Status " + strconv.Itoa(status)
}
