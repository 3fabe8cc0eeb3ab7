package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// wsScript is what a WebSocket's server does once hands are shaken.
type wsScript func(c net.Conn, in *wsutil.Reader)

// socketServer starts a server of WebSockets whose n-th connection follows the n-th
// script, later ones the last.
func socketServer(t *testing.T, scripts ...wsScript) string {
	t.Helper()
	var all []script
	for _, s := range scripts {
		all = append(all, func(t *testing.T, c net.Conn, in *bufio.Reader) {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if req.Header.Get("User-Agent") == "" || req.Method != "GET" {
				t.Errorf("handshake %s, %v", req.Method, req.Header)
			}
			var answer bytes.Buffer
			raw := struct {
				io.Reader
				io.Writer
			}{handshakeOf(req), &answer}
			if _, err := ws.Upgrade(raw); err != nil {
				t.Error(err)
			}
			_, _ = answer.WriteTo(c)
			s(c, wsutil.NewServerSideReader(in))
		})
	}
	return strings.Replace(scripted(t, all...), "http", "ws", 1)
}

func handshakeOf(r *http.Request) io.Reader {
	var b bytes.Buffer
	_ = r.Write(&b)
	return &b
}

// received reads a message.
func received(in *wsutil.Reader) (ws.OpCode, []byte, error) {
	head, err := in.NextFrame()
	if err != nil {
		return 0, nil, err
	}
	b, err := io.ReadAll(in)
	return head.OpCode, b, err
}

// echoing sends back what comes, and takes part in a close.
func echoing(c net.Conn, in *wsutil.Reader) {
	for {
		op, b, err := received(in)
		if err != nil {
			return
		}
		_ = ws.WriteFrame(c, ws.NewFrame(op, true, b))
		if op == ws.OpClose {
			return
		}
	}
}

