package models_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatewaylab/servers/wire"
)

// startGateway starts the front before a responder in the test's hands.
func startGateway(t *testing.T, protocol string, h wire.Handler, given ...string) *running {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "u"))
	check(t, err)
	var all sync.WaitGroup
	t.Cleanup(func() { ln.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				var unread bool
				switch protocol { // what is wrong with a request is for the front's side to show
				case "FastCGI":
					unread, _ = wire.NewFastCGIResponder(h, wire.ServeOptions{}).Serve(conn)
				case "SCGI":
					unread, _ = wire.NewSCGIResponder(h, wire.ServeOptions{}).Serve(conn)
				default:
					unread, _ = wire.NewUWSGIResponder(h, wire.ServeOptions{MaxVars: 60000}).Serve(conn)
				}
				if unread { // or a reset would overtake the answer
					_ = conn.(*net.UnixConn).CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
				}
			})
		}
	})
	return startFronts(t, []*upstream{{ln: ln}}, append([]string{"wire=" + protocol}, given...)...)
}

func variables(x *wire.Exchange) map[string]string {
	vars := map[string]string{}
	for _, v := range x.Vars {
		vars[v.Name] = v.Value
	}
	return vars
}

// respond is an application for a responder.
func respond(x *wire.Exchange) error {
	vars := variables(x)
	switch vars["PATH_INFO"] {
	case "/vars":
		body, err := io.ReadAll(x.Body)
		if err != nil {
			return err
		}
		fmt.Fprintf(x.Out, "Content-Type: text/plain\r\nServer: secret\r\nConnection: secret\r\n\r\n")
		for _, name := range []string{"REQUEST_METHOD", "QUERY_STRING", "CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_ADDR", "SERVER_PROTOCOL", "SERVER_NAME", "SCRIPT_NAME",
			"GATEWAY_INTERFACE", "HTTP_X_ONE", "HTTP_PROXY", "HTTP_X_FORWARDED_FOR", "HTTP_AUTHORIZATION", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH"} {
			if v, ok := vars[name]; ok {
				fmt.Fprintf(x.Out, "%s=%s\n", name, v)
			}
		}
		fmt.Fprintf(x.Out, "body %d\n", len(body))
		return nil
	case "/elsewhere":
		_, err := io.WriteString(x.Out, "Location: /vars?redirected\r\n\r\n")
		return err
	case "/circle":
		_, err := io.WriteString(x.Out, "Location: /circle\r\n\r\n")
		return err
	case "/large":
		_, err := io.WriteString(x.Out, "Content-Type: text/plain\r\n\r\n"+strings.Repeat("x", 3<<20))
		return err
	case "/rubbish":
		_, err := io.WriteString(x.Out, "hello\r\n\r\n")
		return err
	case "/nothing":
		return nil
	case "/status":
		_, err := io.WriteString(x.Out, "Status: 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno")
		return err
	case "/short":
		if _, err := io.WriteString(x.Out, "Content-Type: text/plain\r\nContent-Length: 200000\r\n\r\nno"); err != nil {
			return err
		}
		return x.Out.Flush()
	case "/breaks":
		if _, err := io.WriteString(x.Out, "Content-Type: text/plain\r\n\r\nno"); err != nil {
			return err
		}
		return errors.Join(x.Out.Flush(), errors.New("broken"))
	}
	return errors.New("no such path")
}

func TestFrontSpeaksGatewayProtocols(t *testing.T) {
	for _, protocol := range []string{"FastCGI", "SCGI", "uwsgi"} {
		for _, buffering := range []string{"on", "off"} {
			t.Run(protocol+", buffering "+buffering, func(t *testing.T) {
				m := startGateway(t, protocol, respond, "request_buffering="+buffering, "response_buffering="+buffering)
				gatewayPassesOn(t, m)
				gatewayAnswers(t, m)
			})
		}
	}
}

