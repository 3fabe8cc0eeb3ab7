package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// threads starts the threads model and waits until its workers are ready.
func threads(tb testing.TB, workers, each int, words ...string) *server {
	tb.Helper()
	s := serve(tb, append([]string{"threads", "backlog=128", "timeout=30s", "graceful_timeout=30s", "keepalive=60s", "connections=1000",
		"queue=1000", "max_requests=0", "max_requests_jitter=0", "workers=" + strconv.Itoa(workers), "threads=" + strconv.Itoa(each)}, words...)...)
	until(tb, "the threads are ready", func() bool { return len(s.Board().Read().Slots) == workers*each })
	return s
}

// A caller is a client with a connection that is kept.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func call(t *testing.T, addr string) *caller {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &caller{c, bufio.NewReader(c)}
}

func (c *caller) send(t *testing.T, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: lab\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
}

func (c *caller) read(t *testing.T) (resp *http.Response, body string) {
	t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// Connections that are kept, and those on which nothing has come, hold no
// thread: twenty of each leave the one there is to others, and are served when
// they say something.
func TestIdleConnectionsHoldNoThread(t *testing.T) {
	t.Parallel()
	s := threads(t, 1, 1)
	var idle []*caller
	for range 20 {
		silent, kept := call(t, s.addr), call(t, s.addr)
		kept.send(t, "/hello")
		if resp, _ := kept.read(t); resp.Close {
			t.Fatal("the connection is not kept")
		}
		idle = append(idle, silent, kept)
	}
	until(t, "no thread is held", func() bool { return s.Board().Read().Busy() == 0 })
	if err := get(s.addr, "/hello"); err != nil {
		t.Error(err)
	}
	for _, c := range idle {
		c.send(t, "/hello")
		if _, body := c.read(t); body != "hello\n" {
			t.Errorf("answered %q", body)
		}
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	s := threads(t, 1, 1, "keepalive=300ms", "timeout=2s")
	silent, kept := call(t, s.addr), call(t, s.addr)
	kept.send(t, "/hello")
	kept.read(t)
	for name, c := range map[string]*caller{"silent": silent, "kept": kept} {
		if n, err := io.Copy(io.Discard, c.in); n > 0 || err != nil {
			t.Errorf("the %s connection: %d bytes, %v; want it closed", name, n, err)
		}
	}
}

// T threads serve T requests at a time and no more; the rest wait in the
// process and are shown as waiting.
func TestThreadsAreBounded(t *testing.T) {
	t.Parallel()
	s := threads(t, 1, 3)
	const all = 6
	var wg sync.WaitGroup
	for range all {
		wg.Go(func() {
			if err := get(s.addr, "/wait?ms=3000"); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "three served, three waiting", func() bool {
		st := s.Board().Read()
		if st.Busy() > 3 {
			t.Errorf("%d requests in progress", st.Busy())
		}
		return st.Busy() == 3 && st.Queued == all-3
	})
	wg.Wait()
	until(t, "all over", func() bool {
		st := s.Board().Read()
		return st.Busy() == 0 && st.Queued == 0 && st.Served == all
	})
}

// A worker that holds as many connections as it may, and one with queue=0 whose
// threads are busy, leaves the rest in the kernel's queue, where the other
// worker takes it: nobody waits behind the long request.
func TestBusyWorkerLeavesConnectionsToOthers(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"queue=0", "connections=1"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			s := threads(t, 2, 1, limit)
			long := waits(t, s, "/wait?ms=5000")
			for range 8 {
				if err := get(s.addr, "/hello"); err != nil {
					t.Error(err)
				}
			}
			if len(long) > 0 {
				t.Fatalf("somebody waited for the long request, which ended with %v", <-long)
			}
			if err := <-long; err != nil {
				t.Error(err)
			}
		})
	}
}

// A crash is the end of its process with all threads, and of no other.
func TestCrashHurtsOneProcess(t *testing.T) {
	t.Parallel()
	s := threads(t, 2, 2, "queue=0") // or the crash may wait behind a full process's requests
	type waiter struct {
		pid  int
		done <-chan error
	}
	var waiters []waiter
	for range 3 { // of which some process has two, and some thread is free
		before := map[int]int{}
		for _, slot := range s.Board().Read().Slots {
			if slot.Busy {
				before[slot.PID]++
			}
		}
		done := waits(t, s, "/wait?ms=5000")
		for _, slot := range s.Board().Read().Slots {
			if slot.Busy {
				if before[slot.PID]--; before[slot.PID] < 0 {
					waiters = append(waiters, waiter{slot.PID, done})
				}
			}
		}
	}
	if err := get(s.addr, "/crash"); err == nil {
		t.Error("the crash was answered")
	}
	until(t, "the dead process is replaced", func() bool {
		st := s.Board().Read()
		return st.Restarts == 1 && len(st.Slots) == 4
	})
	living := map[int]bool{}
	for _, slot := range s.Board().Read().Slots {
		living[slot.PID] = true
	}
	for _, w := range waiters {
		if err := <-w.done; (err == nil) != living[w.pid] {
			t.Errorf("a request in process %d, which lives: %v, ended with %v", w.pid, living[w.pid], err)
		}
	}
	if len(waiters) != 3 {
		t.Errorf("%d requests were seen", len(waiters))
	}
}

func TestThreadsServePipelines(t *testing.T) {
	t.Parallel()
	s := threads(t, 1, 1)
	c := call(t, s.addr)
	const many = 2*100 + 50 // more than are served in one go
	go func() {
		for range many {
			if _, err := io.WriteString(c, "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
				return // it was told that the connection would be closed
			}
		}
	}()
	for n := 1; ; n++ {
		resp, body := c.read(t)
		if body != "hello\n" {
			t.Fatalf("answer %d: %q", n, body)
		}
		if resp.Close || n == many {
			break
		}
	}
	if err := get(s.addr, "/hello"); err != nil {
		t.Error(err)
	}
}

// A body that the application doesn't read is dropped to keep the connection.
func TestThreadsKeepTheConnectionAfterAnUnreadBody(t *testing.T) {
	s := threads(t, 1, 1)
	c := call(t, s.addr)
	if _, err := io.WriteString(c, "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000)); err != nil {
		t.Fatal(err)
	}
	if resp, _ := c.read(t); resp.StatusCode != http.StatusMethodNotAllowed || resp.Close {
		t.Errorf("answered %s, close %v", resp.Status, resp.Close)
	}
	c.send(t, "/hello")
	if _, body := c.read(t); body != "hello\n" {
		t.Errorf("answered %q", body)
	}
}

// parked is how many sockets the workers have watched for them.
func parked(t *testing.T, s *server) (n int) {
	t.Helper()
	pids := map[int]bool{}
	for _, slot := range s.Board().Read().Slots {
		pids[slot.PID] = true
	}
	for pid := range pids {
		infos, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		for _, info := range infos {
			text, _ := os.ReadFile(info) // closed meanwhile
			for _, watched := range regexp.MustCompile(`(?m)^tfd:\s*(\d+)`).FindAllSubmatch(text, -1) {
				to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, watched[1]))
				if strings.HasPrefix(to, "socket:") {
					n++
				}
			}
		}
	}
	return n
}

