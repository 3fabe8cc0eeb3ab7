package scenarios

import (
	"runtime"
	"testing"
	"time"

	"gatewaylab/scenarios/load"
)

// TestHourLongTrial feeds a collector the hits of an hour of 50 stages, open
// and closed, and holds its memory at the end against that after a tenth. The
// series stays as short as that of a trial of half a minute.
func TestHourLongTrial(t *testing.T) {
	const (
		stages = 50
		length = time.Hour / stages
		gap    = 10 * time.Millisecond // between hits
	)
	s := &Scenario{Warmup: 30 * time.Second, Timeout: 10 * time.Second, Requests: []Request{
		{Name: "short", Path: "/"}, {Name: "long", Path: "/wait?ms=100"}, {Name: "crash", Path: "/crash", Fault: true},
	}}
	for i := range stages {
		st := load.Stage{Shape: load.Constant, From: 100, For: length}
		switch i % 3 {
		case 1:
			st = load.Stage{Shape: load.Users, UsersFrom: 1, For: length}
		case 2:
			st = load.Stage{Shape: load.Sine, From: 0, To: 200, Every: time.Minute, For: length}
		}
		s.Stages = append(s.Stages, st)
	}
	tr := &Trial{
		Window: s.For(), Warmup: s.Warmup, Errors: map[string]uint64{}, Codes: map[int]uint64{},
		Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram(),
	}
	c := newCollector(tr, s)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	attack := newAttack(s, "127.0.0.1:1")
	var early uint64
	stage, end := 0, attack.Stages[0].For
	total, window := attack.Length(), uint64(0)
	for i, at := 0, time.Duration(0); at < total; i, at = i+1, at+gap {
		for at >= end {
			stage++
			end += attack.Stages[stage].For
		}
		h := load.Hit{
			Seq: uint64(i), Stage: stage, Due: at, Sent: at, Code: 200, Bytes: 5,
			FirstByte: time.Millisecond, Latency: time.Duration(1+i%7) * time.Millisecond,
		}
		switch {
		case i%1000 == 0:
			h.Request, h.Kind, h.Code = 2, load.KindReset, 0
		case i%10 == 0:
			h.Request, h.Latency = 1, 100*time.Millisecond
		case i%333 == 0:
			h.Kind, h.Code = "status 503", 503
		}
		if at >= s.Warmup && at < s.Warmup+s.For() {
			window++
		}
		c.add(&h)
		if i%10 == 0 {
			c.latest(at, Interval{InFlight: 1, Busy: 1, CPU: 0.5, Memory: 1 << 20})
		}
		if early == 0 && at > total/10 {
			early = heap()
		}
	}
	c.finish()
	if late := heap(); late > early+early/5+1<<20 {
		t.Errorf("%d bytes in use after a tenth, %d at the end", early, late)
	}
	runtime.KeepAlive(c)

	if n := len(tr.Series); n < maxSlices || n > maxSlices+5 {
		t.Errorf("the series has %d slices", n)
	}
	var sum uint64
	for _, in := range tr.Series {
		sum += in.Succeeded + in.Failed
	}
	if faults := uint64(total / gap / 1000); sum < uint64(total/gap)-faults-20 {
		t.Errorf("the series has %d hits of %d", sum, total/gap)
	}
	if tr.Sent != window {
		t.Errorf("%d sent in the window, want %d", tr.Sent, window)
	}
	if len(tr.Stages) != stages {
		t.Fatalf("%d stages", len(tr.Stages))
	}
	for _, p := range tr.Stages {
		if p.Sent != uint64(length/gap) {
			t.Errorf("stage %s: %d sent, want %d", p.Name, p.Sent, length/gap)
		}
	}
}