func gatewayPassesOn(t *testing.T, m *running) {
	const common = "REMOTE_ADDR=127.0.0.1\nSERVER_PROTOCOL=HTTP/1.1\nSERVER_NAME=lab.test\nSCRIPT_NAME=\nGATEWAY_INTERFACE=CGI/1.1\n"
	for raw, want := range map[string]string{
		"GET /vars?a=%20b HTTP/1.1\r\nHost: lab.test:80\r\nX-One: 1\r\nProxy: evil\r\nX-Forwarded-For: 10.0.0.1\r\nAuthorization: Basic x\r\nConnection: close\r\n\r\n": "REQUEST_METHOD=GET\nQUERY_STRING=a=%20b\n" + common + "HTTP_X_ONE=1\nbody 0\n",
		"POST /v%61rs HTTP/1.1\r\nHost: lab.test\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n":                  "REQUEST_METHOD=POST\nQUERY_STRING=\nCONTENT_LENGTH=3\nCONTENT_TYPE=a/b\n" + common + "body 3\n",
		"POST /vars HTTP/1.1\r\nHost: lab.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n":                                                                       "REQUEST_METHOD=POST\nQUERY_STRING=\nCONTENT_LENGTH=0\n" + common + "body 0\n",
		"POST /vars HTTP/1.1\r\nHost: lab.test\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n" + strings.Repeat("b", 300000):                                    "REQUEST_METHOD=POST\nQUERY_STRING=\nCONTENT_LENGTH=300000\n" + common + "body 300000\n",
		"POST /elsewhere HTTP/1.1\r\nHost: lab.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi":                                                                "REQUEST_METHOD=GET\nQUERY_STRING=redirected\n" + common + "body 0\n",
	} {
		got := converse(t, m, raw)
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		body = unchunked(body)
		if m.says("wire=SCGI") { // which has it always
			body, want = strings.Replace(body, "CONTENT_LENGTH=0\n", "", 1), strings.Replace(want, "CONTENT_LENGTH=0\n", "", 1)
		}
		if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || strings.Contains(head, "secret") || body != want {
			t.Errorf("%.60q: answered\n%s\nwant\n%s", raw, got, want)
		}
	}
}

// unchunked is a body that may be one chunk.
func unchunked(body string) string {
	if size, rest, ok := strings.Cut(body, "\r\n"); ok && len(size) < 5 {
		rest, _, _ = strings.Cut(rest, "\r\n")
		return rest
	}
	return body
}

func gatewayAnswers(t *testing.T, m *running) {
	for target, want := range map[string]int{"/status": 404, "/rubbish": 502, "/nothing": 502, "/none": 502, "/circle": 502} {
		if status, body := get(t, m.url(target)); status != want {
			t.Errorf("%s: answered %d %q, want %d", target, status, body, want)
		}
	}
	if status, body := get(t, m.url("/large")); status != 200 || len(body) != 3<<20 {
		t.Errorf("/large: answered %d with %d bytes", status, len(body))
	}
	for _, target := range []string{"/short", "/breaks"} {
		conn, in := m.send(t, rawGet(target))
		b, err := io.ReadAll(in)
		conn.Close()
		// SCGI and uwsgi have no end of their own: a connection that ends is
		// all there is to see.
		if target == "/short" && err == nil && len(b) > 150000 || target == "/breaks" && m.says("wire=FastCGI") && strings.HasSuffix(string(b), "0\r\n\r\n") {
			t.Errorf("%s: answered %.300q, %v, which looks whole", target, b, err)
		}
	}
	status, _ := do(t, "HEAD", m.url("/status"), nil)
	if status != 404 {
		t.Errorf("HEAD: %d", status)
	}
	if status, _ := get(t, m.url("/status")); status != 404 {
		t.Errorf("afterwards: %d", status)
	}
}

func (m *running) says(option string) bool {
	for _, e := range m.cmd.Env {
		if words, ok := strings.CutPrefix(e, modelVariable+"="); ok {
			return strings.Contains(" "+words+" ", " "+option+" ")
		}
	}
	return false
}

// What a protocol can't carry is the client's doing.
func TestFrontHeadTooLargeForProtocol(t *testing.T) {
	m := startGateway(t, "uwsgi", respond)
	var raw strings.Builder
	raw.WriteString("GET /vars HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
	for n := range 64 {
		fmt.Fprintf(&raw, "X-%d: %s\r\n", n, strings.Repeat("x", 1012))
	}
	raw.WriteString("\r\n")
	if got := converse(t, m, raw.String()); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("answered %.80q, want 431", got)
	}
}

// A client that goes away takes its request with it over every protocol.
func TestFrontClientGoneFromGateway(t *testing.T) {
	for _, protocol := range []string{"FastCGI", "SCGI", "uwsgi"} {
		t.Run(protocol, func(t *testing.T) {
			begun, ended := make(chan struct{}), make(chan struct{})
			m := startGateway(t, protocol, func(x *wire.Exchange) error {
				close(begun)
				defer close(ended)
				for { // until the front has hung up
					if _, err := io.WriteString(x.Out, "Content-Type: text/plain\r\n\r\n"+strings.Repeat("x", 10000)); err != nil {
						return err
					}
					if err := x.Out.Flush(); err != nil {
						return err
					}
				}
			}, "response_buffering=off")
			conn, _ := m.send(t, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
			<-begun
			conn.Close()
			<-ended
			eventually(t, "nothing in the front", func() bool { return m.board.Read().Queued == 0 })
		})
	}
}
