package http1

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// However the bytes come, the same becomes of them; and what is taken for a
// request, net/http, which is laxer, takes for the same request with the same
// body: two programs in a row agree where it ends.
func FuzzRequests(f *testing.F) {
	for _, c := range validCases {
		if len(c.input) < 4096 {
			f.Add(c.input)
		}
	}
	for _, c := range invalidCases {
		if len(c.input) < 4096 {
			f.Add(c.input)
		}
	}
	f.Fuzz(func(t *testing.T, input string) {
		if len(input) > 4096 {
			return
		}
		o := outcomes(t, input)
		in := bufio.NewReader(strings.NewReader(input))
		for _, ours := range o.requests {
			if empty, _ := in.Peek(2); string(empty) == "\r\n" {
				_, _ = in.Discard(2) // RFC 9112 §2.2; net/http doesn't
			}
			r, err := http.ReadRequest(in)
			if err != nil {
				t.Fatalf("%q: we take %s, net/http says %v", input, ours, err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatalf("%q: we take %s, net/http says of the body: %v", input, ours, err)
			}
			if theirs := fmt.Sprintf("%s %s ?%s 1.%d host=%s ", r.Method, orRoot(r.URL.Path), r.URL.RawQuery, min(r.ProtoMinor, 1), r.Host); !strings.HasPrefix(ours, theirs) {
				t.Errorf("%q: we take %s, net/http %s", input, ours, theirs)
			}
			if !strings.HasSuffix(ours, " body="+string(body)) {
				t.Errorf("%q: we take %s, net/http takes the body %q", input, ours, body)
			}
		}
	})
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// A body in chunks comes out as it went in, in whatever chunks.
func FuzzChunksRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), uint8(2))
	f.Add([]byte{}, uint8(1))
	f.Add([]byte("\r\n0\r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, content []byte, size uint8) {
		var b strings.Builder
		for part := range slices.Chunk(content, int(size)+1) {
			fmt.Fprintf(&b, "%X\r\n%s\r\n", len(part), part)
		}
		b.WriteString("0\r\n\r\n")
		r := NewReader(strings.NewReader(inChunked(b.String())+"rest"), DefaultLimits())
		var req Request
		if err := r.ReadRequest(&req, 0); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != string(content) || !strings.HasPrefix("rest", string(r.Buffered())) {
			t.Errorf("%q in chunks of %d: %q, %v", content, size, got, err)
		}
	})
}
