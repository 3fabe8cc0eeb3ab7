package load

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"gatewaylab/servers"
)

// sizes are those at which bodies are framed or sent in another way.
var sizes = []int64{0, 1, 63, 64, 65, chunkSent - 1, chunkSent, chunkSent + 1, 1 << 20}

func TestUploadsArrive(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, chunked %v", size, chunked), func(t *testing.T) {
				t.Parallel()
				request := Request{Method: "POST", Size: size, Chunked: chunked}
				if n := int64(len(request.body())); n != size || request.size() != size {
					t.Fatalf("the body has %d bytes", n)
				}
				var arrived atomic.Int64
				srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					b, err := io.ReadAll(r.Body)
					if err != nil {
						return // cut
					}
					arrived.Add(1)
					told := size
					if chunked {
						told = -1
					}
					if !bytes.Equal(b, request.body()) || r.ContentLength != told || chunked != slices.Contains(r.TransferEncoding, "chunked") {
						t.Errorf("%d bytes came, length %d, %v", len(b), r.ContentLength, r.TransferEncoding)
					}
				}))
				defer srv.Close()
				request.URL = srv.URL
				// What is drawn is encoded hit by hit.
				drawn := request
				drawn.URL += "/?n={uniform 1 9}"
				var raw bytes.Buffer
				hits, o := attack(t, &Attack{
					Stages: arriving(100, 150*time.Millisecond), Requests: []Request{request, drawn},
					Timeout: patient, PerConnection: 4, Raw: &raw,
				})
				if o.Sent == 0 || uint64(arrived.Load()) != o.Sent {
					t.Errorf("%d sent, %d arrived", o.Sent, arrived.Load())
				}
				for _, h := range hits {
					if h.Kind != "" {
						t.Errorf("%+v", h)
					}
				}
				wantBytesOut(t, &raw, o.Sent, uint64(size))
			})
		}
	}
}

func wantBytesOut(t *testing.T, raw io.Reader, n, size uint64) {
	t.Helper()
	dec := vegeta.NewDecoder(raw)
	for got := uint64(0); ; got++ {
		var r vegeta.Result
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			if got != n {
				t.Errorf("%d raw hits, want %d", got, n)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if r.BytesOut != size {
			t.Fatalf("raw hit of %d bytes, want %d", r.BytesOut, size)
		}
	}
}

// A body that is given counts, not a size beside it.
func TestBodyBeforeSize(t *testing.T) {
	t.Parallel()
	r := Request{Method: "POST", URL: "http://127.0.0.1:1/", Body: []byte("abc"), Size: 10}
	if r.size() != 3 || string(r.body()) != "abc" {
		t.Errorf("%d bytes, %q", r.size(), r.body())
	}
	r.Body, r.Size = nil, -1
	if _, err := r.prepare(); err == nil {
		t.Error("a body of −1 bytes is possible")
	}
}

// The models get uploads whole, and say so.
func TestModelsGetUploads(t *testing.T) {
	t.Parallel()
	programs, err := servers.FindPrograms(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"cgi", "prefork:workers=2", "async"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			url := model(t, programs, spec).URL() + "/upload"
			for _, size := range []int64{0, 1, chunkSent, 1 << 20} {
				for _, chunked := range []bool{false, true} {
					request := Request{Method: "POST", URL: url, Size: size, Chunked: chunked}
					want := fmt.Sprintf("bytes %d\nsha256 %x\n", size, sha256.Sum256(request.body()))
					tr := newTransport(t, patient)
					p, err := request.prepare()
					if err != nil {
						t.Fatal(err)
					}
					c, err := tr.exchange(context.Background(), p.message(0, 0), tr.deadline(time.Since(tr.epoch)))
					if err != nil {
						t.Fatalf("%d bytes, chunked %v: %v", size, chunked, err)
					}
					got, err := io.ReadAll(tr.response(c, nil).Body)
					if err != nil || string(got) != want {
						t.Errorf("%d bytes, chunked %v: got %q, %v; want %q", size, chunked, got, err, want)
					}
				}
			}
		})
	}
}

// model starts one of the lab's models for the test's time.
func model(t *testing.T, programs servers.Programs, spec string) *servers.Instance {
	t.Helper()
	m, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := servers.Start(t.Context(), m, servers.Launch{Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := inst.Close(5 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return inst
}
