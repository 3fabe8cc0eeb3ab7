//go:build unix

package trace_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/trace"
)

// programs builds labserver and labapp once for all tests.
var programs = sync.OnceValues(func() (servers.Programs, error) {
	return servers.FindPrograms(context.Background(), io.Discard)
})

// available is a model that can run here; CI has all of them.
func available(t *testing.T, spec string) *servers.Configured {
	t.Helper()
	model, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.Available(); err != nil {
		if os.Getenv("LAB_REQUIRE") != "" {
			t.Fatalf("LAB_REQUIRE is set: %v", err)
		}
		t.Skip(err)
	}
	return model
}

// record traces requests and checks what holds of every trace.
func record(t *testing.T, spec string, requests ...trace.Request) []*trace.Trace {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	model := available(t, spec)
	for i := range requests {
		requests[i].Timeout = 60 * time.Second
	}
	traces, err := trace.Run(t.Context(), model, servers.Launch{Programs: p}, requests...)
	if err != nil {
		t.Fatalf("trace %s: %v", spec, err)
	}
	for _, tr := range traces {
		sound(t, tr)
	}
	return traces
}

// sound checks that all bytes of a trace have names, and times that can be.
func sound(t *testing.T, tr *trace.Trace) {
	t.Helper()
	for i := range tr.Hops {
		h := &tr.Hops[i]
		where := tr.Request + " through " + tr.Model + ", " + h.From + " → " + h.To
		for _, gap := range h.Uncovered() {
			t.Errorf("%s: no field names %s", where, gap)
		}
		for _, m := range h.Messages {
			if m.At < 0 || m.Until < m.At {
				t.Errorf("%s: %s from %v until %v", where, m.What, m.At, m.Until)
			}
			for _, f := range m.Fields {
				if strings.Contains(f.Name, "not understood") {
					t.Errorf("%s, %s: %s: %s", where, m.What, f.Value, f.Meaning)
				}
			}
		}
	}
	if tr.Problem != "" {
		t.Logf("%s through %s: %s", tr.Request, tr.Model, tr.Problem)
	}
}

// everyChain is each model as it is given, and behind each front that passes
// requests on to it.
func everyChain() (specs []string) {
	for _, m := range servers.Models() {
		if m.Real != nil {
			continue
		}
		specs = append(specs, m.Name)
		for _, f := range servers.Fronts() {
			if _, err := servers.Resolve(f.Name + "+" + m.Name); err == nil {
				specs = append(specs, f.Name+"+"+m.Name)
			}
		}
	}
	return specs
}

// Whatever crosses any hop of any chain has a name, byte for byte, and is what
// was sent.
func TestEveryByteOfEveryChain(t *testing.T) {
	for _, spec := range everyChain() {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			body := bytes.Repeat([]byte("All bytes \x00\x01\xfe\xff count. "), 6000) // more than a record of any protocol holds
			requests := []trace.Request{
				{Target: "/echo?x=1"},
				{Target: "/upload", Body: body, Header: []trace.Header{{Name: "Content-Type", Value: "application/octet-stream"}}},
				{Target: "/upload", Body: []byte("ab"), Header: []trace.Header{{Name: "Transfer-Encoding", Value: "chunked"}}},
				{Target: "/stream?chunks=3&every=5"},
				{Target: "/hello", Method: "HEAD"},
				{Target: "/hello", HTTP10: true},
			}
			traces := record(t, spec, requests...)
			if len(traces) != len(requests) {
				t.Fatalf("%d traces of %d requests", len(traces), len(requests))
			}
			for _, tr := range traces {
				if tr.Status != 200 || tr.Problem != "" {
					t.Errorf("%s: status %d, %s", tr.Request, tr.Status, tr.Problem)
				}
				first := tr.Hops[0]
				if first.From != "client" || first.Protocol != "HTTP" || first.Timing.FirstByte == nil || *first.Timing.FirstByte > first.Timing.Total {
					t.Errorf("%s: the first hop is %+v", tr.Request, first.Timing)
				}
				if last, want := tr.Hops[len(tr.Hops)-1], inner(t, spec); want != "" && last.Protocol != want {
					t.Errorf("%s: the last hop is %s → %s, %s; want %s", tr.Request, last.From, last.To, last.Protocol, want)
				}
				for i := 1; i < len(tr.Hops); i++ {
					if prev, h := tr.Hops[i-1], tr.Hops[i]; h.From != prev.To || h.Timing.Start < prev.Timing.Start {
						t.Errorf("%s: hop %d, %s → %s, doesn't follow from hop %d, %s → %s", tr.Request, i+1, h.From, h.To, i, prev.From, prev.To)
					}
				}
			}
		})
	}
}

