package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestRequestsOnTheWire(t *testing.T) {
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	unknown := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		body               io.Reader
		close              bool
		want               string
	}{
		{name: "plain", method: "GET", path: "/a?b=c%20d",
			want: "GET /a?b=c%20d HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\n\r\n"},
		{name: "no path", method: "HEAD",
			want: "HEAD / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\n\r\n"},
		{name: "header", method: "GET", path: "/", header: header("X-B", "2", "X-A", "1", "X-A", "3", "User-Agent", "me", "Content-Length", "9"),
			want: "GET / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: me\r\nX-A: 1\r\nX-A: 3\r\nX-B: 2\r\n\r\n"},
		{name: "close", method: "GET", path: "/", close: true, header: header("Connection", "keep-alive"),
			want: "GET / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\nConnection: close\r\n\r\n"},
		{name: "empty POST", method: "POST", path: "/",
			want: "POST / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\nContent-Length: 0\r\n\r\n"},
		{name: "counted body", method: "POST", path: "/", body: strings.NewReader("hello"),
			want: "POST / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "chunked body", method: "PUT", path: "/", body: unknown("hello"),
			want: "PUT / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{name: "chunked nothing", method: "PUT", path: "/", body: unknown(""),
			want: "PUT / HTTP/1.1\r\nHost: HOST\r\nUser-Agent: gatewaylab\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTransport(t, patient)
			got := make(chan string, 1)
			url := scripted(t, func(t *testing.T, conn net.Conn, _ *bufio.Reader) {
				var b strings.Builder
				takeRequest(t, bufio.NewReader(io.TeeReader(conn, &b)))
				got <- b.String()
				_, _ = io.WriteString(conn, ok)
			})
			req, err := http.NewRequest(c.method, strings.TrimSuffix(url, "/")+c.path, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if c.header != nil {
				req.Header = c.header
			}
			req.Close = c.close
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			want := strings.Replace(c.want, "HOST", req.URL.Host, 1)
			if g := <-got; g != want {
				t.Errorf("sent\n%q, want\n%q", g, want)
			}
		})
	}
}

func TestRequestsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		reason string
	}{
		{"https", func(r *http.Request) { r.URL.Scheme = "https" }, "only http"},
		{"no host", func(r *http.Request) { r.URL.Host = "" }, "no host"},
		{"no URL", func(r *http.Request) { r.URL = nil }, "no host"},
		{"method", func(r *http.Request) { r.Method = "GET /x" }, "method"},
		{"host", func(r *http.Request) { r.Host = "a\r\nB: c" }, "host"},
		{"value", func(r *http.Request) { r.Header.Set("A", "b\r\nC: d") }, "header"},
		{"name", func(r *http.Request) { r.Header["A b"] = []string{"c"} }, "header"},
		{"short body", func(r *http.Request) { r.ContentLength = 9 }, "5 of 9 bytes"},
		{"long body", func(r *http.Request) { r.ContentLength = 3 }, "longer than its Content-Length"},
		{"short stream", func(r *http.Request) { r.ContentLength = 1 << 20 }, "5 of 1048576 bytes"},
		{"broken stream", func(r *http.Request) {
			pr, pw := io.Pipe()
			_ = pw.CloseWithError(io.ErrClosedPipe)
			r.Body, r.ContentLength = pr, -1
		}, "closed pipe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTransport(t, patient)
			url := scripted(t, thenHold(func(*testing.T, net.Conn, *bufio.Reader) {}))
			req, err := http.NewRequest("POST", url, strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			c.change(req)
			if _, err := tr.RoundTrip(req); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want something with %q", err, c.reason)
			}
		})
	}
}
