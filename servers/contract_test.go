//go:build unix

package servers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

// programs builds labserver and labapp once for all tests.
var programs = sync.OnceValues(func() (servers.Programs, error) {
	return servers.FindPrograms(context.Background(), io.Discard)
})

// database are the programs with drivers, and the table, once for all tests.
var database = sync.OnceValues(func() (servers.Programs, error) {
	p, err := programs()
	if err != nil {
		return p, err
	}
	return p.WithDatabase(context.Background(), io.Discard)
})

// orSkip skips a test for want of a program.
func orSkip(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("LAB_REQUIRE") != "":
		t.Fatalf("%v, and LAB_REQUIRE is set", err)
	default:
		t.Skip(err)
	}
}

// start starts a model and stops it with the test, checking that nothing is
// left of it.
func start(t *testing.T, spec string) *servers.Instance {
	t.Helper()
	return stopped(t, spec, launch(t, spec))
}

// supervised is start for a model that is to survive its own death.
func supervised(t *testing.T, spec string) *servers.Instance {
	t.Helper()
	return stopped(t, spec, launchAs(t, spec, servers.Launch{Supervise: true}))
}

func stopped(t *testing.T, spec string, inst *servers.Instance) *servers.Instance {
	t.Cleanup(func() {
		if err := inst.Close(20 * time.Second); err != nil {
			t.Errorf("%s did not stop cleanly: %v", spec, err)
		}
	})
	return inst
}

// launch is start for a test that stops the model itself.
func launch(t testing.TB, spec string) *servers.Instance {
	t.Helper()
	return launchAs(t, spec, servers.Launch{})
}

func launchAs(t testing.TB, spec string, l servers.Launch) *servers.Instance {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	if servers.NeedDrivers(l.Services) {
		if p, err = database(); err != nil {
			t.Fatal(err)
		}
		orSkip(t, c.AvailableFor(l.Services))
	}
	l.Programs = p
	inst, err := servers.Start(t.Context(), c, l)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request that showed it ready being over", func() bool { return inst.Status().Busy() == 0 })
	t.Cleanup(func() {
		_ = inst.Close(0) // already stopped, but for a test that failed early
		for _, pid := range inst.PIDs() {
			t.Errorf("%s left process %d behind", spec, pid)
		}
		for _, s := range inst.Services() {
			for _, pid := range s.PIDs() {
				t.Errorf("%s of %s left process %d behind", s.Service, spec, pid)
			}
		}
		if holdsPort(t, inst.Addr()) {
			t.Errorf("the lab still listens on %s, which was for %s", inst.Addr(), spec)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", spec, inst.Log())
		}
	})
	return inst
}

// holdsPort says whether this process listens on a port. That one of the
// instance's does is told by its process being left; and others are free to be
// given the port as soon as it is.
func holdsPort(t testing.TB, addr string) bool {
	t.Helper()
	if runtime.GOOS != "linux" {
		return false
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == "socket:["+f[9]+"]" {
				return true
			}
		}
	}
	return false
}

func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		return runtime.GOOS != "linux" && syscall.Kill(pid, 0) == nil
	}
	return !strings.Contains(string(b), ") Z ") // a zombie holds nothing
}

// eventually waits for a condition, however slow the machine.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// ask sends one request on a connection of its own.
func ask(ctx context.Context, method, url string, body io.Reader) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, "", err
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// The contract that every model keeps. A new row in the table is tested by
// being there.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, m := range builtins() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			keepsContract(t, m.Name)
		})
	}
}

func keepsContract(t *testing.T, spec string) {
	t.Run("answers like the application", func(t *testing.T) { answersAlike(t, spec) })
	t.Run("shows a busy slot", func(t *testing.T) { showsBusySlot(t, spec) })
	t.Run("counts its processor time", func(t *testing.T) { countsCPU(t, spec) })
	t.Run("finishes what it serves when told to stop", func(t *testing.T) { finishesOnTerm(t, spec) })
	t.Run("stops while a request hangs", func(t *testing.T) { stopsWhileHanging(t, spec) })
	t.Run("survives clients that go away", func(t *testing.T) { survivesClients(t, spec) })
	t.Run("has one lock for all its processes", func(t *testing.T) { hasOneLock(t, spec) })
	t.Run("refuses what is not HTTP", func(t *testing.T) { refusesRubbish(t, spec) })
}