// inner is the interface by which a model of the lab's calls the application,
// the last hop; nobody looks into other programs.
func inner(t *testing.T, spec string) string {
	t.Helper()
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Model.Needs) > 0 {
		return ""
	}
	return c.Model.Interface
}

// field finds a field on a hop.
func field(t *testing.T, h *trace.Hop, name string) trace.Field {
	t.Helper()
	for _, m := range h.Messages {
		for _, f := range m.Fields {
			if f.Name == name {
				return f
			}
		}
	}
	t.Errorf("%s → %s has no %s", h.From, h.To, name)
	return trace.Field{}
}

// What the application calls is the last hop, from the innermost that is seen.
func TestBackingServiceIsAHop(t *testing.T) {
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	b, err := servers.NewBacking("upstream", []servers.Setting{{Key: "delay", Value: "1ms"}})
	if err != nil {
		t.Fatal(err)
	}
	for spec, from := range map[string]string{
		"cgi": "labapp", "prefork": "application", "front+fastcgi": "application", "async": "application", "eventloop": "application", "gunicorn": "gunicorn",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			model := available(t, spec)
			request := trace.Request{Target: "/upstream?timeout=30000", Timeout: time.Minute}
			traces, err := trace.Run(t.Context(), model, servers.Launch{Programs: p, Services: []servers.Backing{b}}, request)
			if err != nil {
				t.Fatal(err)
			}
			tr := traces[0]
			sound(t, tr)
			h := &tr.Hops[len(tr.Hops)-1]
			if tr.Status != 200 || h.From != from || h.To != "upstream" || h.Protocol != "HTTP" {
				t.Fatalf("status %d, the last hop is %s → %s, %s", tr.Status, h.From, h.To, h.Protocol)
			}
			if prev := tr.Hops[len(tr.Hops)-2]; prev.To != from || h.Timing.Start < prev.Timing.Start {
				t.Errorf("it doesn't follow from %s → %s", prev.From, prev.To)
			}
			if got := field(t, h, "method").Value; got != "GET" {
				t.Errorf("it asks with %s", got)
			}
		})
	}
}

// Each CGI variable is explained, and said to come from where it does.
func TestVariablesAreExplained(t *testing.T) {
	tr := record(t, "cgi", trace.Request{Target: "/echo/a%20b?x=%201", Body: []byte("hello"), Header: []trace.Header{
		{Name: "Transfer-Encoding", Value: "chunked"}, {Name: "X-Twice", Value: "1"}, {Name: "x-twice", Value: "2"},
		{Name: "Content-Type", Value: "text/plain"}, {Name: "Authorization", Value: "Basic YTpi"}, {Name: "Proxy", Value: "evil"},
	}})[0]
	if len(tr.Hops) != 2 || tr.Hops[1].Protocol != "CGI" || tr.Hops[1].Kind != trace.Process {
		t.Fatalf("hops: %d", len(tr.Hops))
	}
	h := &tr.Hops[1]
	for name, want := range map[string]string{
		"CONTENT_LENGTH":    "counted: the body came in chunks",
		"CONTENT_TYPE":      "the field Content-Type of client → cgi, bytes ",
		"GATEWAY_INTERFACE": "a constant of cgi",
		"HTTP_HOST":         "the field Host of client → cgi, bytes ",
		"HTTP_X_TWICE":      "the 2 fields X-Twice of client → cgi, merged",
		"PATH_INFO":         "the path in the target of client → cgi, percent-decoded",
		"QUERY_STRING":      "what follows the ? in the target of client → cgi",
		"REMOTE_ADDR":       "the socket of client → cgi: the address of its other end",
		"REMOTE_PORT":       "the socket of client → cgi: the port of its other end",
		"REQUEST_METHOD":    "the method in the request line of client → cgi",
		"SCRIPT_NAME":       "cgi's configuration",
		"SERVER_NAME":       "the name in the field Host of client → cgi",
		"SERVER_PORT":       "the socket of client → cgi: the port that was connected to",
		"SERVER_PROTOCOL":   "the version in the request line of client → cgi",
		"SERVER_SOFTWARE":   "cgi, which names itself",
		"GATEWAYLAB_LOCK":   "the lab, through cgi's environment",
	} {
		f := field(t, h, name)
		if !strings.HasPrefix(f.Source, want) || f.Meaning == "" || f.Reference == "" {
			t.Errorf("%s: from %q, want %q; %q (%s)", name, f.Source, want, f.Meaning, f.Reference)
		}
	}
	for _, m := range h.Messages {
		for _, f := range m.Fields {
			if strings.HasPrefix(f.Name, "HTTP_") && (f.Value == "evil" || strings.Contains(f.Value, "YTpi")) {
				t.Errorf("%s was handed on", f.Name)
			}
		}
	}
	if f := field(t, &tr.Hops[0], "Content-Type"); f.Source != "the client" {
		t.Errorf("the request's Content-Type: from %q", f.Source)
	}
	if h.Exit != "exit status 0" || !strings.HasSuffix(h.Address, "labapp") {
		t.Errorf("the program %s ended with %q", h.Address, h.Exit)
	}
}

