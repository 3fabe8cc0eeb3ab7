package models

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/process"
)

// A line-by-line log that tests read while servers write.
type testLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// asyncWith serves an application of the test's. Stop returns when all that
// was begun is over.
func asyncWith(t *testing.T, secure bool, a asgi.App) (addr string, s *asyncServer, out *testLog, stop func()) {
	t.Helper()
	board, file, err := process.NewScoreboard()
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out = &testLog{}
	s = &asyncServer{
		env: &Env{Board: board, Log: log.New(out, "", 0)}, keepalive: time.Minute, timeout: 30 * time.Second,
		app: a, state: map[string]any{"left": "by the lifespan"},
	}
	s.all = map[*asyncConn]struct{}{}
	if secure {
		if s.tls, err = selfSigned(); err != nil {
			t.Fatal(err)
		}
	}
	h2 := &http.Server{Handler: http.HandlerFunc(s.serveHTTP2), Protocols: spoken(), ConnContext: withSlot, ConnState: showState, ErrorLog: s.env.Log}
	served := make(chan error, 1)
	go func() { served <- h2.Serve(s.listen(ln)) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if err := h2.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			s.drain()
			<-served
		})
	}
	t.Cleanup(stop)
	return ln.Addr().String(), s, out, stop
}

// Each way into the model keeps ASGI's rules, and so does the application.
func TestAsyncKeepsASGI(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			addr, _, out, stop := asyncWith(t, secure, asgi.Check(asgi.Application(app.New())))
			config := &tls.Config{InsecureSkipVerify: true}
			dial := func() net.Conn {
				var conn net.Conn
				var err error
				if secure {
					conn, err = tls.Dial("tcp", addr, config)
				} else {
					conn, err = net.Dial("tcp", addr)
				}
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}
			for raw, want := range map[string]string{
				"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                                                                                                                       "200 OK",
				"GET /%20%ff?x HTTP/1.0\r\n\r\n":                                                                                                                                                    "404 Not Found",
				"GET http://b.test/hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                                                                                                          "200 OK",
				"HEAD /bytes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                                                                                                                      "200 OK",
				"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n":                                                                  "200 OK",
				"PUT /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc":                                                                                               "405 Method Not Allowed",
				"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n":                                                                                      "400 Bad Request",
				"PUT /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\na":                                                                        "100 Continue",
				"GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /stream?chunks=2&every=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                                                               "200 OK",
				"GET /wait?ms=20 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                                                                            "200 OK",
				"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n":                                                              "400 Bad Request",
				"GET /stream?chunks=2&every=1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n": "200 OK",
			} {
				conn := dial()
				_, _ = io.WriteString(conn, raw)
				b, _ := io.ReadAll(conn) // some are reset
				conn.Close()
				if line, _, _ := strings.Cut(string(b), "\r\n"); !strings.HasSuffix(line, want) || strings.Count(raw, " HTTP/1.1\r\n") > strings.Count(string(b), "HTTP/1.1 ") {
					t.Errorf("%.60q: answered %.200q, want %s", raw, b, want)
				}
			}
			// Clients that leave while the application waits, reads and writes.
			for _, raw := range []string{
				"GET /wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n", "PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
				"GET /bytes?n=4000000 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /stream?chunks=1000&every=1 HTTP/1.1\r\nHost: a\r\n\r\n",
			} {
				conn := dial()
				_, _ = io.WriteString(conn, raw)
				conn.Close()
			}
			protocols := new(http.Protocols)
			protocols.SetHTTP2(true)
			protocols.SetUnencryptedHTTP2(true)
			tr := &http.Transport{Protocols: protocols, TLSClientConfig: config.Clone()} // which it changes
			for _, target := range []string{"/hello", "/upload", "/stream?chunks=2&every=1", "/ws", "/%20%ff"} {
				scheme := "http://"
				if secure {
					scheme = "https://"
				}
				resp, err := (&http.Client{Transport: tr}).Post(scheme+addr+target, "text/plain", strings.NewReader("abc"))
				if err != nil {
					t.Errorf("HTTP/2 %s: %v", target, err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			tr.CloseIdleConnections()
			echoASGI(t, secure, addr, config)
			stop()
			if log := out.String(); log != "" {
				t.Errorf("the log is not empty:\n%s", log)
			}
		})
	}
}

