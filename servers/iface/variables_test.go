package iface

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/cgi"
)

// parse makes a request as net/http's server does.
func parse(t testing.TB, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	r.RemoteAddr = "192.0.2.7:4321"
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
}

func TestVariables(t *testing.T) {
	r := parse(t, "POST /shop/cart/a%20b?x=%20y&z HTTP/1.0\r\nHost: shop.example:81\r\n"+
		"Content-Type: text/plain\r\nContent-Length: 5\r\nX-Two: 1\r\nx-two: 2\r\nCookie: a=1\r\nCookie: b=2\r\n"+
		"Authorization: Basic x\r\nProxy-Authorization: Basic x\r\nProxy: http://evil\r\nX_Two: spoof\r\nX.Two: spoof\r\n"+
		"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nExpect: 100-continue\r\n\r\nhello")
	vars, err := Variables(r, Mount{ScriptName: "/shop", Root: "/srv/www", Software: "lab/1", AuthType: "Basic", RemoteUser: "alice"}, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"AUTH_TYPE=Basic",
		"CONTENT_LENGTH=5",
		"CONTENT_TYPE=text/plain",
		"GATEWAY_INTERFACE=CGI/1.1",
		"HTTP_COOKIE=a=1; b=2",
		"HTTP_HOST=shop.example:81",
		"HTTP_X_TWO=1, 2",
		"PATH_INFO=/cart/a b",
		"PATH_TRANSLATED=/srv/www/cart/a b",
		"QUERY_STRING=x=%20y&z",
		"REMOTE_ADDR=192.0.2.7",
		"REMOTE_HOST=192.0.2.7",
		"REMOTE_PORT=4321",
		"REMOTE_USER=alice",
		"REQUEST_METHOD=POST",
		"SCRIPT_NAME=/shop",
		"SERVER_NAME=shop.example",
		"SERVER_PORT=8080",
		"SERVER_PROTOCOL=HTTP/1.0",
		"SERVER_SOFTWARE=lab/1",
	}
	if got := Environ(vars); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestVariablesOfABareRequest(t *testing.T) {
	vars, err := Variables(parse(t, "GET / HTTP/1.1\r\nHost: \r\n\r\n"), Mount{}, -1)
	if err != nil {
		t.Fatal(err)
	}
	got := Environ(vars)
	for _, want := range []string{"QUERY_STRING=", "SCRIPT_NAME=", "PATH_INFO=/", "SERVER_NAME=127.0.0.1", "SERVER_PROTOCOL=HTTP/1.1"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, name := range []string{"CONTENT_LENGTH", "CONTENT_TYPE", "AUTH_TYPE", "REMOTE_USER", "PATH_TRANSLATED", "HTTPS"} {
		if slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, name+"=") }) {
			t.Errorf("%s is set", name)
		}
	}
}

func TestVariablesServerName(t *testing.T) {
	for host, want := range map[string]string{"a.test": "a.test", "a.test:8": "a.test", "[2001:db8::1]:8": "[2001:db8::1]", "[2001:db8::1]": "[2001:db8::1]"} {
		name, port := HeadOf(parse(t, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")).serverName()
		if name != want || port != "8080" {
			t.Errorf("%s: %s %s", host, name, port)
		}
	}
}

func TestVariablesRefuse(t *testing.T) {
	for raw, m := range map[string]Mount{
		"GET /shopping HTTP/1.1\r\nHost: a\r\n\r\n": {ScriptName: "/shop"},
		"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n":    {},
	} {
		if vars, err := Variables(parse(t, raw), m, -1); err == nil {
			t.Errorf("%q: no error, %v", raw, vars)
		}
	}
}

func TestPathTranslatedStaysBelowItsRoot(t *testing.T) {
	vars, err := Variables(parse(t, "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"), Mount{Root: "/srv/www"}, -1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(Environ(vars), "PATH_TRANSLATED=/srv/www/etc/passwd") {
		t.Errorf("%v", Environ(vars))
	}
}

// What goes in as a request comes out as the same request.
func FuzzRoundTrip(f *testing.F) {
	f.Add("POST", "/a%20b?q=1", "X-Request-Id", "v", "body")
	f.Add("GET", "/", "Content-Type", "text/x; a=b", "")
	f.Add("GET", "//x?=", "Cookie", "a=b=c", "")
	f.Fuzz(func(t *testing.T, method, target, name, value, body string) {
		raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\n%s: %s\r\n\r\n", method, target, name, value)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil || !strings.HasPrefix(r.URL.Path, "/") {
			return
		}
		vars, err := Variables(r, Mount{}, int64(len(body)))
		if err != nil {
			return
		}
		for i := 1; i < len(vars); i++ {
			if vars[i].Name == vars[i-1].Name {
				t.Errorf("%s is set twice", vars[i].Name)
			}
		}
		got, err := cgi.Request(Environ(vars), strings.NewReader(body+"more"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got.Method != r.Method || got.Path != r.URL.Path || got.Query != r.URL.RawQuery || string(b) != body || got.Length != int64(len(body)) {
			t.Errorf("got %+v %q", got, b)
		}
		if want := Fields(r); !slices.Equal(app.Merge(got.Header), want) {
			t.Errorf("header %q, want %q", app.Merge(got.Header), want)
		}
	})
}