// answersAlike also has every backing service there, to be called, but under the
// race detector those for which another server is started, which is built
// without it.
func answersAlike(t *testing.T, spec string) {
	var l servers.Launch
	for _, s := range servers.Services() {
		if s.Drivers && servers.RaceEnabled {
			continue
		}
		b, err := servers.NewBacking(s.Name, s.Verifying)
		if err != nil {
			t.Fatal(err)
		}
		l.Services = append(l.Services, b)
	}
	if err := stopped(t, spec, launchAs(t, spec, l)).Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func showsBusySlot(t *testing.T, spec string) {
	inst := start(t, spec)
	served := inst.Status().Served
	done := make(chan error, 1)
	go func() {
		_, _, err := ask(t.Context(), "GET", inst.URL()+"/wait?ms=2000", nil)
		done <- err
	}()
	var shown process.Status
	eventually(t, "a busy slot while a request waits", func() bool {
		shown = inst.Status()
		return shown.Busy() > 0
	})
	var dead []process.SlotStatus
	for _, s := range shown.Slots {
		if s.Busy && !alive(s.PID) {
			dead = append(dead, s)
		}
	}
	if len(dead) > 0 && len(done) == 0 { // else the request was over before we looked
		t.Errorf("busy slots in processes that don't live: %+v", dead)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	eventually(t, "no busy slot afterwards, one more served", func() bool {
		st := inst.Status()
		return st.Busy() == 0 && st.Served > served
	})
}

func countsCPU(t *testing.T, spec string) { countsWork(t, start(t, spec)) }

func countsWork(t *testing.T, inst *servers.Instance) {
	before, err := inst.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if before.Processes < 1 || before.Memory < 100<<10 || before.Threads < before.Processes {
		t.Errorf("usage before work is not credible: %+v", before)
	}
	// Together 2000 units, 0.2 s of hashing where a unit is what it is meant to be:
	// far more than serving them costs, on a faster machine too.
	for range 10 {
		if _, _, err := ask(t.Context(), "GET", inst.URL()+"/cpu?units=200", nil); err != nil {
			t.Fatal(err)
		}
	}
	var used time.Duration
	eventually(t, "processor time counted, also of processes that have ended", func() bool {
		after, err := inst.Usage()
		if err != nil {
			return false
		}
		used = after.CPU - before.CPU
		if fronts := len(inst.Hops()) > 1; fronts != (after.Front > 0) || fronts && after.Front-before.Front > used/2 {
			t.Errorf("of %v the front has used %v, and %v before; it computes nothing", used, after.Front, before.Front)
		}
		return used > 30*time.Millisecond || after.Partial
	})
}

func finishesOnTerm(t *testing.T, spec string) {
	inst := start(t, spec)
	type answer struct {
		body string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		_, body, err := ask(t.Context(), "GET", inst.URL()+"/wait?ms=2000", nil)
		done <- answer{body, err}
	}()
	eventually(t, "the request being served", func() bool { return inst.Status().Busy() > 0 })
	if err := inst.Close(20 * time.Second); err != nil {
		t.Error(err)
	}
	if a := <-done; a.err != nil || !strings.Contains(a.body, "2000") {
		t.Errorf("the request under way was answered %q, %v; want it finished", a.body, a.err)
	}
}

func stopsWhileHanging(t *testing.T, spec string) {
	inst := launch(t, spec)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = ask(ctx, "GET", inst.URL()+"/hang", nil) // ends when the server does
	}()
	eventually(t, "the request hanging", func() bool { return inst.Status().Busy() > 0 })
	pids := inst.PIDs()
	_ = inst.Close(100 * time.Millisecond) // its error names what had to be killed
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	<-done
}

func survivesClients(t *testing.T, spec string) { survivesClientsOf(t, start(t, spec)) }

func survivesClientsOf(t *testing.T, inst *servers.Instance) {
	for _, sent := range []string{"", "GET /he", "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc", "GET /bytes?n=4000000 HTTP/1.1\r\nHost: x\r\n\r\n"} {
		c, err := net.Dial("tcp", inst.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	if err := inst.Verify(t.Context()); err != nil {
		t.Errorf("after clients that went away: %v", err)
	}
}

func hasOneLock(t *testing.T, spec string) { holdsOneLock(t, start(t, spec)) }

func holdsOneLock(t *testing.T, inst *servers.Instance) {
	const together, hold = 3, 200 * time.Millisecond
	begun := time.Now()
	var wg sync.WaitGroup
	for range together {
		wg.Go(func() {
			_, body, err := ask(t.Context(), "GET", inst.URL()+"/locked?wait=0&hold=200", nil)
			if err != nil || body != "waited 0 ms\nheld 200 ms\n" {
				t.Errorf("answered %q, %v", body, err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begun); took < together*hold {
		t.Errorf("%d requests that each hold the lock for %v took %v", together, hold, took)
	}
}

func refusesRubbish(t *testing.T, spec string) {
	inst := start(t, spec)
	for _, sent := range []string{
		"hello?\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", // no Host
		"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n", // no colon
		"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
		"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"\x00\x07\x00\x00GET",
	} {
		c, err := net.Dial("tcp", inst.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(45 * time.Second)); err != nil {
			t.Fatal(err)
		}
		// The server may close before it has read all: that is a refusal too.
		_, _ = io.WriteString(c, sent)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		b, err := io.ReadAll(c)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%.40q: no answer and no close", sent)
		}
		if len(b) > 0 && !strings.HasPrefix(string(b), "HTTP/1.1 4") && !strings.HasPrefix(string(b), "HTTP/1.0 4") {
			t.Errorf("%.40q: answered %.60q, want a 4xx status or a closed connection", sent, b)
		}
		c.Close()
	}
	if err := inst.Verify(t.Context()); err != nil {
		t.Errorf("after rubbish: %v", err)
	}
}

func TestStartRefusesToBeExposed(t *testing.T) {
	c, err := servers.Resolve("async")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"0.0.0.0:0":      "can be reached from other machines",
		"[::]:0":         "can be reached from other machines",
		":8000":          "can be reached from other machines",
		"example.test:0": "can be reached from other machines",
		"localhost":      "expected HOST:PORT",
	} {
		inst, err := servers.Start(t.Context(), c, servers.Launch{Addr: addr})
		if err == nil {
			_ = inst.Close(0)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", addr, err, want)
		}
	}
}

func TestStartSaysThatAnAddressIsInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := servers.Resolve("async")
	if err != nil {
		t.Fatal(err)
	}
	_, err = servers.Start(t.Context(), c, servers.Launch{Addr: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("error %v, want one that says address already in use and what to try", err)
	}
}

// needs skips a test of programs that are not installed.
func needs(t testing.TB, spec string) {
	t.Helper()
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	switch err := c.Available(); {
	case err != nil && os.Getenv("LAB_REQUIRE") != "":
		t.Fatalf("%v, and LAB_REQUIRE is set", err)
	case err != nil:
		t.Skip(err)
	}
}
