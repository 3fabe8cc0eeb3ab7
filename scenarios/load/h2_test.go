package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"gatewaylab/servers/process/processtest"
)

func bothH2(t *testing.T, test func(*testing.T, Protocol)) {
	for _, p := range []Protocol{H2C, H2} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

func TestH2Exchanges(t *testing.T) { bothH2(t, exchangesH2) }

func exchangesH2(t *testing.T, p Protocol) {
	type got struct {
		method, host, agent, header, uri, body string
		length                                 int64
		major                                  int
	}
	seen := make(chan got, 1)
	s := newProtoServer(t, p, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen <- got{r.Method, r.Host, r.UserAgent(), r.Header.Get("X-A"), r.RequestURI, string(b), r.ContentLength, r.ProtoMajor}
		if r.URL.Path == "/busy" {
			w.WriteHeader(503)
		}
		if r.Method != "HEAD" {
			_, _ = io.WriteString(w, "hello, world\n")
		}
	}, nil)
	host := s.Listener.Addr().String()
	long := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		request Request
		want    got
		code    int
		kind    string
	}{
		{Request{URL: s.URL + "/a?b=c"}, got{"GET", host, "gatewaylab", "", "/a?b=c", "", 0, 2}, 200, ""},
		{Request{Method: "HEAD", URL: s.URL + "/"}, got{"HEAD", host, "gatewaylab", "", "/", "", 0, 2}, 200, ""},
		{Request{Method: "POST", URL: s.URL + "/", Body: []byte(long)}, got{"POST", host, "gatewaylab", "", "/", long, 100_000, 2}, 200, ""},
		{Request{Method: "PUT", URL: s.URL + "/", Body: []byte(long), Chunked: true}, got{"PUT", host, "gatewaylab", "", "/", long, -1, 2}, 200, ""},
		{Request{URL: s.URL + "/", Header: http.Header{"X-A": {"1"}, "Host": {"other.test"}, "User-Agent": {"me"}}}, got{"GET", "other.test", "me", "1", "/", "", 0, 2}, 200, ""},
		{Request{URL: s.URL + "/busy"}, got{"GET", host, "gatewaylab", "", "/busy", "", 0, 2}, 503, "status 503"},
	} {
		cl := newClient(t, &Attack{Protocol: p, Requests: []Request{c.request}})
		for again := range 2 {
			h := cl.hit(0)
			if g := <-seen; g != c.want {
				t.Errorf("%s %s: sent %.200v, want %.200v", c.request.Method, c.request.URL, g, c.want)
			}
			bytes := int64(13)
			if c.request.Method == "HEAD" {
				bytes = 0
			}
			if h.Code != c.code || h.Kind != c.kind || h.Bytes != bytes || h.Reused != (again > 0) || h.FirstByte <= 0 || h.Latency < h.FirstByte {
				t.Errorf("%s %s: %+v", c.request.Method, c.request.URL, h)
			}
		}
		if n := cl.caller.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

// A crossroads holds requests until so many are there, and counts how many
// there were on one connection.
type crossroads struct {
	mu   sync.Mutex
	here map[string]int
	most int
	all  int
	open chan struct{}
}

func newCrossroads(n int) *crossroads {
	return &crossroads{here: make(map[string]int), all: n, open: make(chan struct{})}
}

func (c *crossroads) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.here[r.RemoteAddr]++
	c.most = max(c.most, c.here[r.RemoteAddr])
	if c.all--; c.all == 0 {
		close(c.open)
	}
	c.mu.Unlock()
	select {
	case <-c.open:
	case <-r.Context().Done():
	}
}

func TestH2StreamsAreBound(t *testing.T) { bothH2(t, streamsAreBound) }

func streamsAreBound(t *testing.T, p Protocol) {
	for _, c := range []struct{ streams, server, together, conns int }{
		{4, 0, 8, 2},
		{1, 0, 8, 8},
		{3, 0, 8, 3},
		{8, 0, 8, 1},
		{0, 0, 8, 1},
		{100, 0, 8, 1},
		{0, 3, 9, 3},
		{5, 3, 9, 3}, // the server's word counts
		{2, 3, 9, 5},
	} {
		roads := newCrossroads(c.together)
		s := newProtoServer(t, p, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/first" {
				roads.ServeHTTP(w, r)
			}
		}, &http.HTTP2Config{MaxConcurrentStreams: c.server})
		cl := newClient(t, &Attack{Protocol: p, Streams: c.streams, Requests: []Request{{URL: s.URL}, {URL: s.URL + "/first"}}})
		cl.ok(1) // what the server allows is known with its first answer
		for _, h := range cl.together(c.together) {
			if h.Kind != "" {
				t.Errorf("%+v: %+v", c, h)
			}
		}
		opened, _ := s.conns()
		limit := c.together
		for _, l := range []int{c.streams, c.server} {
			if l > 0 {
				limit = min(limit, l)
			}
		}
		if opened != c.conns || roads.most > limit || cl.caller.Connections() != uint64(opened) {
			t.Errorf("%+v: %d connections (%d by the client's count), with up to %d streams", c, opened, cl.caller.Connections(), roads.most)
		}
		if n := cl.caller.Retries(); n != 0 {
			t.Errorf("%+v: %d retries", c, n)
		}
	}
}

