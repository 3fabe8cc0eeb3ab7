package models_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A client of a WebSocket, frame by frame.
type wsClient struct {
	net.Conn
	in io.Reader
}

func (m *running) socket(t *testing.T, url string) *wsClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, early, _, err := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}.Dial(ctx, url)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	check(t, conn.SetDeadline(time.Now().Add(patience)))
	c := &wsClient{conn, conn}
	if early != nil {
		c.in = early
	}
	return c
}

func (m *running) ws() string { return "ws://" + m.addr + "/ws" }

func (c *wsClient) send(t *testing.T, f ws.Frame) {
	t.Helper()
	b, err := ws.CompileFrame(ws.MaskFrame(f))
	check(t, err)
	_, err = c.Write(b)
	check(t, err)
}

func (c *wsClient) receive(t *testing.T) ws.Frame {
	t.Helper()
	head, err := ws.ReadHeader(c.in)
	check(t, err)
	f := ws.Frame{Header: head, Payload: make([]byte, head.Length)}
	_, err = io.ReadFull(c.in, f.Payload)
	check(t, err)
	check(t, ws.CheckHeader(head, ws.StateClientSide))
	return f
}

// closed reads the close and the end of the connection after it.
func (c *wsClient) closed(t *testing.T, want ws.StatusCode) {
	t.Helper()
	f := c.receive(t)
	code, reason := ws.ParseCloseFrameData(f.Payload)
	if f.Header.OpCode != ws.OpClose || code != want {
		t.Errorf("got frame %v, %d %q; want a close with %d", f.Header, code, reason, want)
	}
	if n, err := io.Copy(io.Discard, c.in); err != nil || n > 0 {
		t.Errorf("after the close: %d bytes, %v", n, err)
	}
}

func (c *wsClient) echoes(t *testing.T, op ws.OpCode, payload []byte) {
	t.Helper()
	c.send(t, ws.NewFrame(op, true, bytes.Clone(payload)))
	if f := c.receive(t); f.Header.OpCode != op || !f.Header.Fin || !bytes.Equal(f.Payload, payload) {
		t.Errorf("sent %v with %d bytes, got %+v", op, len(payload), f.Header)
	}
}

// A starter starts one of the models that speak WebSocket.
type starter func(t *testing.T, options ...string) *running

func eachSocketModel(t *testing.T, test func(t *testing.T, start starter)) {
	for name, start := range map[string]starter{"async": startAsync, "eventloop": startLoop} {
		t.Run(name, func(t *testing.T) { test(t, start) })
	}
}

func TestEchoes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		start  starter
		option string
		scheme string
	}{{"async", startAsync, "tls=off", "ws://"}, {"async, TLS", startAsync, "tls=on", "wss://"}, {"eventloop", startLoop, "pool=0", "ws://"}} {
		t.Run(tc.name, func(t *testing.T) {
			m := tc.start(t, tc.option)
			c := m.socket(t, tc.scheme+m.addr+"/ws?x=1")
			messages := uint64(0)
			for _, n := range []int{0, 1, 125, 126, 4096, 65535, 65536, 1 << 20} {
				c.echoes(t, ws.OpBinary, bytes.Repeat([]byte{0xff}, n))
				c.echoes(t, ws.OpText, bytes.Repeat([]byte{'a'}, n))
				messages += 2
			}
			c.send(t, ws.NewPingFrame([]byte("are you there?")))
			if f := c.receive(t); f.Header.OpCode != ws.OpPong || string(f.Payload) != "are you there?" {
				t.Errorf("answer to a ping: %+v", f)
			}
			// A message in pieces, the first of which cuts a character in two,
			// with a ping between.
			c.send(t, ws.NewFrame(ws.OpText, false, []byte("na\xc3")))
			c.send(t, ws.NewPingFrame(nil))
			c.send(t, ws.NewFrame(ws.OpContinuation, true, []byte("\xafve")))
			if f := c.receive(t); f.Header.OpCode != ws.OpPong {
				t.Errorf("answer to a ping: %+v", f)
			}
			if f := c.receive(t); f.Header.OpCode != ws.OpText || string(f.Payload) != "naïve" {
				t.Errorf("pieces came back as %+v", f)
			}
			messages++
			eventually(t, "each message counted, the slot kept", func() bool {
				st := m.board.Read()
				return st.Served == messages && st.Busy() == 0 && len(st.Slots) == 1
			})
			c.send(t, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
			c.closed(t, ws.StatusNormalClosure)
			eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
		})
	}
}

