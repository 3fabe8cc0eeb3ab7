//go:build linux

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

// grace is how long a program may take to stop when it is asked to.
const grace = 20 * time.Second

// programs builds labserver and labapp once for all tests.
var programs = sync.OnceValues(func() (servers.Programs, error) {
	return servers.FindPrograms(context.Background(), io.Discard)
})

// folder makes a private folder that other users can enter: Apache and
// lighttpd leave root.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// configure writes a configuration from a template in testdata.
func configure(t *testing.T, dir, name string, data any) string {
	t.Helper()
	tmpl, err := template.ParseFiles(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, data); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// own copies a file to where other users can run it.
func own(t *testing.T, dir, file, name string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, name)
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// foreignPrograms copies the application's twins to a folder that other users
// can enter, since where the repository is they may not.
func foreignPrograms(t *testing.T) string {
	t.Helper()
	dir := folder(t)
	for _, where := range []string{"testdata/programs/*", "../real/apps/python/*.py"} {
		files, err := filepath.Glob(where)
		if err != nil || len(files) == 0 {
			t.Fatalf("no programs are in %s: %v", where, err)
		}
		for _, f := range files {
			own(t, dir, f, filepath.Base(f))
		}
	}
	return dir
}

// foreign starts a program of others' and stops it with the test, checking
// that nothing is left of it. It finds the listener, which may be nil, as
// descriptor 3.
func foreign(t *testing.T, listener *os.File, command ...string) *process.Group {
	t.Helper()
	return startForeign(t, listener, nil, command...)
}

// startForeign is foreign with files that the program finds as descriptors 6
// and up. A guard of the lab's stands over it, so that the program ends with
// the tests however those end.
func startForeign(t *testing.T, listener *os.File, files []*os.File, command ...string) *process.Group {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"guard", "--"}
	if listener != nil {
		words = []string{"guard", "--activate", "--"}
	}
	cmd := exec.Command(p.Server, append(words, command...)...)
	cmd.ExtraFiles = files
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // or the guard sleeps for a second before it exits
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{cmd}, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(grace); err != nil {
			t.Errorf("%s did not stop cleanly: %v", command[0], err)
		}
		for _, pid := range g.PIDs() {
			t.Errorf("%s left process %d behind", command[0], pid)
		}
		if err := g.Err(); err != nil {
			t.Errorf("%s ended by itself: %v", command[0], err)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", strings.Join(command, " "), g.Log())
		}
	})
	return g
}

// listen binds a port to be inherited.
func listen(t *testing.T) (listener *os.File, addr string) {
	t.Helper()
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener, addr
}

// ours starts a model of the lab's, which is started again when a check has
// killed it.
func ours(t *testing.T, spec string, tls bool) *servers.Instance {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, spec, servers.Launch{Programs: p, Supervise: true, TLS: tls})
}

// host is ours with another program in the application's place.
func host(t *testing.T, spec, program string) *servers.Instance {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	p.App = program
	return launch(t, spec, servers.Launch{Programs: p})
}

func launch(t *testing.T, spec string, l servers.Launch) *servers.Instance {
	t.Helper()
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := servers.Start(t.Context(), c, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := inst.Close(grace); err != nil {
			t.Errorf("%s did not stop cleanly: %v", spec, err)
		}
		for _, pid := range inst.PIDs() {
			t.Errorf("%s left process %d behind", spec, pid)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", spec, inst.Log())
		}
	})
	return inst
}

// siteOf is a site whose application runs in a server of the lab's; with
// whom the client speaks is still to be said.
func siteOf(t *testing.T, inst *servers.Instance) *site {
	t.Helper()
	return siteShowing(t, inst.Status)
}

// siteShowing is a site of which the scoreboard tells.
func siteShowing(t *testing.T, status func() process.Status) *site {
	t.Helper()
	s := &site{
		busy:    func() int { st := status(); return st.Busy() },
		served:  func() uint64 { return status().Served },
		serving: func() []int { return answering(status()) },
		slots:   status().Workers,
	}
	if err := eventually("the request that showed it ready being over", func() bool { return s.busy() == 0 }); err != nil {
		t.Fatal(err)
	}
	return s
}

// answering are the processes in which a model has a request.
func answering(status process.Status) []int {
	var pids []int
	for _, slot := range status.Slots {
		if slot.Busy && !slices.Contains(pids, slot.PID) {
			pids = append(pids, slot.PID)
		}
	}
	return pids
}

// running are the processes of a group that execute the file.
func running(g *process.Group, file string) func() []int {
	return func() []int {
		return slices.DeleteFunc(g.PIDs(), func(pid int) bool { return executes(pid) != file })
	}
}

// workers are the processes of a group that were forked by one that executes
// the same file.
func workers(g *process.Group) func() []int {
	return func() []int {
		return slices.DeleteFunc(g.PIDs(), func(pid int) bool {
			file := executes(pid)
			return file == "" || file != executes(parent(pid))
		})
	}
}

// executes is a process's file, "" of one that has gone.
func executes(pid int) string {
	file, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return ""
	}
	return file
}

func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	var state string
	var ppid int
	_, rest, _ := strings.Cut(string(b), ") ")
	if _, err := fmt.Sscan(rest, &state, &ppid); err != nil {
		return 0
	}
	return ppid
}

// answered waits until a site that has just been started answers.
func answered(t *testing.T, s *site, g *process.Group) *site {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = s.expect(get("/hello"), 200, "hello\n"); err == nil {
			return s
		}
		if died := g.Err(); died != nil {
			t.Fatal(died)
		}
	}
	t.Fatalf("no answer within %v: %v; it printed:\n%s", patience, err, g.Log())
	return nil
}

func isRoot() bool { return os.Geteuid() == 0 }