// From nothing, too, requests that come together share connections.
func TestH2SharesConnectionsInTheMaking(t *testing.T) { bothH2(t, sharesInTheMaking) }

func sharesInTheMaking(t *testing.T, p Protocol) {
	roads := newCrossroads(8)
	s := newProtoServer(t, p, roads.ServeHTTP, nil)
	cl := newClient(t, &Attack{Protocol: p, Streams: 4, Requests: []Request{{URL: s.URL}}})
	reused := 0
	for _, h := range cl.together(8) {
		if h.Kind != "" {
			t.Errorf("%+v", h)
		}
		if h.Reused {
			reused++
		}
	}
	if opened, _ := s.conns(); opened != 2 || reused != 6 || roads.most != 4 {
		t.Errorf("%d connections, %d hits over another's, up to %d streams", opened, reused, roads.most)
	}
}

func TestH2PerConnection(t *testing.T) { bothH2(t, perConnectionH2) }

func perConnectionH2(t *testing.T, p Protocol) {
	s := newProtoServer(t, p, func(http.ResponseWriter, *http.Request) {}, nil)
	for _, k := range []int{1, 3} {
		before, _ := s.conns()
		cl := newClient(t, &Attack{Protocol: p, PerConnection: k, Requests: []Request{{URL: s.URL}}})
		for range 9 {
			cl.ok(0)
		}
		for _, h := range cl.together(9) {
			if h.Kind != "" {
				t.Errorf("%+v", h)
			}
		}
		if opened, _ := s.conns(); opened-before != 18/k || cl.caller.Connections() != uint64(18/k) {
			t.Errorf("%d requests a connection: %d connections for 18, %d by the client's count", k, opened-before, cl.caller.Connections())
		}
		eventually(t, "all closed", func() bool {
			_, open := s.conns()
			return open == 0
		})
	}
}

func TestH2Gaps(t *testing.T) { bothH2(t, gapsH2) }

func gapsH2(t *testing.T, p Protocol) {
	const pause = 100 * time.Millisecond
	s := newProtoServer(t, p, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(pause)
		for range 4 {
			_, _ = io.WriteString(w, "piece\n")
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
	}, nil)
	for _, stream := range []bool{true, false} {
		h := newClient(t, &Attack{Protocol: p, Requests: []Request{{URL: s.URL, Stream: stream}}}).hit(0)
		var sum time.Duration
		for _, g := range h.Gaps {
			sum += g
		}
		if h.Kind != "" || h.Bytes != 24 || h.FirstByte < pause || h.Latency < 5*pause || sum > h.Latency-h.FirstByte {
			t.Errorf("%+v", h)
		}
		if n := len(h.Gaps); stream && (n < 1 || n > 3) || !stream && n > 0 { // pieces that come together count as one
			t.Errorf("stream %v: %d gaps", stream, n)
		}
	}
}

// framed starts a server whose n-th connection follows the n-th script, frame
// by frame, after the preface and the settings.
func framed(t *testing.T, scripts ...func(t *testing.T, f *http2.Framer, next func() uint32)) string {
	var all []script
	for _, s := range scripts {
		all = append(all, func(t *testing.T, c net.Conn, in *bufio.Reader) {
			hello := make([]byte, len(http2.ClientPreface))
			if _, err := io.ReadFull(in, hello); err != nil || string(hello) != http2.ClientPreface {
				return
			}
			f := http2.NewFramer(c, in)
			_ = f.WriteSettings()
			s(t, f, func() uint32 { // waits for a request
				for {
					frame, err := f.ReadFrame()
					if err != nil {
						return 0
					}
					if head, ok := frame.(*http2.HeadersFrame); ok {
						return head.StreamID
					}
				}
			})
		})
	}
	return strings.TrimSuffix(scripted(t, all...), "/")
}

// answered sends a whole answer.
func answered(f *http2.Framer, stream uint32) {
	var b strings.Builder
	_ = hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(b.String()), EndHeaders: true, EndStream: true})
}

