package load

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// arriving is an open loop at a constant rate.
func arriving(rate float64, d time.Duration) []Stage {
	return []Stage{{Shape: Constant, From: rate, For: d}}
}

// looping is a closed loop of n users.
func looping(n int, d time.Duration) []Stage {
	return []Stage{{Shape: Users, UsersFrom: n, For: d}}
}

// TestEveryKindOfStageIsSent: hits are due when the schedule says, in the stage
// that it says, and what isn't sent is counted there.
func TestEveryKindOfStageIsSent(t *testing.T) {
	srv := newHello(t)
	const length = 100 * ms
	stages := []Stage{
		{Shape: Constant, From: 300, For: length},
		{Shape: Constant, From: 300, Poisson: true, For: length},
		{Shape: Users, UsersFrom: 3, Think: ms, For: length},
		{Shape: Ramp, From: 0, To: 500, For: length},
		{Shape: Ramp, From: 500, To: 0, Poisson: true, For: length},
		{Shape: Steps, From: 100, To: 500, Levels: 3, For: length},
		{Shape: Spike, From: 50, To: 800, At: 25 * ms, Lasting: 25 * ms, For: length},
		{Shape: Users, UsersFrom: 1, UsersTo: 4, Levels: 4, For: length},
		{Shape: Sine, From: 0, To: 500, Every: 50 * ms, For: length},
		{Shape: Replay, Times: []time.Duration{0, 10 * ms, 10 * ms, 90 * ms, length}, For: length},
	}
	a := &Attack{Stages: stages, Requests: []Request{{URL: srv.URL}}, Timeout: patient, Seed: 6}
	hits, o := attack(t, a)
	noneLeft(t)
	if n := uint64(srv.requests.Load()); n != o.Sent {
		t.Errorf("%d sent, the server saw %d", o.Sent, n)
	}

	type arrival struct {
		due   time.Duration
		stage int
	}
	var got, want []arrival
	sent := make([]uint64, len(stages))
	for _, h := range hits {
		sent[h.Stage]++
		from := time.Duration(h.Stage) * length
		switch s := stages[h.Stage]; {
		case h.Kind != "" || h.Cut:
			t.Errorf("%+v", h)
		case s.Open():
			got = append(got, arrival{h.Due, h.Stage})
		case h.Due != h.Sent || h.Sent < from:
			t.Errorf("of users: %+v", h)
		}
		if h.Due < from || h.Sent < h.Due {
			t.Errorf("stage %d from %v on: due %v, sent %v", h.Stage, from, h.Due, h.Sent)
		}
	}
	due := make([]uint64, len(stages))
	walk := (&schedule{stages: stages, seed: 6}).begin()
	for at, stage, ok := walk.next(); ok; at, stage, ok = walk.next() {
		want = append(want, arrival{at, stage})
		due[stage]++
	}
	slices.SortFunc(got, func(a, b arrival) int { return int(a.due - b.due) })
	if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		t.Errorf("due were\n%v, want\n%v", got, want)
	}
	for i := range stages {
		from := time.Duration(i) * length
		unsent, inAll := o.UnsentIn(from, from+length), o.DueIn(from, from+length)
		if !stages[i].Open() {
			sent[i] = 0
		}
		if inAll != due[i] || sent[i]+unsent != due[i] {
			t.Errorf("%s: %d due, %d counted; %d sent and %d unsent", stages[i].Title(i), due[i], inAll, sent[i], unsent)
		}
	}
	if o.Due != o.Sent+o.Unsent() {
		t.Errorf("%d due, %d sent, %d unsent", o.Due, o.Sent, o.Unsent())
	}
	if due[9] != 4 { // the last one isn't within its stage
		t.Errorf("%d of the replay", due[9])
	}
}