// echoASGI speaks WebSocket, and closes it in the ways there are.
func echoASGI(t *testing.T, secure bool, addr string, config *tls.Config) {
	t.Helper()
	scheme := "ws://"
	if secure {
		scheme = "wss://"
	}
	for _, last := range []ws.Frame{
		ws.NewCloseFrame(nil), ws.NewCloseFrame(ws.NewCloseFrameBody(3001, "bye")), ws.NewCloseFrame([]byte{0}), ws.NewTextFrame([]byte("\xff")), {},
	} {
		conn, _, _, err := ws.Dialer{TLSConfig: config}.Dial(t.Context(), scheme+addr+"/ws")
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			for _, payload := range []string{"", "hello"} {
				if err := wsutil.WriteClientMessage(conn, op, []byte(payload)); err != nil {
					t.Fatal(err)
				}
				if b, got, err := wsutil.ReadServerData(conn); err != nil || string(b) != payload || got != op {
					t.Errorf("sent %q, got %q, %v, %v", payload, b, got, err)
				}
			}
		}
		if last.Header.OpCode != 0 {
			if err := ws.WriteFrame(conn, ws.MaskFrame(last)); err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, conn)
		}
		conn.Close()
	}
}

// What an application does wrong costs its request, and is logged.
func TestAsyncApplicationFails(t *testing.T) {
	start := func(send asgi.Send, length string) {
		_ = send(&asgi.HTTPResponseStart{Status: 200, Headers: []app.Field{{Name: "content-length", Value: length}}})
	}
	bad := func(_ context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if s.State["left"] != "by the lifespan" {
			t.Errorf("%s: state %v", s.Path, s.State)
		}
		if s.Type == asgi.TypeWebSocket {
			if s.Path != "/mute" {
				_, _ = receive()
			}
			switch s.Path {
			case "/close":
				_ = send(&asgi.WebSocketAccept{Subprotocol: s.Subprotocols[1], Headers: []app.Field{{Name: "x-lab", Value: "1"}}})
				_ = send(&asgi.WebSocketClose{Code: 3001, Reason: "enough"})
				if e, err := receive(); err != nil || e.(*asgi.WebSocketDisconnect).Code != 3001 {
					t.Errorf("after the close: %v, %v", e, err)
				}
			case "/refuse":
				_ = send(&asgi.WebSocketClose{})
				if err := send(&asgi.WebSocketAccept{}); err == nil {
					t.Error("an accept after the close was taken")
				}
			case "/raise":
				_ = send(&asgi.WebSocketAccept{})
				return io.ErrNoProgress
			}
			return nil
		}
		switch s.Path {
		case "/panic":
			panic("a bug")
		case "/raise":
			return io.ErrNoProgress
		case "/short":
			start(send, "5")
			_ = send(&asgi.HTTPResponseBody{Body: []byte("abc"), MoreBody: true})
			return nil
		case "/long":
			start(send, "2")
			return send(&asgi.HTTPResponseBody{Body: []byte("abc")})
		case "/late":
			start(send, "2")
			_ = send(&asgi.HTTPResponseBody{Body: []byte("ab")})
			return io.ErrNoProgress
		}
		return nil
	}
	addr, _, out, stop := asyncWith(t, false, bad)
	handshake := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	var logged []string
	for _, tc := range []struct{ path, fields, want, logged string }{
		{"/nothing", "", "HTTP/1.1 500 ", "returned without http.response.start"},
		{"/raise", "", "HTTP/1.1 500 ", io.ErrNoProgress.Error()},
		{"/panic", "", "", "panic while serving"},
		{"/short", "", "HTTP/1.1 200 OK", "without the last http.response.body"},
		{"/long", "", "", "not as long as its Content-Length"},
		{"/late", "", "HTTP/1.1 200 OK", "GET /late: " + io.ErrNoProgress.Error()},
		{"/mute", handshake, "HTTP/1.1 500 ", "without an answer to the handshake"},
		{"/nothing", handshake, "HTTP/1.1 500 ", "without an answer to the handshake"},
		{"/refuse", handshake, "HTTP/1.1 403 Forbidden", ""},
		{"/close", handshake, "Sec-WebSocket-Protocol: b\r\nX-Lab: 1\r\n\r\n\x88\x08\x0b\xb9enough", ""},
		{"/raise", handshake, "\r\n\r\n\x88\x02\x03\xf3", "WebSocket /raise: " + io.ErrNoProgress.Error()},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		last := "Connection: close\r\n"
		if tc.fields != "" {
			last = ""
		}
		_, _ = io.WriteString(conn, "GET "+tc.path+" HTTP/1.1\r\nHost: a\r\n"+tc.fields+last+"\r\n")
		b, _ := io.ReadAll(conn)
		conn.Close()
		if !strings.Contains(string(b), tc.want) || tc.want == "" && len(b) > 0 {
			t.Errorf("%s: answered %q, want %q", tc.path, b, tc.want)
		}
		logged = append(logged, tc.logged)
	}
	stop()
	for _, want := range logged {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, out)
		}
	}
}
