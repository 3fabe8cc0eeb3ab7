//go:build unix

package servers_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"gatewaylab/servers"
)

// What each model says to clients that come with another protocol than
// HTTP/1.1. A model that speaks it says so in its row.
func TestProtocols(t *testing.T) {
	t.Parallel()
	for _, m := range builtins() {
		speaks := func(protocol string) bool { return strings.Contains(" "+m.HTTP+",", " "+protocol+",") }
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			inst := start(t, m.Name)
			t.Run("HTTP/2", func(t *testing.T) { meetsHTTP2(t, inst, speaks("2")) })
			t.Run("WebSocket", func(t *testing.T) { meetsWebSocket(t, inst, speaks("WebSocket")) })
			t.Run("TLS on a plain port", func(t *testing.T) { refusesTLS(t, inst) })
			if err := inst.Verify(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			t.Run("started with TLS", func(t *testing.T) { startsWithTLS(t, m, speaks("2")) })
		})
	}
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func meetsHTTP2(t *testing.T, inst *servers.Instance, speaks bool) {
	if speaks {
		resp, body := askHTTP2(t, inst)
		if resp.ProtoMajor != 2 || body != "hello\n" {
			t.Errorf("%s: %q", resp.Proto, body)
		}
		return
	}
	conn := connect(t, inst)
	if _, err := io.WriteString(conn, preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 505 && resp.StatusCode != 400 {
		t.Errorf("answered %s, want 505 or 400", resp.Status)
	}
	closes(t, r)
}

// askHTTP2 asks for /hello with a client that speaks nothing but HTTP/2.
func askHTTP2(t *testing.T, inst *servers.Instance) (*http.Response, string) {
	t.Helper()
	p := new(http.Protocols)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get(inst.URL() + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func connect(t *testing.T, inst *servers.Instance) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", inst.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(45 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// closes reads to the end of the connection, which a server that has refused
// something closes or resets.
func closes(t *testing.T, r io.Reader) {
	t.Helper()
	var timeout net.Error
	if _, err := io.Copy(io.Discard, r); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection is not closed")
	}
}

// readAnswer reads until a line of the application's has come.
func readAnswer(t *testing.T, conn net.Conn) string {
	t.Helper()
	var b strings.Builder
	for part := make([]byte, 512); !strings.Contains(b.String(), "\r\n\r\n") || !strings.HasSuffix(b.String(), "\n"); {
		n, err := conn.Read(part)
		b.Write(part[:n])
		if err != nil {
			t.Fatalf("after %q: %v", b.String(), err)
		}
	}
	return b.String()
}

func meetsWebSocket(t *testing.T, inst *servers.Instance, speaks bool) {
	if !speaks {
		conn := connect(t, inst)
		if _, err := io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: lab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(readAnswer(t, conn), "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 426 Upgrade Required\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket") ||
			!strings.Contains(head, "\r\nConnection: Upgrade") && !strings.Contains(head, "\r\nConnection: close, Upgrade") {
			t.Errorf("answered %q", head)
		}
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, "ws://"+inst.Addr()+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := wsutil.WriteClientText(conn, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if b, err := wsutil.ReadServerText(conn); err != nil || string(b) != "hello" {
		t.Errorf("sent hello, got %q, %v", b, err)
	}
}

func refusesTLS(t *testing.T, inst *servers.Instance) {
	var heard strings.Builder
	conn := connect(t, inst)
	// A server that looks for the end of a line in what TLS begins with finds
	// one in the name at least.
	client := tls.Client(tee{conn, &heard}, &tls.Config{InsecureSkipVerify: true, ServerName: "\n.test"})
	err := client.Handshake()
	var timeout net.Error
	switch {
	case err == nil:
		t.Fatal("a plain port speaks TLS")
	case errors.As(err, &timeout) && timeout.Timeout():
		t.Errorf("%v; want status 400 or a closed connection", err)
	case heard.Len() > 0 && !strings.HasPrefix(heard.String(), "HTTP/1.1 400 ") && !strings.HasPrefix(heard.String(), "HTTP/1.0 400 "):
		t.Errorf("answered %.60q; want status 400", heard.String())
	}
	closes(t, conn)
}

// A tee keeps what is read.
type tee struct {
	net.Conn
	heard *strings.Builder
}

func (c tee) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.heard.Write(p[:n])
	return n, err
}

func startsWithTLS(t *testing.T, m servers.Model, speaks bool) {
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve(m.Name)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := servers.Start(t.Context(), c, servers.Launch{Programs: p, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := inst.Close(20 * time.Second); err != nil {
			t.Error(err)
		}
	}()
	if err := inst.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if has := strings.HasPrefix(inst.URL(), "https://"); has != speaks {
		t.Errorf("answers at %s", inst.URL())
	}
	if !speaks {
		return
	}
	if resp, body := askHTTP2(t, inst); resp.ProtoMajor != 2 || resp.TLS == nil || body != "hello\n" {
		t.Errorf("%s, TLS %v: %q", resp.Proto, resp.TLS != nil, body)
	}
	if c.Settings["tls"] != "off" {
		t.Error("the settings that were given have changed")
	}
}
