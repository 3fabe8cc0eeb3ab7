//go:build unix

package servers_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/app"
)

// chains are every front before every model that it can pass requests on to.
// One that a model gets without asking is in the models' own contract test.
func chains() (specs []string) {
	for _, f := range servers.Fronts() {
		for _, m := range builtins() {
			spec := f.Name + "+" + m.Name
			if _, err := servers.Resolve(spec); err == nil && (f.Name != "front" || m.Wire == servers.WireHTTP) {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

// A chain answers like the application, whatever it is made of; those of the
// whole contract do it there.
func TestChainsAnswerAlike(t *testing.T) {
	t.Parallel()
	for _, spec := range chains() {
		if slices.Contains(contractChains(), spec) {
			continue
		}
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			answersAlike(t, spec)
		})
	}
}

// contractChains are a model that holds one request for each worker, one that
// holds as many as come, and every protocol.
func contractChains() []string {
	return []string{
		"front+prefork", "front+async",
		"nginx+prefork", "nginx:buffering=off,keepalive=0,workers=1+async", "nginx+fastcgi", "nginx+scgi", "nginx+uwsgi",
		"front:instances=2,balance=shared,request_buffering=off,response_buffering=off,keepalive=0,socket=tcp+async",
		"fastcgi:mpx=on", "fastcgi:reuse=off,socket=tcp", "front:instances=2,balance=shared+fastcgi",
	}
}

// They keep the whole contract.
func TestContractOfChains(t *testing.T) {
	t.Parallel()
	for _, spec := range contractChains() {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			keepsContract(t, spec)
		})
	}
}

// realChains are the lab's front and nginx before real servers of each kind: a
// request for each connection, an event loop, and a protocol of its own.
func realChains() []string {
	return []string{
		"front+gunicorn", "front+gunicorn:class=gthread", "front+uvicorn", "front+uwsgi-server",
		"nginx+gunicorn", "nginx+uvicorn", "front:instances=2,socket=tcp+uvicorn",
	}
}

// A chain with a real server at its end keeps the contract as far as it can be
// seen from outside.
func TestContractOfRealChains(t *testing.T) {
	t.Parallel()
	for _, spec := range realChains() {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			t.Run("answers like the application", func(t *testing.T) { answersAlike(t, spec) })
			t.Run("from its start to its end", func(t *testing.T) { realContract(t, spec) })
			t.Run("finishes what it serves when told to stop", func(t *testing.T) { finishesStream(t, spec) })
			t.Run("stops while a request hangs", func(t *testing.T) { stopsHanging(t, spec) })
		})
	}
}

// A front outlives what it stands before: the request that kills the model is
// answered for, and those that come while the model is started again wait.
func TestFrontSurvivesItsModel(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"front+async", "nginx+async"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			inst := supervised(t, spec)
			for n := range 3 {
				if got := get(t.Context(), inst, "/crash"); got.status != http.StatusBadGateway {
					t.Errorf("the crash: %+v, want 502", got)
				}
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK {
							t.Errorf("after the crash: %+v", got)
						}
					})
				}
				all.Wait()
				eventually(t, "the restart being counted", func() bool { return inst.Status().Restarts > uint64(n) })
				if got := inst.Status().Restarts; spec == "front+async" && got != uint64(n+1) {
					t.Errorf("%d restarts after %d crashes", got, n+1) // nginx asks again over a connection that it had kept
				}
			}
			if err := inst.Err(); err != nil {
				t.Errorf("ended: %v", err)
			}
		})
	}
}

