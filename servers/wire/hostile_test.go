package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatewaylab/servers/app"
)

func record(t RecordType, id uint16, content string) string {
	return string(AppendRecord(nil, t, id, []byte(content)))
}

func beginRecord(id uint16, role Role, keep bool) string {
	return record(BeginRequest, id, string(Begin{role, keep}.Append(nil)))
}

func endRecord(id uint16, e End) string { return record(EndRequest, id, string(e.Append(nil))) }

// aRequest is a whole one, with MARK in its variables.
func aRequest(id uint16, keep bool, mark, body string) string {
	s := beginRecord(id, RoleResponder, keep) + record(Params, id, string(AppendPair(nil, "MARK", mark))) + record(Params, id, "")
	if body != "" {
		s += record(Stdin, id, body)
	}
	return s + record(Stdin, id, "")
}

// anAnswer is what mark answers it.
func anAnswer(id uint16, mark string) string {
	return record(Stdout, id, mark) + record(Stdout, id, "") + endRecord(id, End{})
}

// mark answers with the variable MARK.
func mark(x *Exchange) error {
	v, _ := lookup(x.Vars, "MARK")
	_, err := io.WriteString(x.Out, v)
	return err
}

// Conversations on one connection, byte for byte.
func TestFastCGIResponderSays(t *testing.T) {
	reads := func(x *Exchange) error {
		if _, err := io.Copy(io.Discard, x.Body); err != nil {
			return err
		}
		return mark(x)
	}
	values := record(GetValues, 0, string(AppendPair(AppendPair(AppendPair(nil, MpxsConns, ""), MaxConns, ""), "OTHER", "")))
	for name, tc := range map[string]struct{ in, want, err string }{
		"a request":                    {aRequest(1, false, "a", ""), anAnswer(1, "a"), ""},
		"any number":                   {aRequest(65535, false, "a", ""), anAnswer(65535, "a"), ""},
		"two, one after another":       {aRequest(1, true, "a", "xyz") + aRequest(1, false, "b", ""), anAnswer(1, "a") + anAnswer(1, "b"), ""},
		"nothing after the last":       {aRequest(1, false, "a", "") + aRequest(1, false, "b", ""), anAnswer(1, "a"), ""},
		"values":                       {values + aRequest(1, false, "a", ""), record(GetValuesResult, 0, string(AppendPair(AppendPair(nil, MpxsConns, "0"), MaxConns, "3"))) + anAnswer(1, "a"), ""},
		"values asked for nothing":     {record(GetValues, 0, "") + aRequest(1, false, "a", ""), record(GetValuesResult, 0, "") + anAnswer(1, "a"), ""},
		"an unknown management record": {record(99, 0, "what?") + aRequest(1, false, "a", ""), record(UnknownType, 0, string(AppendUnknown(nil, 99))) + anAnswer(1, "a"), ""},
		"values in the middle of a body": {strings.Replace(aRequest(1, false, "a", "xyz"), record(Stdin, 1, "xyz"), record(Stdin, 1, "xyz")+record(GetValues, 0, ""), 1),
			record(GetValuesResult, 0, "") + anAnswer(1, "a"), ""},
		"a second request meanwhile": {beginRecord(1, RoleResponder, false) + beginRecord(2, RoleResponder, false) + strings.TrimPrefix(aRequest(1, false, "a", ""), beginRecord(1, RoleResponder, false)),
			endRecord(2, End{Status: CantMultiplex}) + anAnswer(1, "a"), ""},
		"an authorizer":              {beginRecord(1, RoleAuthorizer, true) + aRequest(2, false, "a", ""), endRecord(1, End{Status: UnknownRole}) + anAnswer(2, "a"), ""},
		"aborted before it is whole": {beginRecord(1, RoleResponder, true) + record(AbortRequest, 1, "") + aRequest(1, false, "a", ""), endRecord(1, End{}) + anAnswer(1, "a"), ""},
		"aborted while its body is read": {beginRecord(1, RoleResponder, true) + record(Params, 1, "") + record(Stdin, 1, "abc") + record(AbortRequest, 1, "") + aRequest(1, false, "a", ""),
			record(Stdout, 1, "") + endRecord(1, End{AppStatus: 1}) + anAnswer(1, "a"), ""},
		"what is over is ignored":  {record(Stdin, 7, "old") + record(AbortRequest, 7, "") + record(Data, 7, "x") + aRequest(1, false, "a", ""), anAnswer(1, "a"), ""},
		"nothing":                  {"", "", "EOF"},
		"cut off in a header":      {"\x01\x01\x00", "", "in the middle of a record's header"},
		"cut off in the variables": {beginRecord(1, RoleResponder, false) + record(Params, 1, "abcdefgh")[:10], "", "in the middle of a record"},
		"cut off in the body":      {beginRecord(1, RoleResponder, false) + record(Params, 1, "") + record(Stdin, 1, "abcdefgh")[:10], "", "in the middle of STDIN"},
		"begins twice":             {beginRecord(1, RoleResponder, false) + beginRecord(1, RoleResponder, false), "", "begins while it is in progress"},
		"a bad begin":              {record(BeginRequest, 1, "abc"), "", "with 3 bytes; it has 8"},
		"bad variables":            {beginRecord(1, RoleResponder, false) + record(Params, 1, "\x05") + record(Params, 1, ""), "", "in the middle of a pair"},
		"bad values":               {record(GetValues, 0, "\x05"), "", "in the middle of a pair"},
		"many values":              {record(GetValues, 0, strings.Repeat("x", maxValues+1)), "", "at most 1024"},
		"too many variables": {beginRecord(1, RoleResponder, true) + record(Params, 1, strings.Repeat("x", 2000)),
			record(Stdout, 1, "Status: 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 82\r\n\r\n"+
				"431 request header fields too large: FastCGI: more than 1000 bytes of PARAMS\n") + record(Stdout, 1, "") + endRecord(1, End{AppStatus: 1}), "more than 1000 bytes of PARAMS"},
	} {
		c := &recorded{in: strings.NewReader(tc.in)}
		_, err := NewFastCGIResponder(reads, ServeOptions{MaxVars: 1000, MaxConns: 3}).Serve(c)
		want := strings.Replace(tc.want, "Content-Length: 82", fmt.Sprintf("Content-Length: %d", len("431 request header fields too large: FastCGI: more than 1000 bytes of PARAMS\n")), 1)
		if strings.Contains(tc.want, "431") {
			want = c.out.String() // its padding depends on the length, which is looked at here
			if !strings.Contains(want, "Status: 431 ") || !strings.Contains(want, "more than 1000 bytes") {
				t.Errorf("%s: %q", name, want)
			}
		}
		if c.out.String() != want {
			t.Errorf("%s:\n got %q\nwant %q", name, c.out.String(), want)
		}
		if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: error %v, want %q", name, err, tc.err)
		}
	}
}