func TestThreadsTerminate(t *testing.T) {
	t.Parallel()
	s := threads(t, 2, 2, "queue=0") // or a worker may take a third request for which only the other has a thread
	kept, silent := call(t, s.addr), call(t, s.addr)
	kept.send(t, "/hello")
	kept.read(t)
	// A thread that asks the silent one for its request would be taken for one
	// that has another's.
	until(t, "both connections are parked", func() bool { return runtime.GOOS != "linux" || parked(t, s) == 2 })
	until(t, "nobody holds a thread", func() bool { return s.Board().Read().Busy() == 0 })
	answers := []<-chan error{waits(t, s, "/wait?ms=3000"), waits(t, s, "/wait?ms=3000"), waits(t, s, "/wait?ms=3000")}
	if err := s.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
	for _, a := range answers {
		if err := <-a; err != nil {
			t.Errorf("a request in hand: %v", err)
		}
	}
	for name, c := range map[string]*caller{"kept": kept, "silent": silent} {
		if n, _ := io.Copy(io.Discard, c.in); n > 0 {
			t.Errorf("the %s connection got %d bytes", name, n)
		}
	}
}

func TestThreadsLeaveAfterMaxRequests(t *testing.T) {
	s := threads(t, 2, 2, "max_requests=20", "max_requests_jitter=10")
	first := map[int]bool{}
	for _, slot := range s.Board().Read().Slots {
		first[slot.PID] = true
	}
	stop := load(t, s.addr)
	until(t, "both first workers have left", func() bool {
		for _, slot := range s.Board().Read().Slots {
			if first[slot.PID] {
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

// The heartbeat is the process's: a hung request goes unnoticed, a process that
// can't run is replaced with all its threads.
func TestThreadsHeartbeatIsTheProcesss(t *testing.T) {
	t.Parallel()
	s := threads(t, 2, 2, "timeout=2s")
	hung := waits(t, s, "/hang")
	hangs := 0
	for _, slot := range s.Board().Read().Slots {
		if slot.Busy {
			hangs = slot.PID
		}
	}
	defer func() { _ = syscall.Kill(hangs, syscall.SIGKILL) }() // or its stop would wait for it
	victim := 0
	for _, slot := range s.Board().Read().Slots {
		if slot.PID != hangs {
			victim = slot.PID
		}
	}
	if err := syscall.Kill(victim, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the stopped process is replaced", func() bool {
		st := s.Board().Read()
		return st.Restarts == 1 && len(st.Slots) == 4
	})
	if len(hung) > 0 {
		t.Errorf("the hung request ended: %v", <-hung)
	}
}

func TestThreadsRefuseToBeTooMany(t *testing.T) {
	s := serve(t, "threads", "workers=1024", "threads=2", "backlog=128", "timeout=30s", "graceful_timeout=30s")
	<-s.Done()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "which is the most") {
		t.Errorf("got %v", err)
	}
}