func TestClosesWebSockets(t *testing.T) {
	t.Parallel()
	eachSocketModel(t, func(t *testing.T, start starter) {
		unmasked := func(f ws.Frame) []byte { return ws.MustCompileFrame(f) }
		masked := func(f ws.Frame) []byte { return ws.MustCompileFrame(ws.MaskFrame(f)) }
		big := masked(ws.NewBinaryFrame(make([]byte, 1<<20+1)))
		for name, tc := range map[string]struct {
			sent []byte
			want ws.StatusCode
		}{
			"too large":             {big, ws.StatusMessageTooBig},
			"too large in pieces":   {append(masked(ws.NewFrame(ws.OpBinary, false, make([]byte, 1<<19+1))), masked(ws.NewFrame(ws.OpContinuation, true, make([]byte, 1<<19)))...), ws.StatusMessageTooBig},
			"not UTF-8":             {masked(ws.NewTextFrame([]byte("\xff"))), ws.StatusInvalidFramePayloadData},
			"not masked":            {unmasked(ws.NewTextFrame([]byte("a"))), ws.StatusProtocolError},
			"an extension":          {masked(ws.Frame{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText}}), ws.StatusProtocolError},
			"a piece of nothing":    {masked(ws.NewFrame(ws.OpContinuation, true, nil)), ws.StatusProtocolError},
			"a message in another":  {append(masked(ws.NewFrame(ws.OpText, false, []byte("a"))), masked(ws.NewTextFrame(nil))...), ws.StatusProtocolError},
			"a close without words": {masked(ws.NewCloseFrame(nil)), ws.StatusNoStatusRcvd},
			"a bad close":           {masked(ws.NewCloseFrame([]byte{0, 1})), ws.StatusProtocolError},
			"stalled":               {masked(ws.NewTextFrame([]byte("hello")))[:7], ws.StatusPolicyViolation},
			"idle":                  {nil, ws.StatusNormalClosure},
			"idle after a ping":     {masked(ws.NewPongFrame(nil)), ws.StatusNormalClosure},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := start(t, "timeout=300ms", "keepalive=1s")
				c := m.socket(t, m.ws())
				_, err := c.Write(tc.sent)
				check(t, err)
				if tc.want == ws.StatusNoStatusRcvd {
					if f := c.receive(t); f.Header.OpCode != ws.OpClose || len(f.Payload) != 0 {
						t.Errorf("got %+v", f)
					}
				} else {
					c.closed(t, tc.want)
				}
				check(t, c.Close())
				eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
			})
		}
	})
}

// The slot is busy from when a message begins until it is back.
func TestShowsMessages(t *testing.T) {
	eachSocketModel(t, func(t *testing.T, start starter) {
		for name, full := range map[string]bool{"slots": false, "no slots left": true} {
			t.Run(name, func(t *testing.T) {
				m := start(t)
				for full && m.board.Claim(1) != nil {
				}
				c := m.socket(t, m.ws())
				eventually(t, "idle", func() bool { return m.board.Read().Busy() == 0 })
				frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("hello"))))
				_, err := c.Write(frame[:8])
				check(t, err)
				eventually(t, "busy", func() bool { return m.board.Read().Busy() == 1 })
				_, err = c.Write(frame[8:])
				check(t, err)
				if f := c.receive(t); string(f.Payload) != "hello" {
					t.Errorf("got %+v", f)
				}
				eventually(t, "idle", func() bool { return m.board.Read().Busy() == 0 })
				check(t, c.Close())
				eventually(t, "no slot of its own", func() bool {
					st := m.board.Read()
					return st.Unslotted == 0 && (full || len(st.Slots) == 0)
				})
			})
		}
	})
}

