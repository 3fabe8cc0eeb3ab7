package load

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// shapes is a handler that answers in many ways, by path.
func shapes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/length/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	})
	m.HandleFunc("/chunks/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		for i := range n {
			fmt.Fprintf(w, "piece %d ", i)
			_ = http.NewResponseController(w).Flush()
		}
	})
	m.HandleFunc("/status/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(n)
	})
	m.HandleFunc("/trailer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("Sum", "42")
		w.Header().Set(http.TrailerPrefix+"Unannounced", "yes")
	})
	m.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "late")
	})
	m.HandleFunc("/close", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "bye")
	})
	m.HandleFunc("/abort", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "some")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	m.HandleFunc("/cookies", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=b", "c=d"}
		w.Header().Set("X-Long", strings.Repeat("y", 10_000))
	})
	m.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v %v\n%s", r.Method, r.URL, r.ContentLength, r.TransferEncoding, err, b)
	})
	return m
}

// TestSameAsStandard holds answers read by Transport against those read by
// net/http's.
func TestSameAsStandard(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(shapes())
	defer srv.Close()
	standard := &http.Transport{DisableCompression: true}
	defer standard.CloseIdleConnections()
	lean := newTransport(t, patient)

	paths := []string{"/length/0", "/length/1", "/length/4096", "/length/1000000", "/chunks/0", "/chunks/1", "/chunks/500",
		"/status/204", "/status/301", "/status/304", "/status/404", "/status/500", "/trailer", "/early", "/close", "/abort", "/cookies", "/echo?x=y"}
	long := strings.Repeat("long body ", 20_000)
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			for _, body := range []string{"", "short", long} {
				if body != "" && !expectsBody(method) {
					continue
				}
				t.Run(method+" "+path+" "+strconv.Itoa(len(body)), func(t *testing.T) {
					for _, counted := range []bool{true, false} {
						reader := func() io.Reader {
							switch {
							case body == "":
								return nil
							case counted:
								return strings.NewReader(body)
							}
							return struct{ io.Reader }{strings.NewReader(body)}
						}
						if path == "/abort" {
							// HEAD leaves a connection that looks fine and is about to be closed,
							// on which a POST can't be tried again.
							standard.CloseIdleConnections()
							lean.CloseIdleConnections()
						}
						a, aBody, aErr := do(t, standard, method, srv.URL+path, reader())
						b, bBody, bErr := do(t, lean, method, srv.URL+path, reader())
						if (aErr == nil) != (bErr == nil) || a == nil || b == nil {
							t.Fatalf("net/http: %v, lean: %v", aErr, bErr)
						}
						if aBody != bBody {
							t.Errorf("bodies: %d and %d bytes", len(aBody), len(bBody))
						}
						for what, pair := range map[string][2]any{
							"status":   {a.Status, b.Status},
							"protocol": {a.Proto, b.Proto},
							"header":   {clean(a.Header), clean(b.Header)},
							"trailer":  {clean(a.Trailer), clean(b.Trailer)},
							"length":   {a.ContentLength, b.ContentLength},
							"coding":   {a.TransferEncoding, b.TransferEncoding},
							"close":    {a.Close, b.Close},
						} {
							if !reflect.DeepEqual(pair[0], pair[1]) {
								t.Errorf("%s: net/http %v, lean %v", what, pair[0], pair[1])
							}
						}
					}
				})
			}
		}
	}
}

// clean returns what must be equal of a header, in a form that compares.
func clean(h http.Header) string {
	h = h.Clone()
	h.Del("Date")
	h.Del("Trailer")
	h.Del("Connection") // net/http keeps it, or not, by the protocol version
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String()
}
