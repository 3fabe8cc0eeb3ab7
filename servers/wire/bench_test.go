package wire

import (
	"bytes"
	"io"
	"net"
	"testing"

	"gatewaylab/servers/app"
)

// requestVars is what a gateway sends for a browser's request.
func requestVars() []app.Field {
	return []app.Field{
		{Name: "GATEWAY_INTERFACE", Value: "CGI/1.1"}, {Name: "REQUEST_METHOD", Value: "GET"}, {Name: "SCRIPT_NAME"}, {Name: "PATH_INFO", Value: "/hello"},
		{Name: "QUERY_STRING"}, {Name: "SERVER_NAME", Value: "localhost"}, {Name: "SERVER_PORT", Value: "8080"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "SERVER_SOFTWARE", Value: "lab"}, {Name: "REMOTE_ADDR", Value: "127.0.0.1"}, {Name: "HTTP_HOST", Value: "localhost:8080"},
		{Name: "HTTP_USER_AGENT", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 and some more"},
		{Name: "HTTP_ACCEPT", Value: "*/*"},
	}
}

// codecs are the hot paths: what is done for each record or packet.
func codecs(tb testing.TB) map[string]func() {
	content := bytes.Repeat([]byte("x"), 8000)
	vars := requestVars()
	buf := make([]byte, 0, 64<<10)
	record := AppendRecord(nil, Stdout, 1, content)
	var params []byte
	for _, v := range vars {
		params = AppendPair(params, v.Name, v.Value)
	}
	uwsgi, err := AppendUWSGI(nil, vars)
	if err != nil {
		tb.Fatal(err)
	}
	scgi, err := AppendSCGI(nil, vars)
	if err != nil {
		tb.Fatal(err)
	}
	var out Output
	out.reset(io.Discard, true, 1)
	must := func(ok bool) {
		if !ok {
			tb.Fatal("it fails")
		}
	}
	return map[string]func(){
		"FastCGI/append record": func() { buf = AppendRecord(buf[:0], Stdout, 1, content) },
		"FastCGI/parse record":  func() { _, _, _, err := ParseRecord(record); must(err == nil) },
		"FastCGI/append begin and end": func() {
			buf = Begin{RoleResponder, true}.Append(Header{Type: BeginRequest, ID: 1, Content: 8}.Append(buf[:0]))
			buf = End{}.Append(Header{Type: EndRequest, ID: 1, Content: 8}.Append(buf))
		},
		"FastCGI/parse begin": func() { _, err := ParseBegin(record[8:16]); must(err == nil) },
		"FastCGI/append params": func() {
			buf = buf[:0]
			for i := range vars {
				buf = AppendPair(buf, vars[i].Name, vars[i].Value)
			}
		},
		"FastCGI/parse params": func() {
			for rest := params; len(rest) > 0; {
				var err error
				_, _, rest, err = ParsePair(rest)
				must(err == nil)
			}
		},
		"FastCGI/send STDOUT": func() {
			_, err := out.Write(content)
			must(err == nil && out.Flush() == nil)
		},
		"uwsgi/append packet": func() { buf, err = AppendUWSGI(buf[:0], vars); must(err == nil) },
		"uwsgi/parse packet": func() {
			must(ParseUWSGIHeader(uwsgi).Size == len(uwsgi)-4)
			for rest := uwsgi[4:]; len(rest) > 0; {
				var err error
				_, _, rest, err = ParseUWSGIPair(rest)
				must(err == nil)
			}
		},
		"SCGI/append request": func() { buf, err = AppendSCGI(buf[:0], vars); must(err == nil) },
		"SCGI/parse length":   func() { _, n, err := ParseNetstringLength(scgi); must(n > 0 && err == nil) },
	}
}

func TestCodecsAllocateNothing(t *testing.T) {
	for name, f := range codecs(t) {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A long body crosses without an allocation for a record, either way.
func TestStreamsAllocateNothing(t *testing.T) {
	var in []byte
	in = AppendRecord(in, BeginRequest, 1, Begin{RoleResponder, true}.Append(nil))
	in = AppendRecord(in, Params, 1, AppendPair(nil, "A", "b"))
	in = AppendRecord(in, Params, 1, nil)
	in = AppendStream(in, Stdin, 1, make([]byte, 64*MaxContent))
	in = AppendRecord(in, Stdin, 1, nil)
	for _, size := range []int{1, 4000, 64 << 10} {
		buf := make([]byte, size)
		stdin := in
		if size == 1 {
			stdin = nil
			stdin = append(stdin, in[:len(in)-64*(MaxContent+9)-8]...)
			for range 1000 {
				stdin = AppendRecord(stdin, Stdin, 1, []byte("1"))
			}
			stdin = AppendRecord(stdin, Stdin, 1, nil)
		}
		var per float64
		r := NewFastCGIResponder(func(x *Exchange) error {
			records := 0
			per = testing.AllocsPerRun(50, func() {
				if _, err := x.Body.Read(buf); err != nil {
					t.Error(err)
				}
				if _, err := x.Out.Write(buf); err != nil {
					t.Error(err)
				}
				if err := x.Out.Flush(); err != nil {
					t.Error(err)
				}
				records++
			})
			return nil
		}, ServeOptions{})
		if _, err := r.Serve(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(stdin), io.Discard}); err != nil {
			t.Fatal(err)
		}
		if per != 0 {
			t.Errorf("%v allocations for a record with %d bytes", per, size)
		}
	}
}

func BenchmarkCodecs(b *testing.B) {
	for name, f := range codecs(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// What a whole exchange costs, both ends, over a Unix socket.
func BenchmarkExchange(b *testing.B) {
	h := func(x *Exchange) error {
		_, err := io.WriteString(x.Out, "Content-Type: text/plain\n\nhello\n")
		return err
	}
	for _, kind := range []string{"FastCGI", "FastCGI reuse", "FastCGI mpx", "SCGI", "uwsgi"} {
		b.Run(kind, func(b *testing.B) {
			do := benchGateway(b, kind, h)
			vars := requestVars()
			buf := make([]byte, 4096)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					a, err := do(b.Context(), vars, nil)
					if err != nil {
						b.Error(err)
						return
					}
					for err == nil {
						_, err = a.Read(buf)
					}
					a.Close()
				}
			})
		})
	}
}

func benchGateway(b *testing.B, kind string, h Handler) do {
	ln, err := net.Listen("unix", b.TempDir()+"/s")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	m := NewFastCGIMultiplexer(h, MultiplexOptions{Requests: 64})
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				switch kind {
				case "FastCGI mpx":
					_ = m.Serve(conn)
				case "SCGI":
					_, _ = NewSCGIResponder(h, ServeOptions{}).Serve(conn)
				case "uwsgi":
					_, _ = NewUWSGIResponder(h, ServeOptions{}).Serve(conn)
				default:
					_, _ = NewFastCGIResponder(h, ServeOptions{}).Serve(conn)
				}
			}()
		}
	}()
	s := &served{addr: ln.Addr()}
	switch kind {
	case "SCGI":
		return NewSCGI(s.dial).Do
	case "uwsgi":
		return NewUWSGI(s.dial).Do
	}
	c := NewFastCGI(s.dial, FastCGIOptions{Reuse: kind == "FastCGI reuse", Multiplex: kind == "FastCGI mpx"})
	b.Cleanup(c.Close)
	return c.Do
}
