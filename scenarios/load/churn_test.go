package load

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// visits is a server that notes, for each connection in the order in which it
// was opened, whether each of its requests said that it was the last.
type visits struct {
	mu    sync.Mutex
	conns [][]bool
	ended []error // how reading after the last request ended
}

func (v *visits) read() (conns [][]bool, ended int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.conns {
		conns = append(conns, slices.Clone(c))
	}
	return conns, len(v.ended)
}

// script answers what comes; a server that doesn't heed keeps connections that
// were to end, which the client must then close.
func (v *visits) script(heed bool) script {
	return func(_ *testing.T, c net.Conn, in *bufio.Reader) {
		v.mu.Lock()
		me := len(v.conns)
		v.conns = append(v.conns, nil)
		v.mu.Unlock()
		for {
			req, err := http.ReadRequest(in)
			v.mu.Lock()
			if err != nil {
				v.ended = append(v.ended, err)
				v.mu.Unlock()
				return
			}
			v.conns[me] = append(v.conns[me], req.Close)
			v.mu.Unlock()
			text := ok
			if heed && req.Close {
				text = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
			}
			if _, err := c.Write([]byte(text)); err != nil {
				return
			}
		}
	}
}

func TestPerConnection(t *testing.T) {
	t.Parallel()
	for name, stages := range map[string][]Stage{
		"closed": looping(3, 150*time.Millisecond), "open": arriving(400, 150*time.Millisecond),
	} {
		for _, k := range []int{0, 1, 3, 7} {
			for _, heed := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %d, heeded %v", name, k, heed), func(t *testing.T) {
					t.Parallel()
					var v visits
					hits, o := attack(t, &Attack{
						Stages: stages, Requests: []Request{{URL: scripted(t, v.script(heed))}},
						Timeout: patient, PerConnection: k,
					})
					noStaleOnes(t, k, hits, o, &v)
				})
			}
		}
	}
}

// noStaleOnes checks what came of an attack with k requests per connection.
func noStaleOnes(t *testing.T, k int, hits []Hit, o Outcome, v *visits) {
	t.Helper()
	var conns [][]bool
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		var ended int
		if conns, ended = v.read(); ended == len(conns) && len(conns) >= int(o.Connections) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d connections have ended, %d were opened", ended, len(conns), o.Connections)
		}
	}
	done, cut := ended(hits)
	// The server may have got connections that were cut while they were opened.
	if len(conns) > int(o.Connections)+cut {
		t.Errorf("%d connections, the server saw %d", o.Connections, len(conns))
	}
	served, full := 0, 0
	for _, c := range conns {
		served += len(c)
		for i, last := range c {
			if want := k > 0 && i == k-1; last != want {
				t.Errorf("request %d of %d says that it is the last: %v", i+1, len(c), last)
			}
		}
		if k > 0 && len(c) > k {
			t.Errorf("%d requests on one connection, want %d at most", len(c), k)
		}
		if len(c) == k {
			full++
		}
	}
	anew := 0
	for _, h := range done {
		if h.Kind != "" || h.Code != 200 {
			t.Errorf("%+v", h)
		}
		if !h.Reused {
			anew++
		}
	}
	if o.Retries != 0 || served < len(done) || served > len(hits) {
		t.Errorf("%d retries; %d hits, the server saw %d", o.Retries, len(hits), served)
	}
	// Those that were cut may have been the first on their connections.
	if anew > len(conns) || anew+cut < len(conns) {
		t.Errorf("%d connections, %d hits were the first on theirs, %d cut", len(conns), anew, cut)
	}
	if k == 0 {
		return
	}
	// Every connection but those in use at the end has served all it may.
	if partial := len(conns) - full; partial > 3 && cut > 0 || len(done) < full*k-cut {
		t.Errorf("%d connections served fewer than %d requests; %d done, %d cut", partial, k, len(done), cut)
	}
	if k == 1 && anew != len(done) {
		t.Errorf("%d of %d hits went over used connections", len(done)-anew, len(done))
	}
}

// A single user shows it exactly.
func TestPerConnectionOfOneUser(t *testing.T) {
	t.Parallel()
	for _, k := range []int{1, 2, 5} {
		var v visits
		tr := newTransport(t, patient)
		tr.perConnection = k
		p, err := (&Request{URL: scripted(t, v.script(false))}).prepare()
		if err != nil {
			t.Fatal(err)
		}
		const n = 11
		for i := range n {
			var f flight
			tr.call(p.message(0, 0), &f, time.Since(tr.epoch))
			if f.err != nil || f.reused != (i%k != 0) {
				t.Errorf("%d per connection: exchange %d: reused %v, %v", k, i, f.reused, f.err)
			}
			if open := tr.pool.size(); open != min(1, (i+1)%k) {
				t.Errorf("%d per connection: %d open after exchange %d", k, open, i)
			}
		}
		if got, want := tr.Connections(), uint64((n+k-1)/k); got != want {
			t.Errorf("%d per connection: %d connections, want %d", k, got, want)
		}
	}
}

// A connection that died while idle is replaced by a new one, which begins to
// count anew.
func TestPerConnectionAfterARetry(t *testing.T) {
	t.Parallel()
	var v visits
	tr := newTransport(t, patient)
	tr.perConnection = 3
	p, err := (&Request{URL: scripted(t, answer(ok), v.script(false))}).prepare()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		var f flight
		if tr.call(p.message(0, 0), &f, time.Since(tr.epoch)); f.err != nil {
			t.Error(f.err)
		}
	}
	conns, _ := v.read()
	if tr.Retries() != 1 || len(conns) != 1 || !slices.Equal(conns[0], []bool{false, false, true}) {
		t.Errorf("%d retries, then %v", tr.Retries(), conns)
	}
}