// TestUsersOverTheNetwork: as many requests stand in line at a real server as
// there are users, while their number goes up and down.
func TestUsersOverTheNetwork(t *testing.T) {
	gate, answer := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		wait := answer
		if n.Add(1) <= 6 {
			wait = gate
		}
		select {
		case <-wait:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	up := Stage{Shape: Users, UsersFrom: 1, UsersTo: 6, Levels: 6, For: 300 * ms}
	down := Stage{Shape: Users, UsersFrom: 6, UsersTo: 2, Levels: 2, For: 300 * ms}
	a := &Attack{
		Stages:   []Stage{up, down, looping(2, time.Hour)[0]},
		Requests: []Request{{URL: srv.URL}}, Timeout: time.Hour,
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var live Gauge
	script := make(chan struct{})
	go func() {
		defer close(script)
		defer cancel()
		for {
			// No earlier than the stage says, and all of them in the end.
			n, at := live.InFlight(), live.Read().At
			if most := up.UsersAt(at); n > most {
				t.Errorf("%d in flight after %v; there are %d users then", n, at, most)
			}
			if n == 6 || t.Failed() {
				break
			}
			time.Sleep(ms)
		}
		// When the last level is reached, those who wait still wait.
		for live.Read().At < 700*ms {
			if n := live.InFlight(); n != 6 {
				t.Errorf("%d in flight", n)
			}
			time.Sleep(20 * ms)
		}
		close(gate)    // four of the six leave, two send again
		for range 10 { // and again
			answer <- struct{}{}
		}
		for end := time.Now().Add(patient); live.Sent() < 6+2+10 && time.Now().Before(end); {
			time.Sleep(ms)
		}
	}()
	var hits, cut int
	o, err := a.Run(ctx, &live, func(h *Hit) {
		if hits++; h.Cut {
			cut++
		}
	})
	<-script
	if err != nil || cut != 2 || hits != 6+2+10 || o.Sent != uint64(hits) || live.Read().Peak != 6 {
		t.Errorf("%v; %d hits, %d cut; %+v", err, hits, cut, live.Read())
	}
	noneLeft(t)
}

// TestMixedLoadsEnd: what is under way is cut at the end of a closed last
// stage, and waited for at the end of an open one, whichever stage it is of.
func TestMixedLoadsEnd(t *testing.T) {
	slow := func(t *testing.T, c net.Conn, in *bufio.Reader) {
		for {
			if req, _ := takeRequest(t, in); req == nil {
				return
			}
			time.Sleep(300 * ms)
			_, _ = io.WriteString(c, ok)
		}
	}
	t.Run("closed after open", func(t *testing.T) {
		began := time.Now()
		hits, o := attack(t, &Attack{
			Stages:   append(arriving(100, 100*ms), looping(3, 100*ms)...),
			Requests: []Request{{URL: hanging(t)}}, Timeout: time.Hour, MaxInFlight: 4,
		})
		if time.Since(began) > patient {
			t.Error("it waited for the timeout")
		}
		var open, closed uint64
		for _, h := range hits {
			if !h.Cut || h.Code != 0 {
				t.Errorf("%+v", h)
			}
			if h.Stage == 0 {
				open++
			} else {
				closed++
			}
		}
		if open == 0 || open > 4 || closed < 3 || o.Unsent() != 10-open || o.UnsentIn(0, 100*ms) != 10-open || o.Due != 10+closed {
			t.Errorf("%d of the open stage, %d of the closed one; %d due, %d unsent", open, closed, o.Due, o.Unsent())
		}
		noneLeft(t)
	})
	t.Run("open after closed", func(t *testing.T) {
		hits, o := attack(t, &Attack{
			Stages:   append(looping(3, 100*ms), arriving(50, 100*ms)...),
			Requests: []Request{{URL: scripted(t, slow)}}, Timeout: patient,
		})
		for _, h := range hits {
			if h.Cut || h.Code != 200 || h.Stage == 0 && h.Sent >= 400*ms {
				t.Errorf("%+v", h)
			}
		}
		if o.Sent+o.Unsent() != o.Due || o.DueIn(100*ms, 200*ms) != 5 {
			t.Errorf("%+v", o)
		}
		noneLeft(t)
	})
	t.Run("users between", func(t *testing.T) {
		// Users that still wait for an answer when their stage is over don't
		// come back, and keep nobody from ending.
		hits, _ := attack(t, &Attack{
			Stages: slices.Concat(
				arriving(50, 50*ms), looping(2, 50*ms), arriving(50, 50*ms), looping(2, 400*ms), arriving(50, 50*ms),
			),
			Requests: []Request{{URL: scripted(t, slow)}}, Timeout: patient,
		})
		n := make(map[int]int)
		for _, h := range hits {
			n[h.Stage]++
		}
		if n[1] > 2 || n[3] > 4 {
			t.Errorf("hits by stage: %v", n)
		}
		noneLeft(t)
	})
	t.Run("nothing due at the end", func(t *testing.T) {
		srv := newHello(t)
		began := time.Now()
		_, o := attack(t, &Attack{
			Stages:   []Stage{{Shape: Replay, Times: []time.Duration{0, ms}, For: 300 * ms}},
			Requests: []Request{{URL: srv.URL}}, Timeout: patient,
		})
		if d := time.Since(began); d < 300*ms || o.Sent != 2 {
			t.Errorf("%d sent, over after %v", o.Sent, d)
		}
		noneLeft(t)
	})
}
