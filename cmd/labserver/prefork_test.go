package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers/process"
)

// waits sends a request that takes a while and returns a channel with its
// outcome, once a worker has it.
func waits(t *testing.T, s *server, path string) <-chan error {
	t.Helper()
	busy := s.Board().Read().Busy()
	done := make(chan error, 1)
	go func() { done <- get(s.addr, path) }()
	until(t, "a worker has the request", func() bool { return s.Board().Read().Busy() > busy })
	return done
}

func (s *server) send(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// load keeps sending requests until it is stopped; it returns how many were
// answered, and fails the test for each that was not.
func load(t *testing.T, addr string) (stop func() int64) {
	var wg sync.WaitGroup
	var answered, over atomic.Int64
	for range 4 {
		wg.Go(func() {
			for over.Load() == 0 {
				if err := get(addr, "/hello"); err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	return func() int64 {
		over.Store(1)
		wg.Wait()
		return answered.Load()
	}
}

func TestReloadUnderLoadDropsNothing(t *testing.T) {
	s := prefork(t, 2)
	stop := load(t, s.addr)
	for range 5 {
		old := map[int]bool{}
		for _, slot := range s.Board().Read().Slots {
			old[slot.PID] = true
		}
		s.send(t, syscall.SIGHUP)
		until(t, "the old workers are replaced", func() bool {
			slots := s.Board().Read().Slots
			for _, slot := range slots {
				if old[slot.PID] {
					return false
				}
			}
			return len(slots) == 2
		})
	}
	if n := stop(); n == 0 {
		t.Error("no request was answered")
	}
	if n := s.Board().Read().Restarts; n != 0 {
		t.Errorf("%d restarts: workers crashed", n)
	}
}

func TestWorkersLeaveAfterMaxRequests(t *testing.T) {
	s := prefork(t, 2, "max_requests=20", "max_requests_jitter=10")
	first := s.Board().Read().Slots
	stop := load(t, s.addr)
	until(t, "both first workers have left", func() bool {
		for _, slot := range s.Board().Read().Slots {
			if slot.PID == first[0].PID || slot.PID == first[1].PID {
				return false
			}
		}
		return true
	})
	stop()
	if n := s.Board().Read().Restarts; n != 0 {
		t.Errorf("%d restarts: leaving was counted as crashing", n)
	}
}

func TestHungWorkerIsReplacedAndOthersServe(t *testing.T) {
	s := prefork(t, 2, "timeout=2s") // or one that boots late hangs, too
	hung := waits(t, s, "/hang")
	stop := load(t, s.addr)
	until(t, "it is replaced", func() bool {
		st := s.Board().Read()
		return st.Restarts == 1 && len(st.Slots) == 2
	})
	if n := stop(); n == 0 {
		t.Error("the other worker served nothing meanwhile")
	}
	if err := <-hung; err == nil {
		t.Error("the hung request was answered")
	}
	until(t, "the log tells that and where the worker hung", func() bool {
		return strings.Contains(s.Log(), "no sign of life") && strings.Contains(s.Log(), "goroutine ")
	})
}

func TestCrashedWorkerIsReplaced(t *testing.T) {
	s := prefork(t, 1)
	if err := get(s.addr, "/crash"); err == nil {
		t.Error("the crash was survived")
	}
	if err := get(s.addr, "/hello"); err != nil {
		t.Errorf("after the crash: %v", err)
	}
	if n := s.Board().Read().Restarts; n != 1 {
		t.Errorf("%d restarts, want 1", n)
	}
}

func TestTerminateFinishesRequestInHand(t *testing.T) {
	t.Parallel()
	s := prefork(t, 2)
	answer := waits(t, s, "/wait?ms=3000")
	if err := s.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("the request in hand: %v", err)
	}
}

func TestIdleWorkersStopAtOnce(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := prefork(t, 4, "timeout=2m")
		start := time.Now()
		s.send(t, sig)
		<-s.Done()
		// Left to itself, a worker in accept would be killed after the
		// graceful timeout.
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("%v took %v", sig, d)
		}
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), "exit status 0") {
			t.Errorf("%v: %v", sig, err)
		}
		if left := s.PIDs(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

func TestInterruptDoesNotWait(t *testing.T) {
	s := prefork(t, 1)
	answer := waits(t, s, "/wait?ms=60000")
	s.send(t, syscall.SIGINT)
	select {
	case <-s.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for the request")
	}
	if err := <-answer; err == nil {
		t.Error("the request was answered")
	}
}

func TestStopKillsHungWorker(t *testing.T) {
	s := prefork(t, 1)
	waits(t, s, "/hang")
	if err := s.Stop(200 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "had to be killed") {
		t.Errorf("got %v", err)
	}
}

func TestSilentClientHoldsWorkerOnlyForTimeout(t *testing.T) {
	t.Parallel()
	s := prefork(t, 1, "timeout=2s")
	for _, begin := range []string{"", "GET / HTTP/1.1\r\nHost:", "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\nab"} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
		until(t, "it holds the worker", func() bool { return s.Board().Read().Busy() == 1 })
		if err := get(s.addr, "/hello"); err != nil {
			t.Errorf("behind a client that sent %q: %v", begin, err)
		}
		answer, err := io.ReadAll(c)
		if want := begin != ""; err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 408 ") != want {
			t.Errorf("a client that sent %q got %q, %v", begin, answer, err)
		}
	}
	if n := s.Board().Read().Restarts; n != 0 {
		t.Errorf("%d restarts: waiting for a client was taken for hanging", n)
	}
}

func TestSlowStreamIsNotTakenForHanging(t *testing.T) {
	t.Parallel()
	s := prefork(t, 1, "timeout=2s")
	if err := get(s.addr, "/stream?chunks=8&every=500"); err != nil {
		t.Error(err)
	}
	if n := s.Board().Read().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

func TestBootFailureStops(t *testing.T) {
	s := serve(t, preforkWords("max_requests=many")...)
	<-s.Done()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "max_requests") {
		t.Errorf("got %v", err)
	}
}

func TestByHand(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"prefork workers=1", "lab serve prefork"},
		{"nosuch", `no model "nosuch"`},
		{"prefork workers", "expected key=value"},
		{"", "usage: labserver"},
		{"--wrong", "not defined"},
	} {
		out, err := labserver(strings.Fields(c.args)...).CombinedOutput()
		var status *exec.ExitError
		if !errors.As(err, &status) || status.ExitCode() != exitUsage || !strings.Contains(string(out), c.want) {
			t.Errorf("labserver %s: %v, %q; want exit status 2 and %q", c.args, err, out, c.want)
		}
	}
}

