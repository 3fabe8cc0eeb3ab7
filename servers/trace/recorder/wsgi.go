package recorder

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
)

// WSGI is a middleware that tells the environment's tracer of every call of an
// application: what it is given, what it reads, how it answers. Where there is
// no tracer it returns the application itself.
func WSGI(a wsgi.App) wsgi.App {
	r := Open()
	if r == nil {
		return a
	}
	return r.wsgi(a)
}

func (r *Recorder) wsgi(a wsgi.App) wsgi.App {
	return func(e *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		c := r.begin("WSGI")
		c.tell(Event{Kind: Called, Text: "application(environ, start_response)", Values: environ(e)})
		given := e.Input
		e.Input = &recordedInput{given, c}
		body, err := a(e, func(status string, header []app.Field, exc error) (wsgi.Write, error) {
			// Told first: the header is the server's after the call.
			c.tell(Event{Kind: Result, Text: "start_response", Values: head(status, header, exc)})
			write, err := start(status, header, exc)
			return c.write(write), err
		})
		if err != nil || body == nil {
			c.tell(Event{Kind: Returned, Text: fmt.Sprintf("an error: %v", err)})
			return body, err
		}
		c.tell(Event{Kind: Result, Text: "return iterable"})
		recorded := &recordedBody{body, c}
		if sized, ok := body.(wsgi.Sized); ok { // the server can tell a list from a generator, still
			return &recordedList{recorded, sized}, nil
		}
		return recorded, nil
	}
}

// environ lists what an environ holds, as PEP 3333 calls it.
func environ(e *wsgi.Environ) []Value {
	var values []Value
	add := func(name, kind, v string) { values = append(values, Value{name, kind, v}) }
	for _, v := range e.Variables {
		add(v.Name, "str", v.Value)
	}
	slices.SortFunc(values, byName)
	add("wsgi.version", "tuple", fmt.Sprintf("(%d, %d)", e.Version[0], e.Version[1]))
	add("wsgi.url_scheme", "str", e.URLScheme)
	add("wsgi.input", "stream", "open for reading")
	add("wsgi.errors", "stream", "open for writing")
	add("wsgi.multithread", "bool", strconv.FormatBool(e.Multithread))
	add("wsgi.multiprocess", "bool", strconv.FormatBool(e.Multiprocess))
	add("wsgi.run_once", "bool", strconv.FormatBool(e.RunOnce))
	if e.InputTerminated {
		add("wsgi.input_terminated", "bool", "true")
	}
	if e.OfferUpgrade != nil {
		add("gatewaylab.offer_upgrade", "function", "callable")
	}
	more := len(values)
	for k, v := range e.Extensions {
		add(k, fmt.Sprintf("%T", v), fmt.Sprint(v))
	}
	slices.SortFunc(values[more:], byName)
	return values
}

func byName(a, b Value) int { return strings.Compare(a.Name, b.Name) }

func head(status string, header []app.Field, exc error) []Value {
	values := []Value{{"status", "str", status}}
	for _, f := range header {
		values = append(values, Value{f.Name, HeaderField, f.Value})
	}
	if exc != nil {
		values = append(values, Value{"exc_info", "exception", exc.Error()})
	}
	return values
}

// write records what is handed to the write callable.
func (c *call) write(write wsgi.Write) wsgi.Write {
	if write == nil {
		return nil
	}
	return func(block []byte) error {
		c.tell(Event{Kind: Result, Text: "write", Data: block})
		return write(block)
	}
}

// A recordedInput is wsgi.input.
type recordedInput struct {
	io.Reader
	c *call
}

func (i *recordedInput) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if n > 0 {
		i.c.tell(Event{Kind: Argument, Text: "wsgi.input.read", Data: p[:n]})
	}
	return n, err
}

// A recordedBody is the iterable.
type recordedBody struct {
	wsgi.Iterable
	c *call
}

func (b *recordedBody) Next() ([]byte, error) {
	block, err := b.Iterable.Next()
	switch {
	case err == io.EOF:
		b.c.tell(Event{Kind: Result, Text: "end of iterable"})
	case err != nil:
		b.c.tell(Event{Kind: Result, Text: "error: " + err.Error()})
	default:
		b.c.tell(Event{Kind: Result, Text: "yield", Data: block})
	}
	return block, err
}

func (b *recordedBody) Close() error {
	err := b.Iterable.Close()
	how := "close()"
	if err != nil {
		how = "an error in close(): " + err.Error()
	}
	b.c.tell(Event{Kind: Returned, Text: how})
	return err
}

type recordedList struct {
	*recordedBody
	sized wsgi.Sized
}

func (l *recordedList) Len() int { return l.sized.Len() }