// Somebody who speaks something else is told, in HTTP if that is what he speaks.
func TestForeignProtocols(t *testing.T) {
	for name, serve := range map[string]func(io.ReadWriter) (bool, error){
		"FastCGI": NewFastCGIResponder(mark, ServeOptions{}).Serve,
		"SCGI":    NewSCGIResponder(mark, ServeOptions{}).Serve,
		"uwsgi":   NewUWSGIResponder(mark, ServeOptions{}).Serve,
		"FastCGI, shared": func(c io.ReadWriter) (bool, error) {
			return true, NewFastCGIMultiplexer(mark, MultiplexOptions{}).Serve(fakeConn{c})
		},
	} {
		protocol, _, _ := strings.Cut(name, ",")
		for _, in := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} {
			c := &recorded{in: strings.NewReader(in)}
			_, err := serve(c)
			var bad *ProtocolError
			if !errors.As(err, &bad) || bad.Spoken != "HTTP" || !strings.Contains(err.Error(), "this is HTTP, sent to a "+protocol+" port") {
				t.Errorf("%s: %q: %v", name, in, err)
			}
			if got := c.out.String(); !strings.HasPrefix(got, "HTTP/1.0 400 Bad Request\r\n") || !strings.HasSuffix(got, "400 bad request: "+err.Error()+"\n") {
				t.Errorf("%s: %q was answered %q", name, in, got)
			}
		}
		c := &recorded{in: strings.NewReader("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")}
		if _, err := serve(c); err == nil || !strings.Contains(err.Error(), "this is TLS") || c.out.Len() > 0 {
			t.Errorf("%s: TLS: %v, answered %q", name, err, c.out.String())
		}
	}
	c := &recorded{in: strings.NewReader("GET / HTTP/1.1\r\n\r\n")}
	_, err := NewUWSGIResponder(mark, ServeOptions{}).Serve(c)
	if want := `invalid request block size: 21573, which is "ET" of "GET " read as a little-endian number (the buffer has 4096)`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want it to say %s", err, want)
	}
}

