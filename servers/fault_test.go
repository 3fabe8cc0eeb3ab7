//go:build unix

package servers_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/app"
)

// What a fault costs under each model, beside the request that brings it.
// A new row in the table of models must say.
var faults = map[string]struct {
	crash       string // spec under which a crash is looked at; "" = the model as it is
	crashStatus int    // of the answer to a request that crashes; 0 = its connection is reset
	crashHurts  bool   // another request in progress
	restarts    uint64 // counted after a crash
	dies        bool   // with a crash, unless it is supervised

	hang       string // spec under which a request that hangs is looked at
	hangStatus int    // of its answer; 0 = its connection is reset, -1 = it goes on hanging
	hangStays  bool   // its client's leaving doesn't end it: the server's end does
	hangAll    bool   // and nobody else is served meanwhile

	leakLasts bool
}{
	"cgi":     {crashStatus: 502, hang: "cgi:timeout=3s", hangStatus: 504},
	"prefork": {restarts: 1, hang: "prefork:workers=1,timeout=3s", hangStatus: 0, leakLasts: true},
	"serial":  {restarts: 1, dies: true, hang: "serial", hangStatus: -1, hangStays: true, hangAll: true, leakLasts: true},
	// A crash hurts the threads of one process only: with one process, all.
	"threads":   {crash: "threads:workers=1", crashHurts: true, restarts: 1, hang: "threads:workers=1,threads=2,timeout=3s", hangStatus: -1, hangStays: true, leakLasts: true},
	"eventloop": {crashHurts: true, restarts: 1, dies: true, hang: "eventloop", hangStatus: -1, leakLasts: true},
	"async":     {crashHurts: true, restarts: 1, dies: true, hang: "async", hangStatus: -1, leakLasts: true},
	// The gateway answers for a worker that has died.
	"fastcgi": {crashStatus: 502, restarts: 1, hang: "fastcgi:workers=1,timeout=3s", hangStatus: 502, leakLasts: true},
	"scgi":    {crashStatus: 502, restarts: 1, hang: "scgi:workers=1,timeout=3s", hangStatus: 502, leakLasts: true},
	"uwsgi":   {crashStatus: 502, restarts: 1, hang: "uwsgi:workers=1,timeout=3s", hangStatus: 502, leakLasts: true},
}

func eachModel(t *testing.T, test func(t *testing.T, name string)) {
	for _, m := range builtins() {
		t.Run(m.Name, func(t *testing.T) {
			if _, ok := faults[m.Name]; !ok {
				t.Fatal("the table of faults doesn't say what a fault costs under this model")
			}
			t.Parallel()
			test(t, m.Name)
		})
	}
}

type outcome struct {
	status int // 0 = no answer
	body   string
	err    error
}

// asks sends a request and returns where its outcome will be, once a slot
// shows it.
func asks(ctx context.Context, t *testing.T, inst *servers.Instance, target string) <-chan outcome {
	t.Helper()
	busy := inst.Status().Busy()
	done := make(chan outcome, 1)
	go func() { done <- get(ctx, inst, target) }()
	eventually(t, target+" in progress", func() bool { return inst.Status().Busy() > busy })
	return done
}

func get(ctx context.Context, inst *servers.Instance, target string) outcome {
	resp, body, err := ask(ctx, http.MethodGet, inst.URL()+target, nil)
	if err != nil {
		return outcome{err: err}
	}
	return outcome{resp.StatusCode, body, nil}
}

