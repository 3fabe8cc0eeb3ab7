package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"gatewaylab/servers/app"
)

// The application's side in Go's library, which nobody here wrote, behind our
// gateway.
func TestBeforeNetHTTPFCGI(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := sha256.New()
			n, err := io.Copy(h, r.Body)
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "%s %s %s %q %d %x\n", r.Method, r.URL, r.Proto, r.Header.Get("X-One"), n, h.Sum(nil))
			more, _ := strconv.Atoi(r.URL.Query().Get("more"))
			_, _ = io.CopyN(w, zeroes{}, int64(more))
		}))
	}()
	t.Cleanup(func() { ln.Close(); <-served })
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", ln.Addr().String())
	}
	for _, o := range []FastCGIOptions{{}, {Reuse: true}, {Multiplex: true}} {
		c := NewFastCGI(dial, o)
		for _, size := range []int{0, 1, 100_000, 3 << 20} {
			for _, more := range []int{0, 1, 3 << 20} {
				body := bytes.Repeat([]byte{0xff}, size)
				got, err := ask(t, c.Do, []app.Field{
					{Name: "REQUEST_METHOD", Value: "POST"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"}, {Name: "HTTP_HOST", Value: "h"}, {Name: "HTTP_X_ONE", Value: "\xe9"},
					{Name: "REQUEST_URI", Value: fmt.Sprintf("/a%%20b?more=%d", more)}, {Name: "CONTENT_LENGTH", Value: strconv.Itoa(size)},
				}, bytes.NewReader(body))
				want := fmt.Sprintf("POST http://h/a%%20b?more=%d HTTP/1.1 \"\\xe9\" %d %x\n", more, size, sha256.Sum256(body))
				head, rest, _ := strings.Cut(got, "\r\n\r\n")
				if err != nil || !strings.HasPrefix(head, "Status: 201 Created\r\n") || !strings.HasPrefix(rest, want) || len(rest) != len(want)+more {
					t.Fatalf("%+v, %d there, %d back: %.200q, %v; want %q", o, size, more, got, err, want)
				}
			}
		}
		c.Close()
	}
	values, err := NewFastCGI(dial, FastCGIOptions{}).Values(t.Context())
	if err != nil || values[MpxsConns] != "1" {
		t.Errorf("%v, %v", values, err)
	}
}

// The FastCGI development kit's gateway before our responders.
func TestBehindCGIFCGI(t *testing.T) {
	program, err := exec.LookPath("cgi-fcgi")
	switch {
	case err != nil && os.Getenv("LAB_REQUIRE") != "":
		t.Fatalf("needs cgi-fcgi (package libfcgi-bin), and LAB_REQUIRE is set: %v", err)
	case err != nil:
		t.Skipf("needs cgi-fcgi (package libfcgi-bin): %v", err)
	}
	m := NewFastCGIMultiplexer(echoes, MultiplexOptions{Requests: 4, Timeout: patience})
	for name, each := range map[string]func(net.Conn) error{
		"one at a time": func(c net.Conn) error { return orderly(NewFastCGIResponder(echoes, ServeOptions{}).Serve)(c) },
		"multiplexer":   m.Serve,
	} {
		s := serve(t, "unix", each)
		for _, size := range []int{0, 5, 200_000} {
			body := bytes.Repeat([]byte("b"), size)
			cmd := exec.CommandContext(t.Context(), program, "-bind", "-connect", s.addr.String())
			cmd.Env = []string{"REQUEST_METHOD=POST", "CONTENT_LENGTH=" + strconv.Itoa(size), "MORE=100000", "HTTP_X=\xff" + strings.Repeat("long", 100)}
			cmd.Stdin = bytes.NewReader(body)
			out, err := cmd.Output()
			want := fmt.Sprintf("Content-Type: text/plain\n\n%d %x\n", size, sha256.Sum256(body))
			if err != nil || !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), `HTTP_X="\xfflong`) || len(out) < 100_000 {
				t.Errorf("%s, %d bytes: %.300q, %v", name, size, out, err)
			}
		}
	}
}