func TestH2Errors(t *testing.T) {
	nobody := "http://" + processtest.Address(t)
	reset := func(code http2.ErrCode) string {
		return framed(t, func(_ *testing.T, f *http2.Framer, next func() uint32) {
			for id := next(); id != 0; id = next() {
				_ = f.WriteRSTStream(id, code)
			}
		})
	}
	plain := newProtoServer(t, HTTP1, func(http.ResponseWriter, *http.Request) {}, nil)
	for _, c := range []struct {
		name, url string
		kinds     []string
	}{
		{"nobody", nobody, []string{KindRefused}},
		{"refused", reset(http2.ErrCodeRefusedStream), []string{KindStreamRefused}},
		{"reset", reset(http2.ErrCodeInternal), []string{KindStreamReset}},
		{"told to go", framed(t, func(_ *testing.T, f *http2.Framer, next func() uint32) {
			next()
			_ = f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("enough"))
		}), []string{KindGoingAway}},
		{"told to go, then closed", framed(t, func(_ *testing.T, f *http2.Framer, next func() uint32) {
			_ = f.WriteGoAway(next(), http2.ErrCodeNo, nil)
		}), []string{KindGoingAway}},
		{"closed", framed(t, func(_ *testing.T, _ *http2.Framer, next func() uint32) { next() }), []string{KindClosed, KindReset}},
		{"a frame for nobody", framed(t, func(_ *testing.T, f *http2.Framer, next func() uint32) {
			next()
			_ = f.WriteData(99, true, nil)
			next()
		}), []string{KindMalformed}},
		{"no status", framed(t, func(_ *testing.T, f *http2.Framer, next func() uint32) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: next(), EndHeaders: true, EndStream: true})
			next()
		}), []string{KindMalformed}},
		{"HTTP/1.1", plain.URL, []string{KindMalformed, KindClosed, KindReset}},
	} {
		cl := newClient(t, &Attack{Protocol: H2C, Requests: []Request{{URL: c.url}}})
		h := cl.hit(0)
		if !strings.Contains(strings.Join(c.kinds, ","), h.Kind) || h.Kind == "" || h.Cut || h.Latency <= 0 {
			t.Errorf("%s: %+v; want one of %q", c.name, h, c.kinds)
		}
	}
}