func TestCrashUnderSupervision(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		want := faults[name]
		inst := supervised(t, cmp.Or(want.crash, name))
		other := asks(t.Context(), t, inst, "/wait?ms=4000")
		if got := get(t.Context(), inst, "/crash"); got.status != want.crashStatus {
			t.Errorf("the crash: %+v, want status %d", got, want.crashStatus)
		}
		// Whoever comes now finds a server, if need be after some waiting.
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK || got.body != "hello\n" {
					t.Errorf("after the crash: %+v", got)
				}
			})
		}
		wg.Wait()
		if got := <-other; (got.status != http.StatusOK) != want.crashHurts {
			t.Errorf("the request beside it: %+v, want it hurt: %v", got, want.crashHurts)
		}
		eventually(t, "the restart being counted", func() bool { return inst.Status().Restarts >= want.restarts })
		eventually(t, "no slot left to the dead", func() bool { return inst.Status().Busy() == 0 })
		if st := inst.Status(); st.Restarts != want.restarts {
			t.Errorf("%d restarts, want %d", st.Restarts, want.restarts)
		}
		if err := inst.Err(); err != nil {
			t.Errorf("ended: %v", err)
		}
		if err := inst.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCrashWithoutSupervision(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		inst := launch(t, name)
		if got := get(t.Context(), inst, "/crash"); got.status != faults[name].crashStatus {
			t.Errorf("the crash: %+v, want status %d", got, faults[name].crashStatus)
		}
		if !faults[name].dies {
			if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK || inst.Err() != nil {
				t.Errorf("after the crash: %+v, %v", got, inst.Err())
			}
			return
		}
		<-inst.Done()
		if err := inst.Err(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("exit status %d", app.CrashStatus)) ||
			!strings.Contains(err.Error(), "crash was asked for") {
			t.Errorf("it ended with %v", err)
		}
		if got := get(t.Context(), inst, "/hello"); !errors.Is(got.err, syscall.ECONNREFUSED) {
			t.Errorf("after its end: %+v, want the connection refused", got)
		}
	})
}

// What dead processes have used stays counted: thrice the work with a crash
// after each costs more than twice as much as the first.
func TestCrashesKeepTheAccount(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		inst := supervised(t, name)
		var last time.Duration
		look := func() time.Duration {
			u, err := inst.Usage()
			if err != nil {
				t.Fatal(err)
			}
			if u.CPU < last {
				t.Errorf("processor time went back from %v to %v", last, u.CPU)
			}
			last = u.CPU
			return last
		}
		begun := look()
		var once time.Duration
		for n := range 3 {
			if got := get(t.Context(), inst, "/cpu?units=1000"); got.status != http.StatusOK {
				t.Fatalf("%+v", got)
			}
			if n == 0 {
				eventually(t, "the work being counted", func() bool { return look() > begun+20*time.Millisecond })
				once = last - begun
			}
			get(t.Context(), inst, "/crash")
			look()
		}
		eventually(t, "all work being counted", func() bool { return look()-begun > 2*once })
	})
}

func TestHang(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		want := faults[name]
		inst := supervised(t, want.hang)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hung := asks(ctx, t, inst, "/hang")
		if want.hangStays {
			hangsOn(t, inst, hung, want.hangAll)
			return
		}
		if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK {
			t.Errorf("another request: %+v", got)
		}
		if want.hangStatus < 0 {
			if len(hung) > 0 {
				t.Errorf("the hung request: %+v", <-hung)
			}
			cancel()
		}
		if got := <-hung; got.status != max(0, want.hangStatus) {
			t.Errorf("the hung request: %+v, want status %d", got, want.hangStatus)
		}
		eventually(t, "nothing hanging", func() bool { return inst.Status().Busy() == 0 })
		killed := want.hangStatus == 0 || want.hangStatus == http.StatusBadGateway // it can't say anything itself
		if got := inst.Status().Restarts; (got > 0) != killed {
			t.Errorf("%d restarts", got)
		}
	})
}

