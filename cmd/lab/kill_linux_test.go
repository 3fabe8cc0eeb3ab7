package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

// startLab starts this test binary as lab, with some variables more, and marked
// so that its descendants can be found after it is gone.
func startLab(t *testing.T, environ []string, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer, mark string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mark = fmt.Sprintf("LAB_TEST_MARK=%x", rand.Uint64())
	needPrograms(t)
	cmd = &exec.Cmd{Path: self, Args: append([]string{"lab"}, args...), Dir: t.TempDir(), Env: slices.Concat(os.Environ(), environ, []string{mark})}
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, stderr, mark
}

// A proc is what /proc tells of one process.
type proc struct {
	pid, session int
	name         string
}

func processes(t *testing.T) []proc {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var all []proc
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue // it has just ended
		}
		open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
		fields := strings.Fields(string(b[end+1:]))
		if fields[0] == "Z" {
			continue // a zombie holds nothing
		}
		pid, _ := strconv.Atoi(string(bytes.TrimSpace(b[:open])))
		session, _ := strconv.Atoi(fields[3])
		all = append(all, proc{pid, session, string(b[open+1 : end])})
	}
	return all
}

// family lists the sessions that marked processes lead or belong to, apart
// from this test's own.
func family(t *testing.T, mark string) map[int]bool {
	t.Helper()
	own, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	sessions := map[int]bool{}
	for _, p := range processes(t) {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err == nil && bytes.Contains(env, []byte(mark)) && p.session != int(own) {
			sessions[p.session] = true
		}
	}
	return sessions
}

func survivors(t *testing.T, sessions map[int]bool, mark string) (all []proc) {
	t.Helper()
	later := family(t, mark) // what was started after the last look
	for _, p := range processes(t) {
		if sessions[p.session] || later[p.session] {
			all = append(all, p)
		}
	}
	return all
}