// Without supervision the death of a part is the end of the instance.
func TestChainEndsWithItsModel(t *testing.T) {
	inst := launch(t, "front+async")
	if got := get(t.Context(), inst, "/crash"); got.status != http.StatusBadGateway {
		t.Errorf("the crash: %+v, want 502", got)
	}
	<-inst.Done()
	if err := inst.Err(); err == nil || !strings.Contains(err.Error(), "crash was asked for") {
		t.Errorf("it ended with %v", err)
	}
	if err := inst.Close(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// The model listens where nobody else can go, and nothing of that is left.
func TestModelIsHidden(t *testing.T) {
	inst := start(t, "front:instances=3+prefork:workers=1")
	hops := inst.Hops()
	if len(hops) != 4 || hops[0].From != "client" || hops[0].Address != inst.Addr() {
		t.Fatalf("hops %+v", hops)
	}
	for _, h := range hops[1:] {
		if h.From != "front" || h.To != "prefork" || h.Protocol != servers.WireHTTP || h.Network != "unix" {
			t.Errorf("hop %+v", h)
		}
		st, err := os.Stat(filepath.Dir(h.Address))
		if err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("the folder of %s: %v, %v; want it private", h.Address, st.Mode(), err)
		}
	}
	if err := inst.Close(20 * time.Second); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(hops[1].Address)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// Three instances of two workers hold six requests, each in a slot of its own,
// and one instance may be slow.
func TestInstances(t *testing.T) {
	t.Parallel()
	inst := start(t, "front:instances=3,slow=2+prefork:workers=2")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { get(t.Context(), inst, "/wait?ms=3000") })
	}
	eventually(t, "six busy slots", func() bool { return inst.Status().Busy() == 6 })
	st := inst.Status()
	seen := map[int]bool{}
	for _, sl := range st.Slots {
		seen[sl.Index] = true
	}
	if st.Workers != 6 || len(seen) != 6 || st.Queued != 0 {
		t.Errorf("%d workers, slots %v, %d queued; want 6, 0 to 5, 0", st.Workers, seen, st.Queued)
	}
	eventually(t, "the quick ones being done", func() bool { return inst.Status().Busy() == 2 })
	for _, sl := range inst.Status().Slots {
		if sl.Busy && sl.Index > 1 {
			t.Errorf("slot %d is still busy, and the first instance is the slow one", sl.Index)
		}
	}
	all.Wait()
}

// Whoever taps a hop sees all that passes.
func TestTap(t *testing.T) {
	var tapped atomic.Int64
	var kept []servers.Hop
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tap := func(h servers.Hop) (string, string, error) {
		kept = append(kept, h)
		go func() {
			for {
				from, err := ln.Accept()
				if err != nil {
					return
				}
				to, err := net.Dial(h.Network, h.Address)
				if err != nil {
					t.Error(err)
					return
				}
				go func() { _, _ = io.Copy(from, to); from.Close() }()
				go func() { n, _ := io.Copy(to, from); tapped.Add(n); to.Close() }()
			}
		}()
		return "tcp", ln.Addr().String(), nil
	}
	inst := stopped(t, "front+async", launchAs(t, "front:keepalive=0+async", servers.Launch{Tap: tap}))
	if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	eventually(t, "bytes at the tap", func() bool { return tapped.Load() > 0 })
	if len(kept) != 1 || kept[0] != inst.Hops()[1] {
		t.Errorf("tapped %+v, of %+v", kept, inst.Hops())
	}
}

// A file is the same whoever answers for it, and the model hears nothing of it
// if the front does.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"async", "front:static=on+async", "nginx:static=on+async"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			inst := start(t, spec)
			served := inst.Status().Served
			for _, f := range append(app.Files(), app.File{Path: "/static/", Type: app.Files()[0].Type, Content: app.Files()[0].Content}) {
				resp, body, err := ask(t.Context(), http.MethodGet, inst.URL()+f.Path, nil)
				if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != f.Type || body != f.Content {
					t.Errorf("%s: %v, %v, %d bytes; want %s, %d bytes", f.Path, err, resp, len(body), f.Type, len(f.Content))
				}
			}
			if got := get(t.Context(), inst, "/static/none"); got.status != http.StatusNotFound {
				t.Errorf("no file: %+v", got)
			}
			want := uint64(len(app.Files()) + 2)
			if spec != "async" {
				want = 0
			}
			eventually(t, "all being counted", func() bool { return inst.Status().Served-served == want })
		})
	}
}

func TestWebSocketThroughFronts(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"front+async", "nginx+async", "front:response_buffering=off,keepalive=0+async"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			meetsWebSocket(t, start(t, spec), true)
		})
	}
	t.Run("front+prefork", func(t *testing.T) { // nginx forgets the Connection field that belongs to Upgrade
		t.Parallel()
		meetsWebSocket(t, start(t, "front+prefork"), false)
	})
}
