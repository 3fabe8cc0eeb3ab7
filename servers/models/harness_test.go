package models_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers/models"
	"gatewaylab/servers/process"
)

const patience = 30 * time.Second

// running is a model in a process of its own: this test's executable again,
// started as the lab starts labserver.
type running struct {
	cmd    *exec.Cmd
	addr   string
	board  *process.Scoreboard
	lab    *os.File // the lab's end of the control pipe
	log    *lockedBuffer
	exited chan error
}

const modelVariable = "MODEL_UNDER_TEST"

// TestHTTPModelProcess is the model's process, not a test.
func TestHTTPModelProcess(t *testing.T) {
	words := strings.Fields(os.Getenv(modelVariable))
	if len(words) == 0 {
		return
	}
	for fd := 3; fd <= 5; fd++ {
		syscall.CloseOnExec(fd)
	}
	control := os.NewFile(4, "control")
	orphaned := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, control)
		close(orphaned)
	}()
	board, err := process.OpenScoreboard(os.NewFile(5, "scoreboard"))
	if err == nil {
		var o *models.Options
		if o, err = models.ParseOptions(words[2:]); err == nil {
			var serve models.Server
			if serve, err = models.Lookup(words[0]); err == nil {
				err = serve(&models.Env{Listener: os.NewFile(3, "listener"), Board: board, Orphaned: orphaned, Options: o,
					AppPath: words[1], Log: log.New(os.Stderr, "", 0)})
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// startModel starts a model and stops it at the test's end.
func startModel(t *testing.T, name, program string, options ...string) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	listener, err := ln.(*net.TCPListener).File()
	check(t, err)
	control, lab, err := os.Pipe()
	check(t, err)
	board, boardFile, err := process.NewScoreboard()
	check(t, err)
	m := &running{addr: ln.Addr().String(), board: board, lab: lab, log: &lockedBuffer{}, exited: make(chan error, 1)}
	m.cmd = exec.Command(os.Args[0], "-test.run=^TestHTTPModelProcess$", "-test.v=false")
	// The race detector waits a second at exit unless told not to.
	m.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", modelVariable+"="+strings.Join(append([]string{name, program}, options...), " "))
	m.cmd.ExtraFiles = []*os.File{listener, control, boardFile}
	m.cmd.Stderr = m.log
	check(t, m.cmd.Start())
	for _, c := range []io.Closer{ln, listener, control, boardFile} {
		check(t, c.Close())
	}
	go func() { m.exited <- m.cmd.Wait() }()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill() // most have ended
		m.wait(t)
		lab.Close()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, m.log)
		}
	})
	return m
}

func (m *running) url(target string) string { return "http://" + m.addr + target }

// wait waits for the process to end.
func (m *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-m.exited:
		m.exited <- err
		return err
	case <-time.After(patience):
		t.Fatalf("process %d does not end", m.cmd.Process.Pid)
		return nil
	}
}

func (m *running) signal(t *testing.T, s os.Signal) {
	t.Helper()
	check(t, m.cmd.Process.Signal(s))
}

// send writes a raw request and returns the connection and its reader.
func (m *running) send(t *testing.T, raw string) (net.Conn, *bufio.Reader) {
	t.Helper()
	return dial(t, m.addr, raw)
}

func dial(t *testing.T, addr, raw string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	check(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, raw)
	check(t, err)
	return conn, bufio.NewReader(conn)
}

// rawGet is a request whose connection ends with it.
func rawGet(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: lab.test\r\nConnection: close\r\n\r\n"
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	return do(t, http.MethodGet, url, nil)
}

func do(t *testing.T, method, url string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	check(t, err)
	resp, err := client().Do(req)
	check(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(b)
}

func client() *http.Client {
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for: %s", patience, what)
		}
	}
}

// alive says whether a process is there and not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if os.IsNotExist(err) {
		if _, perr := os.Stat("/proc/self/stat"); perr == nil {
			return false
		}
		return syscall.Kill(pid, 0) == nil
	}
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(stat, ')')
	return i < 0 || i+2 >= len(stat) || stat[i+2] != 'Z'
}

// pidsIn waits for n process numbers in a file that a script writes.
func pidsIn(t *testing.T, file string, n int) []int {
	t.Helper()
	var pids []int
	eventually(t, fmt.Sprintf("%d process numbers in %s", n, filepath.Base(file)), func() bool {
		b, _ := os.ReadFile(file)
		if !bytes.HasSuffix(b, []byte("\n")) {
			return false
		}
		pids = nil
		for _, w := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(w)
			check(t, err)
			pids = append(pids, pid)
		}
		return len(pids) >= n
	})
	return pids
}

func gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("the end of process %d", pid), func() bool { return !alive(pid) })
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const sigterm = syscall.SIGTERM

func refusing(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err != nil && os.Getenv("LAB_REQUIRE") != "":
		t.Fatalf("needs %s, and LAB_REQUIRE is set: %v", program, err)
	case err != nil:
		t.Skipf("needs %s: %v", program, err)
	}
	return path
}

// buildLabapp builds the application's program.
func buildLabapp(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "labapp")
	out, err := exec.Command(lookPath(t, "go"), "build", "-o", file, "gatewaylab/cmd/labapp").CombinedOutput()
	if err != nil {
		t.Fatalf("build labapp: %v\n%s", err, out)
	}
	return file
}