type fakeConn struct{ io.ReadWriter }

func (fakeConn) Close() error                     { return nil }
func (fakeConn) LocalAddr() net.Addr              { return nil }
func (fakeConn) RemoteAddr() net.Addr             { return nil }
func (fakeConn) SetDeadline(time.Time) error      { return nil }
func (fakeConn) SetReadDeadline(time.Time) error  { return nil }
func (fakeConn) SetWriteDeadline(time.Time) error { return nil }

func TestPacketResponderRefuses(t *testing.T) {
	block := "CONTENT_LENGTH\x000\x00SCGI\x001\x00"
	large, err := AppendUWSGI(nil, []app.Field{{Name: "HTTP_COOKIE", Value: strings.Repeat("x", 5000)}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := AppendUWSGI(nil, []app.Field{{Name: "CONTENT_LENGTH", Value: "1"}, {Name: "CONTENT_LENGTH", Value: "2"}})
	if err != nil {
		t.Fatal(err)
	}
	scgi, uwsgi := NewSCGIResponder(mark, ServeOptions{}), NewUWSGIResponder(mark, ServeOptions{})
	for _, tc := range []struct {
		name   string
		r      *PacketResponder
		in     string
		says   string
		status string
	}{
		{"a packet larger than the buffer", uwsgi, string(large), "invalid request block size: 5015 bytes of variables, and the buffer has 4096", "431"},
		{"another modifier", uwsgi, "\x05\x00\x00\x00", "modifiers 5 and 0", ""},
		{"two lengths", uwsgi, string(two), "CONTENT_LENGTH is both 1 and 2", ""},
		{"cut off in the header", uwsgi, "\x00\x00", "in the middle of a packet's header", ""},
		{"cut off in the variables", uwsgi, "\x00\x10\x00\x00abc", "in the middle of the variables", ""},
		{"a variable that goes on after the packet", uwsgi, "\x00\x03\x00\x00\x05\x00A", "in the middle of a variable", ""},
		{"nothing", uwsgi, "", "EOF", ""},
		{"a large netstring", scgi, "65537:", "a netstring of 65537 bytes; at most 65536", "431"},
		{"a huge netstring", scgi, "99999999999999999999:", "more than 9 digits", "431"},
		{"no comma", scgi, fmt.Sprintf("%d:%s;", len(block), block), "not by a comma", ""},
		{"cut off", scgi, fmt.Sprintf("%d:%s", len(block), block), "in the middle of the variables", ""},
		{"cut off in the length", scgi, "24", "in the middle of a netstring's length", ""},
		{"nothing", scgi, "", "EOF", ""},
	} {
		c := &recorded{in: strings.NewReader(tc.in)}
		_, err := tc.r.Serve(c)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want an error with %q", tc.name, err, tc.says)
		}
		if got := c.out.String(); tc.status == "" && got != "" || tc.status != "" && !strings.HasPrefix(got, "Status: "+tc.status+" ") {
			t.Errorf("%s: answered %q", tc.name, got)
		}
	}
}

// What a responder says to a gateway, byte for byte.
func TestFastCGIClientHears(t *testing.T) {
	out := record(Stdout, ownID, "Status: 200 OK\n\nhi")
	for name, tc := range map[string]struct {
		said, got string
		err       error
		says      string
	}{
		"an answer":                {said: out + record(Stdout, ownID, "") + endRecord(ownID, End{}), got: "Status: 200 OK\n\nhi"},
		"without the stream's end": {said: out + endRecord(ownID, End{}), got: "Status: 200 OK\n\nhi"},
		"nothing":                  {said: endRecord(ownID, End{})},
		"others' records between":  {said: record(Stdout, 9, "no") + record(UnknownType, 0, "12345678") + out + record(Stdout, 9, "no") + endRecord(9, End{}) + endRecord(ownID, End{}), got: "Status: 200 OK\n\nhi"},
		"errors besides":           {said: record(Stderr, ownID, "oh!") + out + record(Stderr, ownID, "oh!") + record(Stderr, ownID, "") + endRecord(ownID, End{}), got: "Status: 200 OK\n\nhi"},
		"overloaded":               {said: endRecord(ownID, End{Status: Overloaded}), err: ErrOverloaded},
		"doesn't multiplex":        {said: endRecord(ownID, End{Status: CantMultiplex}), err: ErrCantMultiplex},
		"no responder":             {said: endRecord(ownID, End{Status: UnknownRole}), err: ErrUnknownRole},
		"a status nobody knows":    {said: endRecord(ownID, End{Status: 77}), says: "status 77"},
		"not content":              {said: out + endRecord(ownID, End{AppStatus: 3}), got: "Status: 200 OK\n\nhi", says: "with status 3"},
		"cut off between records":  {said: out, got: "Status: 200 OK\n\nhi", err: io.ErrUnexpectedEOF},
		"cut off in a record":      {said: out[:12], got: "Stat", err: io.ErrUnexpectedEOF},
		"cut off in the end":       {said: out + endRecord(ownID, End{})[:10], got: "Status: 200 OK\n\nhi", err: io.ErrUnexpectedEOF},
		"closed at once":           {said: "", err: io.ErrUnexpectedEOF},
		"a bad end":                {said: record(EndRequest, ownID, "abc"), says: "with 3 bytes; it has 8"},
		"HTTP":                     {said: "HTTP/1.1 400 Bad Request\r\n\r\n", says: "a record of version 72"},
	} {
		var stderr bytes.Buffer
		do := NewFastCGI(dialTo(func(c *pipeEnd) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, tc.said)
			c.Close()
		}), FastCGIOptions{Stderr: func(b []byte) { stderr.Write(b) }}).Do
		got, err := ask(t, do, []app.Field{{Name: "A", Value: "b"}}, nil)
		if got != tc.got || (tc.err != nil || tc.says != "") != (err != nil) || tc.err != nil && !errors.Is(err, tc.err) || tc.says != "" && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if name == "errors besides" && stderr.String() != "oh!oh!" {
			t.Errorf("%s: %q", name, stderr.String())
		}
	}
}