// A server that takes its time shows where the time went.
func TestTimes(t *testing.T) {
	tr := record(t, "cgi", trace.Request{Target: "/wait?ms=60"})[0]
	outer, inner := tr.Hops[0].Timing, tr.Hops[1].Timing
	if outer.Queue == nil || outer.Connect == nil || outer.FirstByte == nil || inner.FirstByte == nil {
		t.Fatalf("outer %+v, inner %+v", outer, inner)
	}
	if *inner.FirstByte < 60*time.Millisecond || *outer.FirstByte < *inner.FirstByte {
		t.Errorf("first byte after %v at the program and %v at the client", *inner.FirstByte, *outer.FirstByte)
	}
}

// What goes wrong is a trace too.
func TestProblems(t *testing.T) {
	tr := record(t, "cgi", trace.Request{Target: "/crash"})[0]
	if tr.Status != 502 || tr.Hops[1].Exit != "exit status 70" || !strings.Contains(string(tr.Hops[1].Stream("stderr").Bytes), "crash was asked for") {
		t.Errorf("cgi: status %d, the program ended with %q", tr.Status, tr.Hops[1].Exit)
	}
	if len(tr.Notes) == 0 || !strings.Contains(tr.Notes[0], "Log: ") || !strings.Contains(tr.Notes[0], "exit status 70") {
		t.Errorf("cgi: the log is not in the notes: %q", tr.Notes)
	}
	tr = record(t, "prefork", trace.Request{Target: "/crash"})[0]
	if tr.Status != 0 || !strings.Contains(tr.Problem, "without an answer") {
		t.Errorf("prefork: status %d, %q", tr.Status, tr.Problem)
	}
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	model, err := servers.Resolve("async")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := trace.Run(t.Context(), model, servers.Launch{Programs: p}, trace.Request{Target: "/hang", Timeout: time.Second}, trace.Request{Target: "/hello"})
	if err != nil || len(traces) != 1 || !strings.Contains(traces[0].Problem, "no complete answer") || len(traces[0].Hops[0].Messages) == 0 {
		t.Errorf("hang: %v, %+v", err, traces)
	}
}

// TLS is said, and what is inside it shown.
func TestInsideTLS(t *testing.T) {
	tr := record(t, "async:tls=on", trace.Request{Target: "/hello"})[0]
	if tr.Status != 200 || len(tr.Notes) == 0 || !strings.Contains(tr.Notes[0], "TLS 1.3") {
		t.Errorf("status %d, notes %q", tr.Status, tr.Notes)
	}
}

// A body larger than what is kept goes through all the same, and is counted.
func TestLargeBody(t *testing.T) {
	const size = trace.Limit + 1<<20
	for _, spec := range []string{"front+prefork", "cgi", "async"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			tr := record(t, spec, trace.Request{Target: "/upload", Body: make([]byte, size)})[0]
			if tr.Status != 200 || len(tr.Notes) < len(tr.Hops) {
				t.Errorf("status %d, %s, notes %q", tr.Status, tr.Problem, tr.Notes)
			}
			for i := range tr.Hops {
				if there, _ := tr.Hops[i].Size(); there < size || there > size+4096 {
					t.Errorf("%s → %s: %d bytes there", tr.Hops[i].From, tr.Hops[i].To, there)
				}
			}
		})
	}
}

// The ASGI events of a WebSocket are a call's like others.
func TestWebSocketScope(t *testing.T) {
	tr := record(t, "async", trace.Request{Target: "/ws", Header: []trace.Header{
		{Name: "Upgrade", Value: "websocket"}, {Name: "Connection", Value: "Upgrade"},
		{Name: "Sec-WebSocket-Version", Value: "13"}, {Name: "Sec-WebSocket-Key", Value: "dGhlIHNhbXBsZSBub25jZQ=="},
	}})[0]
	if tr.Status != 101 || len(tr.Hops) != 2 {
		t.Fatalf("status %d, %d hops", tr.Status, len(tr.Hops))
	}
	if f := field(t, &tr.Hops[1], "type"); f.Value != "websocket" {
		t.Errorf("the scope's type is %q", f.Value)
	}
	var told []string
	for _, m := range tr.Hops[1].Messages {
		told = append(told, m.What)
	}
	if got := strings.Join(told, "; "); !strings.Contains(got, "receive: websocket.connect; send: websocket.accept; receive: websocket.disconnect") {
		t.Errorf("told: %s", got)
	}
}
