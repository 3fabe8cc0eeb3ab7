package load

import (
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// TestCoordinatedOmission: a server that stops for 500 ms, and a user every
// 10 ms. One request is caught in it, fifty users are: they wait in line for
// the one connection. Service time hides that, response time doesn't.
func TestCoordinatedOmission(t *testing.T) {
	t.Parallel()
	const stopAt, pause = 300, 500 * time.Millisecond
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == stopAt {
			time.Sleep(pause)
		}
	}))
	defer srv.Close()
	a := &Attack{
		Stages:   arriving(100, 10*time.Second),
		Requests: []Request{{URL: srv.URL}},

		Timeout:     patient,
		MaxInFlight: 1,
	}
	var response, service []time.Duration
	o, err := a.Run(t.Context(), nil, func(h *Hit) {
		if h.Kind != "" {
			t.Errorf("%+v", h)
		}
		response, service = append(response, h.Response()), append(service, h.Latency)
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Due != 1000 || len(response) == 0 {
		t.Fatalf("%d due, %d sent", o.Due, o.Sent)
	}
	p99 := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[int(math.Ceil(0.99*float64(len(d))))-1]
	}
	// Hit stopAt+k waits at least 500 − 10k ms, so eleven of a thousand wait
	// 400 ms or longer, whatever else the machine does.
	r, s := p99(response), p99(service)
	t.Logf("p99 of response time %v, of service time %v", r, s)
	if r < 400*time.Millisecond {
		t.Errorf("p99 of response time is %v: the pause was omitted", r)
	}
	if s > 200*time.Millisecond {
		t.Errorf("p99 of service time is %v", s)
	}
}