// Nothing outlives a lab that is killed with SIGKILL, whatever it was doing:
// twenty times, at moments spread over starting, warming up, measuring and
// stopping, with every model in turn.
func TestKilledLabLeavesNothing(t *testing.T) {
	models := []string{"cgi", "prefork", "async", "cgi:children=4", "front:instances=2+prefork:workers=2"}
	if _, err := exec.LookPath("nginx"); err == nil {
		models = append(models, "nginx+prefork")
	} else if os.Getenv("LAB_REQUIRE") != "" {
		t.Errorf("needs nginx, and LAB_REQUIRE is set: %v", err)
	}
	scs := []string{"wait", "hello", "cpu"}
	for i := range 20 {
		model, sc := models[i%len(models)], scs[i%len(scs)]
		t.Run(fmt.Sprintf("%02d %s %s", i, model, sc), func(t *testing.T) {
			t.Parallel()
			folders, err := os.MkdirTemp("", "kill") //nolint:usetesting // a test's own folder has too long a name for a socket below it
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(folders)
			cmd, _, mark := startLab(t, []string{"TMPDIR=" + folders}, "compare", model, "--scenario", sc, "--dash", "off",
				"--trials", "100", "--for", "300ms", "--warmup", "100ms", "--out", "out", "--plots", "none")
			var sessions map[int]bool
			deadline := time.Now().Add(30 * time.Second)
			for sessions = family(t, mark); len(sessions) == 0; sessions = family(t, mark) {
				if time.Now().After(deadline) {
					t.Fatal("no server was started within 30 s")
				}
				time.Sleep(5 * time.Millisecond)
			}
			// The moment varies on purpose; whatever it hits must hold.
			time.Sleep(time.Duration(i) * 37 * time.Millisecond)
			for s := range family(t, mark) {
				sessions[s] = true
			}
			ports := listening(t, sessions)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			_ = cmd.Wait() // killed
			for {
				left := survivors(t, sessions, mark)
				still := listening(t, sessions)
				// What was made when nothing ran that could remove it, the
				// next lab to make one removes, after a while if nobody had
				// claimed it yet.
				if len(left) == 0 {
					age(t, folders)
				}
				process.RemoveAbandoned(filepath.Join(folders, servers.FolderPattern))
				kept, err := filepath.Glob(filepath.Join(folders, servers.FolderPattern))
				if err != nil {
					t.Fatal(err)
				}
				if len(left) == 0 && len(still) == 0 && len(kept) == 0 {
					break
				}
				if time.Since(killed) > 10*time.Second { // 2 s on a machine that has nothing else to do
					t.Fatalf("10 s after SIGKILL: processes %v, ports %v (it held %v) and folders %v are left", left, still, ports, kept)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

// age makes what is in a folder an hour old.
func age(t *testing.T, folder string) {
	t.Helper()
	all, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		err := os.Chtimes(filepath.Join(folder, e.Name()), time.Time{}, time.Now().Add(-time.Hour))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// listening lists the inodes of listening sockets held by the sessions'
// processes.
func listening(t *testing.T, sessions map[int]bool) (inodes []string) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	listen := map[string]bool{}
	for _, line := range strings.Split(string(table), "\n") {
		if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" {
			listen["socket:["+f[9]+"]"] = true
		}
	}
	for _, p := range processes(t) {
		if !sessions[p.session] {
			continue
		}
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && listen[to] {
				inodes = append(inodes, to)
			}
		}
	}
	return inodes
}

// Ctrl-C stops everything within two seconds, keeps what was finished, says
// so, and exits with 130.
func TestInterruptedLabKeepsWhatItHas(t *testing.T) {
	for name, args := range map[string][]string{
		"cgi":     {"compare", "cgi"},
		"prefork": {"compare", "prefork"},
		"async":   {"compare", "async"},
		"search":  {"capacity", "prefork", "--slo", "p50<100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, stderr, mark := startLab(t, nil, append(args, "--scenario", "wait", "--dash", "off",
				"--trials", "100", "--for", "200ms", "--warmup", "50ms", "--out", "out")...)
			dir := filepath.Join(cmd.Dir, "out")
			deadline := time.Now().Add(60 * time.Second)
			for {
				if done, _ := filepath.Glob(filepath.Join(dir, "trials", "*.json")); len(done) >= 2 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("no two trials within 60 s:\n%s", stderr)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			asked := time.Now()
			for len(survivors(t, nil, mark)) > 0 {
				if time.Since(asked) > 10*time.Second { // 2 s on a machine that has nothing else to do
					t.Fatal("servers still run 10 s after SIGINT")
				}
				time.Sleep(10 * time.Millisecond)
			}
			_ = cmd.Wait() // its status is looked at below
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit status %d, want 130\n%s", code, stderr)
			}
			if !strings.Contains(stderr.String(), "trials were finished and are in out") {
				t.Errorf("stderr does not say what was kept:\n%s", stderr)
			}
			res, err := scenarios.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if res.State != "interrupted" || len(res.Measured) < 2 {
				t.Errorf("saved: state %q and %d trials, want interrupted and at least 2", res.State, len(res.Measured))
			}
			if _, err := os.Stat(filepath.Join(dir, "report.md")); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that dies in mid-trial costs that trial, not the run.
func TestDyingServerCostsOneTrial(t *testing.T) {
	cmd, stderr, mark := startLab(t, nil, "compare", "async", "--scenario", "wait", "--dash", "off",
		"--trials", "3", "--for", "1500ms", "--warmup", "100ms", "--out", "out", "--plots", "none")
	dir := filepath.Join(cmd.Dir, "out")
	// One trial must be done, so that the probes are over; then the next
	// server to be seen dies.
	deadline := time.Now().Add(60 * time.Second)
	killed := false
	for !killed && time.Now().Before(deadline) {
		if done, _ := filepath.Glob(filepath.Join(dir, "trials", "*.json")); len(done) >= 1 {
			for _, p := range survivors(t, nil, mark) {
				killed = killed || p.name == "labserver" && syscall.Kill(p.pid, syscall.SIGKILL) == nil
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !killed {
		t.Fatalf("found no server to kill:\n%s", stderr)
	}
	if err := cmd.Wait(); err != nil && !busyMachine(stderr.String()) {
		t.Errorf("%v\n%s", err, stderr)
	}
	res, err := scenarios.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	invalid := 0
	for _, tr := range res.Measured {
		reasons := strings.Join(tr.Invalid, " ")
		if strings.Contains(reasons, "died") || strings.Contains(reasons, "did not start") {
			invalid++
		}
	}
	if res.State != "complete" || len(res.Measured) != 3 || invalid != 1 {
		t.Errorf("state %q with %d trials, %d of them invalid because the server died; want complete, 3, 1", res.State, len(res.Measured), invalid)
	}
}