func TestRefusesHandshakes(t *testing.T) {
	eachSocketModel(t, func(t *testing.T, start starter) {
		m := start(t)
		const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		const asks = "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
		for name, tc := range map[string]struct {
			raw    string
			status int
		}{
			"good":           {"GET /ws HTTP/1.1\r\n" + asks + key + "Sec-WebSocket-Version: 13\r\n\r\n", 101},
			"no key":         {"GET /ws HTTP/1.1\r\n" + asks + "Sec-WebSocket-Version: 13\r\n\r\n", 400},
			"other version":  {"GET /ws HTTP/1.1\r\n" + asks + key + "Sec-WebSocket-Version: 8\r\n\r\n", 426},
			"other route":    {"GET /hello HTTP/1.1\r\n" + asks + key + "Sec-WebSocket-Version: 13\r\n\r\n", 200},
			"other method":   {"POST /ws HTTP/1.1\r\n" + asks + key + "Content-Length: 0\r\nSec-WebSocket-Version: 13\r\n\r\n", 405},
			"HTTP/1.0":       {"GET /ws HTTP/1.0\r\n" + asks + key + "Sec-WebSocket-Version: 13\r\n\r\n", 426},
			"no upgrade":     {"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426},
			"other protocol": {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 426},
		} {
			conn, r := m.send(t, tc.raw)
			resp, err := http.ReadResponse(r, nil)
			check(t, err)
			if resp.StatusCode != tc.status {
				t.Errorf("%s: %s, want %d", name, resp.Status, tc.status)
			}
			if up := resp.Header["Upgrade"]; tc.status == 101 && resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || tc.status == 426 && name != "other version" && (up == nil || resp.Header["Connection"] == nil) {
				t.Errorf("%s: %v", name, resp.Header)
			}
			check(t, conn.Close())
		}
		eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
	})
}

// A client may send before it knows that the handshake succeeds.
func TestTakesEarlyMessages(t *testing.T) {
	eachSocketModel(t, func(t *testing.T, start starter) {
		m := start(t)
		frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("early"))))
		_, r := m.send(t, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"+string(frame))
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		if resp.StatusCode != 101 {
			t.Fatal(resp.Status)
		}
		got := make([]byte, 2+len("early"))
		_, err = io.ReadFull(r, got)
		check(t, err)
		if string(got[2:]) != "early" {
			t.Errorf("%q came back", got)
		}
	})
}

func TestStopsWebSockets(t *testing.T) {
	t.Parallel()
	eachSocketModel(t, func(t *testing.T, start starter) {
		t.Run("SIGTERM", func(t *testing.T) {
			t.Parallel()
			m := start(t)
			idle, busy := m.socket(t, m.ws()), m.socket(t, m.ws())
			frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("hello"))))
			_, err := busy.Write(frame[:8])
			check(t, err)
			eventually(t, "a message in progress", func() bool { return m.board.Read().Busy() == 1 })
			m.signal(t, sigterm)
			idle.closed(t, ws.StatusGoingAway)
			eventually(t, "the port closed", func() bool { return refusing(m.addr) })
			_, err = busy.Write(frame[8:])
			check(t, err)
			if f := busy.receive(t); string(f.Payload) != "hello" {
				t.Errorf("got %+v, want the message finished", f)
			}
			busy.closed(t, ws.StatusGoingAway)
			check(t, idle.Close())
			check(t, busy.Close())
			check(t, m.wait(t))
		})
		t.Run("SIGTERM, clients that don't answer", func(t *testing.T) {
			t.Parallel()
			m := start(t)
			for range 20 {
				m.socket(t, m.ws())
			}
			m.signal(t, sigterm)
			check(t, m.wait(t))
		})
		for name, stop := range map[string]func(*testing.T, *running){
			"SIGINT":   func(t *testing.T, m *running) { m.signal(t, os.Interrupt) },
			"orphaned": func(t *testing.T, m *running) { check(t, m.lab.Close()) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := start(t)
				c := m.socket(t, m.ws())
				c.echoes(t, ws.OpText, []byte("a"))
				stop(t, m)
				if _, err := io.Copy(io.Discard, c.in); isTimeout(err) {
					t.Error("not closed")
				}
				check(t, m.wait(t))
			})
		}
	})
}

// Many stay open side by side while each has its messages sent back.
func TestHoldsManyWebSockets(t *testing.T) {
	eachSocketModel(t, func(t *testing.T, start starter) {
		m := start(t)
		const many = 100
		all := make([]*wsClient, many)
		for i := range all {
			all[i] = m.socket(t, m.ws())
		}
		eventually(t, "a slot for each", func() bool { return len(m.board.Read().Slots) == many })
		for round := range 3 {
			for i, c := range all {
				c.send(t, ws.NewTextFrame(fmt.Appendf(nil, "%d of %d", i, round)))
			}
			for i, c := range all {
				if f := c.receive(t); string(f.Payload) != fmt.Sprintf("%d of %d", i, round) {
					t.Errorf("socket %d, round %d: %q", i, round, f.Payload)
				}
			}
		}
		eventually(t, "all served, all there", func() bool {
			st := m.board.Read()
			return st.Served == 3*many && len(st.Slots) == many && st.Busy() == 0
		})
	})
}