func TestWebSocketEchoes(t *testing.T) {
	got := make(chan string, 1)
	url := socketServer(t, func(c net.Conn, in *wsutil.Reader) {
		for {
			op, b, err := received(in)
			if err != nil {
				return
			}
			got <- fmt.Sprint(op, len(b))
			// In pieces, with a ping before and between.
			_ = ws.WriteFrame(c, ws.NewPingFrame([]byte("are you there?")))
			_ = ws.WriteFrame(c, ws.NewFrame(op, false, b[:1]))
			_ = ws.WriteFrame(c, ws.NewPingFrame(nil))
			_ = ws.WriteFrame(c, ws.NewFrame(ws.OpContinuation, true, b[1:]))
			for range 2 {
				if op, _, err := received(in); err == nil && op != ws.OpPong {
					t.Errorf("answer to a ping: %v", op)
				}
			}
		}
	})
	for _, c := range []struct {
		request Request
		want    int
	}{
		{Request{}, len(defaultMessage)},
		{Request{Body: []byte("a")}, 1},
		{Request{Method: "POST", Size: 125}, 125},
		{Request{Size: 70_000, Chunked: true, Header: http.Header{"Host": {"a.test"}, "Connection": {"close"}}}, 70_000},
		{Request{Size: 1 << 20}, 1 << 20},
	} {
		c.request.URL = url
		cl := newClient(t, &Attack{Protocol: WebSocket, Requests: []Request{c.request}})
		for again := range 3 {
			h := cl.ok(0)
			if g, want := <-got, fmt.Sprint(ws.OpBinary, c.want); g != want || h.Bytes != int64(c.want) || h.Reused != (again > 0) {
				t.Errorf("server saw %s, want %s; %+v", g, want, h)
			}
		}
		if n := cl.caller.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

func TestWebSocketErrors(t *testing.T) {
	says := func(f ws.Frame) wsScript {
		return func(c net.Conn, in *wsutil.Reader) {
			_, _, _ = received(in)
			_ = ws.WriteFrame(c, f)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	refuses := scripted(t, answer("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"))
	for _, c := range []struct {
		name, url, kind string
		code            int
	}{
		{"another message", socketServer(t, says(ws.NewBinaryFrame([]byte("hallo")))), KindMalformed, 0},
		{"more", socketServer(t, says(ws.NewBinaryFrame([]byte("hello!")))), KindMalformed, 0},
		{"far more", socketServer(t, says(ws.NewBinaryFrame(make([]byte, 1000)))), KindMalformed, 0},
		{"less", socketServer(t, says(ws.NewBinaryFrame([]byte("hell")))), KindMalformed, 0},
		{"nothing", socketServer(t, says(ws.NewBinaryFrame(nil))), KindMalformed, 0},
		{"text", socketServer(t, says(ws.NewTextFrame([]byte("hello")))), KindMalformed, 0},
		{"masked", socketServer(t, says(ws.MaskFrame(ws.NewBinaryFrame([]byte("hello"))))), KindMalformed, 0},
		{"rubbish", socketServer(t, func(c net.Conn, in *wsutil.Reader) {
			_, _, _ = received(in)
			_, _ = io.WriteString(c, strings.Repeat("\xff", 14))
			_, _ = io.Copy(io.Discard, c)
		}), KindMalformed, 0},
		{"a close", socketServer(t, says(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "so long")))), KindGoingAway, 0},
		{"the end", socketServer(t, func(_ net.Conn, in *wsutil.Reader) { _, _, _ = received(in) }), KindClosed, 0},
		{"the end, in the middle", socketServer(t, func(c net.Conn, in *wsutil.Reader) {
			_, _, _ = received(in)
			_, _ = io.WriteString(c, "\x82\x05hel")
		}), KindClosed, 0},
		{"silence", socketServer(t, func(_ net.Conn, in *wsutil.Reader) { _, _, _ = received(in); _, _, _ = received(in) }), KindTimeout, 0},
		{"no handshake", strings.Replace(refuses, "http", "ws", 1), "status 426", 426},
		{"half a handshake", strings.Replace(scripted(t, answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")), "http", "ws", 1), KindMalformed, 0},
		{"no HTTP", strings.Replace(scripted(t, answer("hello\r\n\r\n")), "http", "ws", 1), KindMalformed, 0},
		{"hung up", strings.Replace(scripted(t, answer("")), "http", "ws", 1), KindClosed, 0},
	} {
		a := &Attack{Protocol: WebSocket, Requests: []Request{{URL: c.url}}}
		if c.kind == KindTimeout {
			a.Timeout = 200 * time.Millisecond
		}
		cl := newClient(t, a)
		h := cl.hit(0)
		if h.Kind != c.kind || h.Code != c.code || h.Cut || h.Latency <= 0 || h.Err == "" {
			t.Errorf("%s: %+v; want %q", c.name, h, c.kind)
		}
		if n := len(cl.caller.(*webSockets).open); n != 0 {
			t.Errorf("%s: %d connections kept", c.name, n)
		}
	}
}

// One that the server has ended while it was idle costs no hit.
func TestWebSocketsThatDied(t *testing.T) {
	once := func(then func(net.Conn, *wsutil.Reader)) wsScript {
		return func(c net.Conn, in *wsutil.Reader) {
			op, b, _ := received(in)
			_ = ws.WriteFrame(c, ws.NewFrame(op, true, b))
			then(c, in)
		}
	}
	for name, first := range map[string]wsScript{
		"closed": once(func(net.Conn, *wsutil.Reader) {}),
		"said goodbye": once(func(c net.Conn, _ *wsutil.Reader) {
			_ = ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "idle")))
			_, _ = io.Copy(io.Discard, c)
		}),
		"closed in the last moment": once(func(_ net.Conn, in *wsutil.Reader) { _, _, _ = received(in) }),
	} {
		cl := newClient(t, &Attack{Protocol: WebSocket, Requests: []Request{{URL: socketServer(t, first, echoing)}}})
		cl.ok(0)
		if h := cl.ok(0); h.Reused || cl.caller.Retries() != 1 || cl.caller.Connections() != 2 {
			t.Errorf("%s: %+v, %d retries, %d connections", name, h, cl.caller.Retries(), cl.caller.Connections())
		}
	}
	twice := once(func(_ net.Conn, in *wsutil.Reader) { _, _, _ = received(in) })
	hangsUp := wsScript(func(_ net.Conn, in *wsutil.Reader) { _, _, _ = received(in) })
	cl := newClient(t, &Attack{Protocol: WebSocket, Requests: []Request{{URL: socketServer(t, twice, hangsUp)}}})
	cl.ok(0)
	if h := cl.hit(0); h.Kind != KindClosed || cl.caller.Retries() != 1 {
		t.Errorf("%+v, %d retries; want one and no more", h, cl.caller.Retries())
	}
}

// Of a mix each request has connections of its own, made for its URL.
func TestWebSocketMix(t *testing.T) {
	url := socketServer(t, echoing)
	cl := newClient(t, &Attack{Protocol: WebSocket, Requests: []Request{{URL: url + "a"}, {URL: url + "b"}}})
	var f flight // of one user
	for i := range 6 {
		if h := cl.send(i%2, &f); h.Kind != "" || h.Reused != (i >= 2) {
			t.Errorf("%d: %+v", i, h)
		}
		f.reset()
	}
	if n := cl.caller.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestWebSocketPerConnection(t *testing.T) {
	for _, k := range []int{1, 3} {
		var closes atomic.Int64
		url := socketServer(t, func(c net.Conn, in *wsutil.Reader) {
			for {
				op, b, err := received(in)
				if err != nil {
					return
				}
				if op == ws.OpClose {
					if code, _ := ws.ParseCloseFrameData(b); code == ws.StatusNormalClosure {
						closes.Add(1)
					}
				}
				_ = ws.WriteFrame(c, ws.NewFrame(op, true, b))
				if op == ws.OpClose {
					return
				}
			}
		})
		cl := newClient(t, &Attack{Protocol: WebSocket, PerConnection: k, Requests: []Request{{URL: url}}})
		for i := range 9 {
			if h := cl.ok(0); h.Reused != (i%k > 0) {
				t.Errorf("%d a connection, hit %d: %+v", k, i, h)
			}
		}
		if n := cl.caller.Connections(); n != uint64(9/k) || closes.Load() != int64(9/k) {
			t.Errorf("%d a connection: %d connections, %d closed with a handshake", k, n, closes.Load())
		}
	}
}

// A hundred users have a hundred connections, and keep them while they think.
func TestWebSocketsStayOpen(t *testing.T) {
	inst, url := speaking(t, "async", WebSocket)
	const users = 100
	before := inst.Status().Served
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := &Attack{
		Protocol: WebSocket, Timeout: patient, Requests: []Request{{URL: url + "/ws"}},
		Stages: []Stage{{Shape: Users, UsersFrom: users, Think: 20 * time.Millisecond, ThinkExponential: true, For: patient}},
	}
	var hits, cut, reused atomic.Uint64
	ended := make(chan Outcome, 1)
	go func() {
		o, err := a.Run(ctx, nil, func(h *Hit) {
			switch {
			case h.Cut:
				cut.Add(1)
				return
			case h.Kind != "":
				t.Errorf("%+v", h)
			case h.Reused:
				reused.Add(1)
			}
			hits.Add(1)
		})
		if err != nil {
			t.Error(err)
		}
		ended <- o
	}()
	for round := range uint64(3) {
		eventually(t, "every connection open, all used again and again", func() bool {
			return len(inst.Status().Slots) == users && hits.Load() >= (round+2)*users
		})
	}
	cancel()
	o := <-ended
	if o.Connections != users || o.Retries != 0 || hits.Load()-reused.Load() > users {
		t.Errorf("%+v, %d hits, %d of them on a connection that was there", o, hits.Load(), reused.Load())
	}
	eventually(t, "all closed, every echo served", func() bool {
		st := inst.Status()
		served := st.Served - before
		return len(st.Slots) == 0 && served >= hits.Load() && served <= hits.Load()+cut.Load()
	})
	noneLeft(t)
}

// Users who leave close their connections, in order.
func TestWebSocketUsersLeave(t *testing.T) {
	inst, url := speaking(t, "async", WebSocket)
	a := &Attack{
		Protocol: WebSocket, Timeout: patient, Requests: []Request{{URL: url + "/ws"}},
		Stages: []Stage{
			{Shape: Users, UsersFrom: 20, Think: 5 * time.Millisecond, For: time.Second},
			{Shape: Users, UsersFrom: 3, Think: 5 * time.Millisecond, For: patient},
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan Outcome, 1)
	go func() {
		o, err := a.Run(ctx, nil, func(h *Hit) {
			if h.Kind != "" && !h.Cut {
				t.Errorf("%+v", h)
			}
		})
		if err != nil {
			t.Error(err)
		}
		ended <- o
	}()
	most := 0
	eventually(t, "users, of whom all but 3 leave", func() bool {
		n := len(inst.Status().Slots)
		most = max(most, n)
		return most > 3 && n == 3
	})
	cancel()
	if o := <-ended; most > 20 || o.Connections > 20 {
		t.Errorf("up to %d connections at a time, %d altogether, for 20 users", most, o.Connections)
	}
}

func TestWebSocketOnAsync(t *testing.T) {
	inst, url := speaking(t, "async", WebSocket)
	for name, c := range map[string]struct {
		stages []Stage
		k      int
	}{
		"open":                     {arriving(200, 500*time.Millisecond), 0},
		"connect, echo, and close": {looping(4, 500*time.Millisecond), 1},
	} {
		served := inst.Status().Served
		a := &Attack{Protocol: WebSocket, PerConnection: c.k, Stages: c.stages, Timeout: patient, Requests: []Request{{URL: url + "/ws", Size: 10_000}}}
		var good, cut uint64
		o, err := a.Run(t.Context(), nil, func(h *Hit) {
			switch {
			case h.Cut:
				cut++
			case h.Kind != "" || h.Bytes != 10_000 || c.k == 1 && h.Reused:
				t.Errorf("%s: %+v", name, h)
			default:
				good++
			}
		})
		if err != nil || good == 0 || c.k == 1 && o.Connections < good || c.k == 0 && o.Connections > o.Sent {
			t.Errorf("%s: %v, %d good hits, %+v", name, err, good, o)
		}
		eventually(t, name+": every echo served, none open", func() bool {
			st := inst.Status()
			return st.Served-served >= good && st.Served-served <= good+cut && len(st.Slots) == 0
		})
	}
	noneLeft(t)
}

func TestWebSocketIsCut(t *testing.T) {
	there := make(chan struct{}, 10)
	url := socketServer(t, func(_ net.Conn, in *wsutil.Reader) {
		_, _, _ = received(in)
		there <- struct{}{}
		_, _, _ = received(in)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 10 {
			<-there
		}
		cancel()
	}()
	a := &Attack{Protocol: WebSocket, Stages: looping(10, patient), Requests: []Request{{URL: url}}, Timeout: patient}
	cut := 0
	o, err := a.Run(ctx, nil, func(h *Hit) {
		if h.Cut {
			cut++
		}
	})
	if err != nil || cut != 10 || o.Sent != 10 || o.Connections != 10 {
		t.Errorf("%v, %d cut, %+v", err, cut, o)
	}
	noneLeft(t)
}
