package load

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatewaylab/servers/process/processtest"
)

// path is what a protocol's exchange is tried with.
func (p Protocol) path() string {
	if p == WebSocket {
		return "/ws"
	}
	return "/hello"
}

var others = []Protocol{H2C, H2, WebSocket}

func TestModelsSpeak(t *testing.T) {
	for spec, want := range map[string]map[Protocol]string{
		"async":             {H2C: "", H2: "", WebSocket: ""},
		"prefork:workers=2": {H2C: "505 HTTP Version Not Supported", H2: "no TLS: ", WebSocket: "426 Upgrade Required"},
		"cgi":               {H2C: "400 Bad Request", H2: "no TLS: ", WebSocket: "426 Upgrade Required"},
	} {
		for _, p := range others {
			t.Run(spec+" "+string(p), func(t *testing.T) {
				t.Parallel()
				_, url := speaking(t, spec, p)
				a := &Attack{Protocol: p, Timeout: 10 * time.Second, Requests: []Request{
					{URL: url + "/crash", Fault: true}, {URL: url + p.path()},
				}}
				err := a.Speaks(t.Context())
				var no *NotSpokenError
				switch how := want[p]; {
				case how == "" && err != nil:
					t.Error(err)
				case how == "":
				case !errors.As(err, &no) || no.Protocol != p || no.How != how && (p != H2 || !strings.HasPrefix(no.How, how)):
					t.Errorf("%v, want %s", err, how)
				case p == H2 && no.How != "no TLS: 400 Bad Request" && no.How != "no TLS: closed the connection" && no.How != "no TLS: no answer within 10s":
					t.Errorf("%v", err) // the last when there is no byte in TLS's greeting that ends a line
				}
				if err != nil && !strings.HasPrefix(err.Error(), string(p)+" is not spoken: ") {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// Servers that answer in ways the models don't.
func TestSpeaks(t *testing.T) {
	hangUp := scripted(t, func(_ *testing.T, _ net.Conn, in *bufio.Reader) { _, _ = in.Peek(1) })
	silent := scripted(t, thenHold(func(*testing.T, net.Conn, *bufio.Reader) {}))
	odd := scripted(t, func(_ *testing.T, c net.Conn, in *bufio.Reader) {
		_, _ = in.Peek(1)
		_, _ = io.WriteString(c, "220 mail.test at your service\r\n")
		_, _ = io.Copy(io.Discard, in)
	})
	gone := processtest.Address(t)
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	crowded := newProtoServer(t, H2C, busy, nil)
	secure := newProtoServer(t, H2, busy, nil)
	fallen := newProtoServer(t, H2C, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	old := newProtoServer(t, H2, busy, nil)
	old.TLS.NextProtos = []string{"http/1.1"}
	none := newProtoServer(t, H2, busy, nil)
	none.TLS.NextProtos = nil
	off := func(url string) string { _, addr, _ := strings.Cut(url, "://"); return strings.TrimSuffix(addr, "/") }
	const told = "!" // how an error begins that isn't about the protocol
	for _, c := range []struct {
		name, addr string
		protocol   Protocol
		want       string
	}{
		{"HTTP/1.1 is not asked for", gone, HTTP1, ""},
		{"nobody there", gone, H2C, told},
		{"nobody there", gone, H2, told},
		{"nobody there", gone, WebSocket, told},
		{"hangs up", off(hangUp), H2C, "closed the connection"},
		{"hangs up", off(hangUp), H2, "no TLS: closed the connection"},
		{"hangs up", off(hangUp), WebSocket, "closed the connection"},
		{"silent", off(silent), H2C, told},
		{"silent", off(silent), H2, "no TLS: no answer within 300ms"},
		{"silent", off(silent), WebSocket, told},
		{"something else", off(odd), H2C, `answered "220 mail."`},
		{"something else", off(odd), H2, "no TLS: tls: first record does not look like a TLS handshake"},
		{"something else", off(odd), WebSocket, "malformed response: handshake: malformed HTTP response"},
		{"in trouble, but in HTTP/2", off(crowded.URL), H2C, ""},
		{"in trouble, but in HTTP/2", off(secure.URL), H2, ""},
		{"worse, but in HTTP/2", off(fallen.URL), H2C, ""},
		{"HTTP/1.1 for a WebSocket", off(crowded.URL), WebSocket, "503 Service Unavailable"},
		{"TLS for HTTP/1.1", off(old.URL), H2, "TLS without HTTP/2: tls: no application protocol"},
		{"TLS for anything", off(none.URL), H2, "TLS without HTTP/2: ALPN was not answered"},
	} {
		scheme, _ := c.protocol.scheme()
		a := &Attack{Protocol: c.protocol, Timeout: patient, Requests: []Request{{URL: scheme + "://" + c.addr + c.protocol.path()}}}
		if c.name == "silent" {
			a.Timeout = 300 * time.Millisecond
		}
		err := a.Speaks(t.Context())
		var no *NotSpokenError
		switch is := errors.As(err, &no); {
		case c.want == "" && err != nil,
			c.want == told && (err == nil || is || !strings.HasPrefix(err.Error(), "find out whether "+c.addr+" speaks "+string(c.protocol)+": ")),
			c.want != "" && c.want != told && (!is || no.How != c.want):
			t.Errorf("%s, %s: %v, want %q", c.name, c.protocol, err, c.want)
		}
	}
	noneLeft(t)
}

func TestSpeaksIsCancelled(t *testing.T) {
	silent := scripted(t, thenHold(func(*testing.T, net.Conn, *bufio.Reader) {}))
	for _, p := range others {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		scheme, _ := p.scheme()
		a := &Attack{Protocol: p, Timeout: 10 * patient, Requests: []Request{{URL: strings.Replace(silent, "http", scheme, 1)}}}
		if err := a.Speaks(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