// hangsOn is for a model that can't see that a request hangs, nor its client
// leave. What holds a thread then, or the only one there is, holds it until
// somebody ends the process.
func hangsOn(t *testing.T, inst *servers.Instance, hung <-chan outcome, all bool) {
	t.Helper()
	pid := busyPID(t, inst)
	other := make(chan outcome, 1)
	go func() { other <- get(t.Context(), inst, "/hello") }()
	var answer outcome
	if all {
		time.Sleep(300 * time.Millisecond) // in which it can't be answered, however slow the machine
		if len(other) > 0 {
			t.Errorf("another request was answered meanwhile: %+v", <-other)
		}
	} else {
		answer = <-other
	}
	if len(hung) > 0 {
		t.Errorf("the hung request: %+v", <-hung)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := <-hung; got.status != 0 {
		t.Errorf("the hung request: %+v, want its connection reset", got)
	}
	if all { // it has waited in the kernel's queue, which outlives the process
		answer = <-other
	}
	if answer.status != http.StatusOK {
		t.Errorf("another request: %+v", answer)
	}
	eventually(t, "nothing hanging", func() bool { return inst.Status().Busy() == 0 })
	eventually(t, "the restart being counted", func() bool { return inst.Status().Restarts >= 1 })
}

func TestLeak(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		const leaked, much = 2 * 32 << 20, 48 << 20
		inst := start(t, name)
		memory := func() int64 {
			u, err := inst.Usage()
			if err != nil {
				t.Fatal(err)
			}
			return u.Memory
		}
		before := memory()
		for range 2 {
			if got := get(t.Context(), inst, "/leak?mib=32"); got.status != http.StatusOK {
				t.Fatalf("%+v", got)
			}
		}
		eventually(t, "the request being over", func() bool { return inst.Status().Busy() == 0 })
		eventually(t, fmt.Sprintf("memory that lasts: %v, of %d bytes", faults[name].leakLasts, leaked), func() bool {
			return (memory()-before > much) == faults[name].leakLasts
		})
	})
}

// busyPID is the process that serves the one request in progress.
func busyPID(t *testing.T, inst *servers.Instance) (pid int) {
	t.Helper()
	eventually(t, "one busy slot", func() bool {
		for _, s := range inst.Status().Slots {
			if s.Busy {
				pid = s.PID
			}
		}
		return pid != 0
	})
	return pid
}

func TestDeathGivesTheLockBack(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		inst := supervised(t, name)
		holder := asks(t.Context(), t, inst, "/locked?wait=0&hold=60000")
		p, err := os.FindProcess(busyPID(t, inst))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if got := <-holder; got.status == http.StatusOK {
			t.Errorf("its holder was killed and answered %+v", got)
		}
		if got := get(t.Context(), inst, "/locked?wait=0&hold=0"); got.status != http.StatusOK {
			t.Errorf("the next: %+v", got)
		}
	})
}

func TestInstancesDontShareTheLock(t *testing.T) {
	t.Parallel()
	eachModel(t, func(t *testing.T, name string) {
		one, other := launch(t, name), start(t, name)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		holder := asks(ctx, t, one, "/locked?wait=0&hold=60000")
		if got := get(t.Context(), other, "/locked?wait=0&hold=0"); got.status != http.StatusOK {
			t.Errorf("%+v", got)
		}
		if len(holder) > 0 {
			t.Errorf("the other instance's was over before: %+v", <-holder)
		}
		cancel()
		_ = one.Close(0) // its error names what had to be killed
	})
}

// A server can be stopped, and dies with the lab, at any moment of its
// being started again.
func TestStopsWhileItIsStartedAgain(t *testing.T) {
	c, err := servers.Resolve("async")
	if err != nil {
		t.Fatal(err)
	}
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		inst, err := servers.Start(t.Context(), c, servers.Launch{Programs: p, Supervise: true})
		if err != nil {
			t.Fatal(err)
		}
		get(t.Context(), inst, "/crash")
		time.Sleep(time.Duration(n) * 20 * time.Millisecond) // any moment of the pause and of the new start
		if err := inst.Close(20 * time.Second); err != nil {
			t.Error(err)
		}
		for _, pid := range inst.PIDs() {
			t.Errorf("left process %d behind", pid)
		}
		if got := get(t.Context(), inst, "/hello"); !errors.Is(got.err, syscall.ECONNREFUSED) {
			t.Errorf("after the stop: %+v, want the connection refused", got)
		}
	}
}

func TestBootFailureIsAnErrorUnderSupervisionToo(t *testing.T) {
	c, err := servers.Resolve("async")
	if err != nil {
		t.Fatal(err)
	}
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	p.Server = p.App // which is no server: it exits at once
	inst, err := servers.Start(t.Context(), c, servers.Launch{Programs: p, Supervise: true})
	if err == nil {
		_ = inst.Close(0)
	}
	if err == nil || !strings.Contains(err.Error(), "exited before it answered") || !strings.Contains(err.Error(), "REQUEST_METHOD") {
		t.Errorf("error %v, want one that tells how it ended", err)
	}
}