// A request that is given up ends in the responder, and others go on.
func TestAbort(t *testing.T) {
	var begun atomic.Int64
	ended := make(chan error, 16)
	h := func(x *Exchange) error {
		if v, _ := lookup(x.Vars, "MARK"); v != "" {
			return mark(x)
		}
		begun.Add(1)
		if x.Gone != nil {
			select {
			case <-x.Gone:
				ended <- ErrAborted
				return ErrAborted
			case <-time.After(patience):
				ended <- nil
				return errors.New("not aborted")
			}
		}
		for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(time.Millisecond) {
			_, werr := io.WriteString(x.Out, "some\n")
			if err := errors.Join(werr, x.Out.Flush()); err != nil {
				ended <- err
				return err
			}
		}
		ended <- nil
		return errors.New("not aborted")
	}
	m := NewFastCGIMultiplexer(h, MultiplexOptions{Requests: 64, Timeout: 2 * patience})
	for name, tc := range map[string]struct {
		o    FastCGIOptions
		each func(net.Conn) error
	}{
		"own, closed": {FastCGIOptions{}, func(c net.Conn) error { return orderly(NewFastCGIResponder(h, ServeOptions{}).Serve)(readyConn{c}) }},
		"own, kept": {FastCGIOptions{Reuse: true}, func(c net.Conn) error {
			return orderly(NewFastCGIResponder(h, ServeOptions{MaxConns: 4}).Serve)(readyConn{c})
		}},
		"shared":                   {FastCGIOptions{Multiplex: true}, m.Serve},
		"could be shared, is kept": {FastCGIOptions{Reuse: true}, m.Serve},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "unix", tc.each)
			c := NewFastCGI(s.dial, tc.o)
			defer c.Close()
			for _, how := range []string{"the context ends", "closed"} {
				ctx, cancel := context.WithCancel(t.Context())
				failed := make(chan error, 1)
				before := begun.Load()
				go func() {
					a, err := c.Do(ctx, []app.Field{{Name: "HANG", Value: "1"}}, nil)
					if err == nil && how == "closed" {
						err = a.Close()
						failed <- err
						return
					}
					if err == nil {
						_, err = io.Copy(io.Discard, a)
						a.Close()
					}
					failed <- err
				}()
				for limit := time.Now().Add(patience); begun.Load() == before && time.Now().Before(limit); {
					time.Sleep(time.Millisecond)
				}
				if how == "the context ends" || strings.Contains(name, "shared") { // those say nothing before
					cancel()
					if err := <-failed; !errors.Is(err, context.Canceled) {
						t.Errorf("%s: %v", how, err)
					}
				} else if err := <-failed; err != nil {
					t.Errorf("%s: %v", how, err)
				}
				if err := <-ended; err == nil {
					t.Errorf("%s: the responder went on", how)
				}
				if got, err := ask(t, c.Do, []app.Field{{Name: "MARK", Value: "m"}}, nil); got != "m" || err != nil {
					t.Errorf("%s, after it: %q, %v", how, got, err)
				}
				cancel()
			}
			if n := s.connections(); n > 1 && name == "shared" {
				t.Errorf("%d connections; an aborted request must not cost one", n)
			}
		})
	}
}

