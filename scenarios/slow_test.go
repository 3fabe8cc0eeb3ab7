package scenarios_test

import (
	"context"
	"io"
	"testing"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// Two slow clients are all that two pre-forked workers can serve: as long as
// they hold them nobody else is answered. The async model doesn't notice them.
// Idle connections hold nobody: a pre-forked worker closes its connection with
// the answer.
func TestSlowClientsHoldWorkers(t *testing.T) {
	programs, err := servers.FindPrograms(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		crowd load.Crowd
		path  string
		holds bool
	}{
		{load.Crowd{Kind: load.SlowSend, Rate: 100, Request: load.Request{Method: "POST", Size: 1 << 20}}, "/upload", true},
		{load.Crowd{Kind: load.SlowRead, Rate: 1000}, "/bytes?n=100000", true},
		{load.Crowd{Kind: load.Idle}, "/hello", false},
	} {
		t.Run(string(c.crowd.Kind), func(t *testing.T) {
			c.crowd.Clients = 2
			const plenty = 2000
			async := beside(t, programs, "async", c.crowd, c.path, plenty, time.Minute)
			// The other model gets the time that async took for plenty, at least.
			prefork := beside(t, programs, "prefork:workers=2", c.crowd, c.path, plenty, max(async.took, 2*time.Second))
			t.Logf("beside 2 %s clients: async answered %d in %v, prefork with 2 workers %d in %v, of which %d in its third quarter",
				c.crowd.Kind, async.answered, async.took, prefork.answered, prefork.took, prefork.amid)
			if async.answered < plenty {
				t.Errorf("async answered %d, want %d", async.answered, plenty)
			}
			if c.holds && prefork.amid > 0 {
				t.Errorf("prefork answered %d, and %d of them with both workers held", prefork.answered, prefork.amid)
			}
			if c.holds && prefork.busy != 2 {
				t.Errorf("%d workers were busy at the end, want 2", prefork.busy)
			}
			if !c.holds && prefork.answered < plenty/20 {
				t.Errorf("prefork answered only %d", prefork.answered)
			}
			if c.holds && (async.cut != 2 || prefork.cut != 2) {
				t.Errorf("%d and %d slow clients were cut, want all", async.cut, prefork.cut)
			}
			if n := async.failed + prefork.failed; n > 0 {
				t.Errorf("%d exchanges failed", n)
			}
		})
	}
}

// outcome is what four ordinary users and a crowd got.
type outcome struct {
	answered int           // ordinary requests
	took     time.Duration // the whole of it
	amid     int           // of answered, those in the third quarter of the time there was
	busy     int           // workers, when the load ended
	cut      int           // clients of the crowd
	failed   int           // requests of either
}

// beside runs four users until enough of them were answered or time is up.
func beside(t *testing.T, p servers.Programs, spec string, crowd load.Crowd, path string, enough int, limit time.Duration) (o outcome) {
	t.Helper()
	model, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := servers.Start(t.Context(), model, servers.Launch{Programs: p})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := inst.Close(10 * time.Second); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	crowd.Request.URL = inst.URL() + path
	a := &load.Attack{
		Stages:   []load.Stage{{Shape: load.Users, UsersFrom: 4, For: time.Hour}},
		Requests: []load.Request{{URL: inst.URL() + "/hello"}},
		Timeout:  time.Minute,
		Beside:   []load.Crowd{crowd},
		Aside: func(_ int, h *load.Hit) {
			switch {
			case h.Cut:
				o.cut++
			case h.Kind != "":
				o.failed++
				t.Errorf("%s: %s: %s", spec, crowd.Kind, h.Err)
			}
		},
	}
	seen := make(chan struct{})
	go func() { // the workers are let go when the load ends, so look just before
		defer close(seen)
		for ctx.Err() == nil {
			status := inst.Status()
			if busy := status.Busy(); ctx.Err() == nil {
				o.busy = busy
			}
			time.Sleep(time.Millisecond)
		}
	}()
	out, err := a.Run(ctx, nil, func(h *load.Hit) {
		switch {
		case h.Cut:
		case h.Kind != "":
			o.failed++
			t.Errorf("%s: %s", spec, h.Err)
		default:
			// By then the crowd has long come, and it isn't let go yet.
			if d := h.Done(); d > limit/2 && d < limit*3/4 {
				o.amid++
			}
			if o.answered++; o.answered >= enough {
				cancel()
			}
		}
	})
	cancel()
	<-seen
	if err != nil {
		t.Fatal(err)
	}
	o.took = out.Ended
	return o
}
