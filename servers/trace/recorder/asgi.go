package recorder

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
)

// ASGI is a middleware that tells the environment's tracer of every call of an
// application: its scope, and each event that it receives and sends. Where
// there is no tracer it returns the application itself. The lifespan scope is
// left alone: it is no part of a request.
func ASGI(a asgi.App) asgi.App {
	r := Open()
	if r == nil {
		return a
	}
	return r.asgi(a)
}

func (r *Recorder) asgi(a asgi.App) asgi.App {
	return func(ctx context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if s.Type == asgi.TypeLifespan {
			return a(ctx, s, receive, send)
		}
		c := r.begin("ASGI")
		c.tell(Event{Kind: Called, Text: "application(scope, receive, send)", Values: scope(s)})
		err := a(ctx, s,
			func() (asgi.Event, error) {
				e, err := receive()
				if err != nil {
					c.tell(Event{Kind: Argument, Text: "receive: an error: " + err.Error()})
					return e, err
				}
				values, body := event(e)
				c.tell(Event{Kind: Argument, Text: "receive: " + e.EventType(), Values: values, Data: body})
				return e, nil
			},
			func(e asgi.Event) error {
				// Told first: when send returns, the event is with the kernel.
				values, body := event(e)
				c.tell(Event{Kind: Result, Text: "send: " + e.EventType(), Values: values, Data: body})
				err := send(e)
				if err != nil {
					c.tell(Event{Kind: Argument, Text: "send returned: " + err.Error()})
				}
				return err
			})
		how := "return"
		if err != nil {
			how = "an error: " + err.Error()
		}
		c.tell(Event{Kind: Returned, Text: how})
		return err
	}
}

// scope lists what a scope holds, as the specification calls it.
func scope(s *asgi.Scope) []Value {
	var values []Value
	add := func(name, kind, v string) { values = append(values, Value{name, kind, v}) }
	add("type", "str", s.Type)
	add("asgi.version", "str", s.ASGI.Version)
	add("asgi.spec_version", "str", s.ASGI.SpecVersion)
	add("http_version", "str", s.HTTPVersion)
	if s.Method != "" {
		add("method", "str", s.Method)
	}
	add("scheme", "str", s.Scheme)
	add("path", "str", s.Path)
	if s.RawPath != "" {
		add("raw_path", "bytes", s.RawPath)
	}
	add("query_string", "bytes", s.QueryString)
	add("root_path", "str", s.RootPath)
	for _, f := range s.Headers {
		add("header "+f.Name, "bytes", f.Value)
	}
	add("client", "[host, port]", address(s.Client))
	add("server", "[host, port]", address(s.Server))
	if s.Subprotocols != nil {
		add("subprotocols", "list", strings.Join(s.Subprotocols, ", "))
	}
	if s.Extensions != 0 {
		add("extensions", "dict", s.Extensions.Name())
	}
	if s.State != nil {
		add("state", "dict", number(len(s.State), "key"))
	}
	return values
}

func number(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func address(a asgi.Address) string {
	switch {
	case a.Host == "":
		return "None"
	case a.Port == 0:
		return fmt.Sprintf("[%q, None]", a.Host)
	}
	return fmt.Sprintf("[%q, %d]", a.Host, a.Port)
}

// event lists an event's keys, and takes out its body. The types of events are
// plain structs whose fields are the specification's keys in Go's spelling.
func event(e asgi.Event) (values []Value, body []byte) {
	v := reflect.Indirect(reflect.ValueOf(e))
	for i := range v.NumField() {
		name := key(v.Type().Field(i).Name)
		switch f := v.Field(i).Interface().(type) {
		case []app.Field:
			for _, h := range f {
				values = append(values, Value{h.Name, HeaderField, h.Value})
			}
		case []byte:
			if body = f; len(f) == 0 && f != nil {
				values = append(values, Value{name, "bytes", ""})
			}
		case string:
			values = append(values, Value{name, "str", f})
		default:
			values = append(values, Value{name, v.Field(i).Kind().String(), fmt.Sprint(f)})
		}
	}
	return values, body
}

// key is MoreBody as more_body.
func key(name string) string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}