func TestH2TLSErrors(t *testing.T) {
	plain := newProtoServer(t, HTTP1, func(http.ResponseWriter, *http.Request) {}, nil)
	old := newProtoServer(t, H2, func(http.ResponseWriter, *http.Request) {}, nil)
	old.TLS.NextProtos = []string{"http/1.1"}
	for name, addr := range map[string]string{"no TLS": plain.Listener.Addr().String(), "no HTTP/2": old.Listener.Addr().String()} {
		if h := newClient(t, &Attack{Protocol: H2, Requests: []Request{{URL: "https://" + addr}}}).hit(0); h.Kind != KindTLS {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestH2Timeout(t *testing.T) {
	release := make(chan struct{})
	s := newProtoServer(t, H2C, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
		}
		if r.URL.Path != "/now" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	}, nil)
	t.Cleanup(func() { close(release) })
	a := &Attack{Protocol: H2C, Timeout: 300 * time.Millisecond, Requests: []Request{{URL: s.URL}, {URL: s.URL + "/half"}, {URL: s.URL + "/now"}}}
	cl := newClient(t, a)
	for n := range 2 {
		if h := cl.hit(n); h.Kind != KindTimeout || h.Latency < a.Timeout {
			t.Errorf("request %d: %+v", n, h)
		}
	}
	cl.a.Timeout = patient
	cl.caller.(*h2).timeout = patient
	if cl.ok(2); cl.caller.Connections() != 1 {
		t.Errorf("%d connections: a timeout costs the stream, not the connection", cl.caller.Connections())
	}
}

// A connection that the server has ended while it was idle costs no hit.
func TestH2ConnectionsThatDied(t *testing.T) {
	one := func(_ *testing.T, f *http2.Framer, next func() uint32) { answered(f, next()) }
	told := func(_ *testing.T, f *http2.Framer, next func() uint32) {
		id := next()
		answered(f, id)
		_ = f.WriteGoAway(id, http2.ErrCodeNo, nil)
		next()
	}
	// It dies with the second request on its way: the race, made sure to be lost.
	late := func(_ *testing.T, f *http2.Framer, next func() uint32) {
		answered(f, next())
		next()
	}
	lateTold := func(_ *testing.T, f *http2.Framer, next func() uint32) {
		id := next()
		answered(f, id)
		next()
		_ = f.WriteGoAway(id, http2.ErrCodeNo, nil)
		next()
	}
	good := func(_ *testing.T, f *http2.Framer, next func() uint32) {
		for id := next(); id != 0; id = next() {
			answered(f, id)
		}
	}
	for _, c := range []struct {
		name    string
		first   func(*testing.T, *http2.Framer, func() uint32)
		method  string
		succeed bool
		retries uint64
		dead    bool // before the second request is sent
	}{
		{"closed", one, "GET", true, 0, true},
		{"closed", one, "POST", true, 0, true},
		{"told to go", told, "POST", true, 0, false},
		{"closed in the last moment", late, "GET", true, 1, false},
		{"closed in the last moment", late, "POST", false, 0, false},
		{"told to go in the last moment", lateTold, "POST", true, 1, false}, // the server says that it did nothing
	} {
		url := framed(t, c.first, good)
		cl := newClient(t, &Attack{Protocol: H2C, Requests: []Request{{Method: c.method, URL: url}}})
		cl.ok(0)
		if pool := &cl.caller.(*h2).pool; c.dead || c.name == "told to go" {
			eventually(t, "the connection known to be over", func() bool {
				pool.mu.Lock()
				defer pool.mu.Unlock()
				for hc := range pool.open {
					return hc.cc.Available() == 0
				}
				return true
			})
		}
		h := cl.hit(0)
		if (h.Kind == "") != c.succeed || cl.caller.Retries() != c.retries {
			t.Errorf("%s, %s: %+v, %d retries", c.name, c.method, h, cl.caller.Retries())
		}
		if c.succeed && (h.Reused || cl.caller.Connections() != 2 || cl.caller.(*h2).pool.size() != 1) {
			t.Errorf("%s, %s: %+v, %d connections, %d kept", c.name, c.method, h, cl.caller.Connections(), cl.caller.(*h2).pool.size())
		}
	}
}

func TestH2IsCut(t *testing.T) { bothH2(t, cutsH2) }

func cutsH2(t *testing.T, p Protocol) {
	there := make(chan struct{}, 100)
	s := newProtoServer(t, p, func(_ http.ResponseWriter, r *http.Request) {
		there <- struct{}{}
		<-r.Context().Done()
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 10 {
			<-there
		}
		cancel()
	}()
	a := &Attack{Protocol: p, Streams: 3, Stages: looping(10, patient), Requests: []Request{{URL: s.URL}}, Timeout: patient}
	cut := 0
	o, err := a.Run(ctx, nil, func(h *Hit) {
		if h.Cut {
			cut++
		} else {
			t.Errorf("%+v", h)
		}
	})
	if err != nil || cut != 10 || o.Sent != 10 || o.Connections != 4 {
		t.Errorf("%v, %d cut, %+v", err, cut, o)
	}
	noneLeft(t)
	eventually(t, "no connection open", func() bool {
		_, open := s.conns()
		return open == 0
	})
}

// Loads of both kinds on the async model, for which this is made.
func TestH2OnAsync(t *testing.T) { bothH2(t, onAsyncH2) }

func onAsyncH2(t *testing.T, p Protocol) {
	inst, url := speaking(t, "async", p)
	for name, c := range map[string]struct {
		stages []Stage
		most   uint64
	}{
		"open":   {arriving(200, 500*time.Millisecond), 100},
		"closed": {looping(8, 500*time.Millisecond), 2},
	} {
		served := inst.Status().Served
		a := &Attack{Protocol: p, Streams: 4, Stages: c.stages, Timeout: patient, Requests: []Request{
			{URL: url + "/hello"}, {URL: url + "/wait?ms={uniform 1 3}"}, {Method: "POST", URL: url + "/upload", Size: 100_000}, {URL: url + "/stream?chunks=3&every=1", Stream: true},
		}}
		var good, cut uint64
		o, err := a.Run(t.Context(), nil, func(h *Hit) {
			switch {
			case h.Cut:
				cut++
			case h.Kind != "" || h.FirstByte <= 0:
				t.Errorf("%s: %+v", name, h)
			default:
				good++
			}
		})
		if err != nil || good == 0 || o.Connections == 0 || o.Connections > c.most {
			t.Errorf("%s: %v, %d good hits, %+v", name, err, good, o)
		}
		eventually(t, fmt.Sprintf("%s: every hit served, nothing in progress", name), func() bool {
			st := inst.Status()
			return st.Busy() == 0 && st.Served-served >= good && st.Served-served <= good+cut && len(st.Slots) == 0
		})
	}
	noneLeft(t)
}
