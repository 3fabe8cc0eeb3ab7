package http1

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatewaylab/servers/app"
)

const testDate = "Sun, 06 Nov 1994 08:49:37 GMT"

func TestResponse(t *testing.T) {
	text := []app.Field{{Name: "Content-Type", Value: "text/plain"}}
	long := strings.Repeat("x", gathered)
	const top = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: " + testDate + "\r\n"
	for _, c := range []struct {
		name   string
		req    Request
		keep   bool
		status int
		header []app.Field
		writes []string // "" = Flush
		want   string
		keeps  bool
	}{
		{"length found out", Request{Minor: 1, KeepAlive: true}, true, 200, text, []string{"he", "llo"},
			top + "Content-Length: 5\r\n\r\nhello", true},
		{"length given", Request{Minor: 1, KeepAlive: true}, true, 200, append(text, app.Field{Name: "Content-Length", Value: "5"}), []string{"hello"},
			top + "Content-Length: 5\r\n\r\nhello", true},
		{"flushed", Request{Minor: 1, KeepAlive: true}, true, 200, text, []string{"he", "", "llo"},
			top + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", true},
		{"long", Request{Minor: 1, KeepAlive: true}, true, 200, text, []string{long, "x"},
			top + "Transfer-Encoding: chunked\r\n\r\n4000\r\n" + long + "\r\n1\r\nx\r\n0\r\n\r\n", true},
		{"flushed to HTTP/1.0", Request{KeepAlive: true}, true, 200, text, []string{"he", "", "llo"},
			"HTTP/1.0" + top[8:] + "Connection: close\r\n\r\nhello", false},
		{"kept for HTTP/1.0", Request{KeepAlive: true}, true, 200, text, []string{"hello"},
			"HTTP/1.0" + top[8:] + "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", true},
		{"server closes", Request{Minor: 1, KeepAlive: true}, false, 200, text, []string{"x"}, top + "Content-Length: 1\r\nConnection: close\r\n\r\nx", false},
		{"client closes", Request{Minor: 1}, true, 200, text, []string{"x"}, top + "Content-Length: 1\r\nConnection: close\r\n\r\nx", false},
		{"HEAD", Request{Method: "HEAD", Minor: 1, KeepAlive: true}, true, 200, append(text, app.Field{Name: "Content-Length", Value: "5"}), []string{"hello"},
			top + "Content-Length: 5\r\n\r\n", true},
		{"204", Request{Minor: 1, KeepAlive: true}, true, 204, nil, nil, "HTTP/1.1 204 No Content\r\nDate: " + testDate + "\r\n\r\n", true},
		{"no body", Request{Minor: 1, KeepAlive: true}, true, 404, nil, nil, "HTTP/1.1 404 Not Found\r\nDate: " + testDate + "\r\nContent-Length: 0\r\n\r\n", true},
		{"upgrade wanted", Request{Minor: 1, KeepAlive: true}, true, 426, []app.Field{{Name: "Upgrade", Value: "websocket"}}, nil,
			"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nDate: " + testDate + "\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n", true},
		{"the connection is the server's, and no value forges a field", Request{Minor: 1, KeepAlive: true}, true, 200,
			[]app.Field{{Name: "Connection", Value: "close"}, {Name: "Transfer-Encoding", Value: "x"}, {Name: "X", Value: "a\r\nB: c"}, {Name: "Date", Value: "now"}}, []string{"x"},
			"HTTP/1.1 200 OK\r\nX: a  B: c\r\nDate: now\r\nContent-Length: 1\r\n\r\nx", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Response{Date: testDate}
			w.Reset(&c.req, c.keep)
			if err := w.Start(c.status, c.header); err != nil {
				t.Fatal(err)
			}
			for _, s := range c.writes {
				var err error
				if s == "" {
					err = w.Flush()
				} else {
					_, err = io.WriteString(&w, s)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Finish(); err != nil {
				t.Fatal(err)
			}
			if string(w.Bytes()) != c.want || w.Keep() != c.keeps {
				t.Errorf("keep %v:\n%.300q\nwant\n%.300q", w.Keep(), w.Bytes(), c.want)
			}
		})
	}
}

func TestResponseKeepsItsPromise(t *testing.T) {
	var w Response
	r := Request{Minor: 1, KeepAlive: true}
	header := []app.Field{{Name: "Content-Length", Value: "3"}}
	w.Reset(&r, true)
	if err := w.Finish(); err == nil {
		t.Error("no answer is an answer")
	}
	if _, err := io.WriteString(&w, "x"); err == nil {
		t.Error("written before the start")
	}
	if err := w.Start(200, header); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(200, header); err == nil {
		t.Error("started twice")
	}
	if _, err := io.WriteString(&w, "abcd"); err != ErrLength {
		t.Errorf("too much: %v", err)
	}
	if err := w.Finish(); err != ErrLength {
		t.Errorf("too little: %v", err)
	}
	for _, bad := range []string{"", "x", "-1", "+1"} {
		w.Reset(&r, true)
		if err := w.Start(200, []app.Field{{Name: "Content-Length", Value: bad}}); err == nil {
			t.Errorf("content-length %q", bad)
		}
	}
}

// Responses that follow one another, sent in pieces of any size, are what a
// client reads.
func TestResponsesInARow(t *testing.T) {
	var w Response
	var sent strings.Builder
	send := func(n int) {
		n = min(n, len(w.Bytes()))
		sent.Write(w.Bytes()[:n])
		w.Sent(n)
	}
	r := Request{Minor: 1, KeepAlive: true}
	w.Reset(&r, true)
	w.Invite()
	for i := range 3 {
		w.Reset(&r, true)
		if err := w.Start(200, nil); err != nil {
			t.Fatal(err)
		}
		send(7) // a head whose end isn't decided can't be among it
		_, _ = io.WriteString(&w, strings.Repeat("y", i))
		send(7)
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	w.Reset(nil, true)
	if err := w.Refuse(431, "too much"); err != nil || w.Keep() {
		t.Errorf("%v, keep %v", err, w.Keep())
	}
	for len(w.Bytes()) > 0 {
		send(11)
	}
	in := bufio.NewReader(strings.NewReader(sent.String()))
	for i, want := range []string{"", "", "y", "yy", "431 request header fields too large: too much\n"} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("response %d of %q: %v", i, sent.String(), err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || string(b) != want {
			t.Errorf("response %d: %q, %v", i, b, err)
		}
	}
}