// lab stands in for a lab that is killed in the middle of everything: one of
// its workers hangs, one computes, one waits for a client.
func lab() int {
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		return 1
	}
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{labserver(preforkWords("workers=4")...)}, Listener: listener})
	if err != nil {
		return 1
	}
	listener.Close()
	for _, request := range []string{"GET /hang HTTP/1.0\r\n\r\n", "GET /cpu?units=100000 HTTP/1.0\r\n\r\n", "G"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return 1
		}
		if _, err := io.WriteString(c, request); err != nil {
			return 1
		}
		defer c.Close()
	}
	for end := time.Now().Add(30 * time.Second); g.Board().Read().Busy() < 3 || len(g.PIDs()) < 5; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			fmt.Fprintln(os.Stderr, "the workers don't get busy; log:", g.Log())
			return 1
		}
	}
	for _, pid := range g.PIDs() {
		fmt.Print(pid, " ")
	}
	fmt.Println()
	time.Sleep(time.Hour)
	return 0
}

func TestKilledLabLeavesNothing(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), beLab+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = cmd.Wait() // it was killed
	for _, word := range strings.Fields(line) {
		until(t, "process "+word+" is gone", func() bool {
			b, err := os.ReadFile("/proc/" + word + "/stat")
			return err != nil || strings.Contains(string(b), ") Z ")
		})
	}
	t.Logf("all gone after %v", time.Since(start))
}

// get is a lean client: one connection, one request, the whole answer.
func get(addr, path string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