// readyConn says whether a Read would return, by trying.
type readyConn struct{ net.Conn }

func (c readyConn) Ready() bool { return !alive(c.Conn) }

// lateEnds answers like a responder that reads nothing while it works. A first
// request that hangs it ends only when that is aborted; the end might as well
// have been under way before.
func lateEnds(t *testing.T, answer string) func(net.Conn) error {
	return func(conn net.Conn) error {
		in, hangs, aborted := bufio.NewReader(conn), false, false
		for {
			h, content, err := readSmall(in)
			says := ""
			switch {
			case err != nil:
				return nil // the gateway has closed
			case h.Type == GetValues:
				says = record(GetValuesResult, 0, "")
			case aborted:
				t.Errorf("%v follows ABORT_REQUEST", h.Type)
				return nil
			case h.Type == Params && h.Content > 0:
				hangs = bytes.Contains(content, []byte("HANG"))
			case h.Type == Stdin && hangs:
				says = record(Stdout, ownID, answer)
			case h.Type == Stdin:
				says = record(Stdout, ownID, answer) + endRecord(ownID, End{})
			case h.Type == AbortRequest:
				aborted, says = true, endRecord(ownID, End{})
			}
			if _, err := io.WriteString(conn, says); err != nil {
				return nil
			}
		}
	}
}

// Nothing is sent behind ABORT_REQUEST on a connection of one's own: who has
// ended the request before reading that closes the connection.
func TestAbortIsTheLast(t *testing.T) {
	const answer = "all of it"
	for name, tc := range map[string]struct {
		vars []app.Field
		ends bool // of the answer, read
		gone bool // the context, before Close
		kept bool // the connection
	}{
		"the end is late":                    {vars: []app.Field{{Name: "HANG", Value: "1"}}},
		"and the client gone":                {vars: []app.Field{{Name: "HANG", Value: "1"}}, gone: true},
		"the client goes with the last byte": {gone: true},
		"the client goes after the end":      {gone: true, ends: true},
		"the client stays":                   {kept: true},
		"and reads to the end":               {ends: true, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "unix", lateEnds(t, answer))
			c := NewFastCGI(s.dial, FastCGIOptions{Reuse: true})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a, err := c.Do(ctx, tc.vars, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(a, make([]byte, len(answer))); err != nil {
				t.Error(err)
			}
			if tc.ends {
				if n, err := a.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("%d more bytes, %v", n, err)
				}
			}
			if tc.gone {
				cancel()
			}
			a.Close()
			kept := func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.idle) > 0 }
			over := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.errs) > 0 }
			for limit := time.Now().Add(patience); !kept() && !over() && time.Now().Before(limit); {
				time.Sleep(time.Millisecond)
			}
			if kept() != tc.kept {
				t.Errorf("the connection is kept: %t", kept())
			}
			if got, err := ask(t, c.Do, nil, nil); got != answer || err != nil {
				t.Errorf("the next request: %q, %v", got, err)
			}
			c.Close()
		})
	}
}
