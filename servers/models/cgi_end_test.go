package models_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// family is a program with a child and a grandchild that never end.
func family(t *testing.T, first string) (program, pids string) {
	t.Helper()
	pids = filepath.Join(t.TempDir(), "pids")
	return script(t, "family", first+`
sh -c 'sleep 1000 & echo $$ $! >> `+pids+`; wait' &
sleep 1000 &
echo $$ $! >> `+pids+`
wait`), pids
}

func TestCGIHangIsKilledWithDescendants(t *testing.T) {
	t.Parallel()
	program, file := family(t, "echo 'about to hang' >&2")
	m := startCGI(t, program, "timeout=2s")
	if status, body := get(t, m.url("/slow")); status != 504 || body != "504 gateway timeout\n" {
		t.Errorf("%d %q", status, body)
	}
	gone(t, pidsIn(t, file, 4))
	m.idle(t)
	eventually(t, "the log", func() bool {
		return strings.Contains(m.log.String(), `killed: timed out; stderr: "about to hang\n"`)
	})
}

func TestCGIClientGoneKillsChild(t *testing.T) {
	for _, first := range []string{"", `printf 'Content-Type: text/plain\n\npart\n'`} {
		program, file := family(t, first)
		m := startCGI(t, program)
		conn, _ := m.send(t, rawGet("/"))
		pids := pidsIn(t, file, 4)
		conn.Close()
		gone(t, pids)
		m.idle(t)
	}
	program, file := family(t, `printf 'HTTP/1.1 200 OK\r\n\r\npart\n'`)
	nph := filepath.Join(filepath.Dir(program), "nph-family")
	check(t, os.Rename(program, nph))
	m := startCGI(t, nph)
	conn, _ := m.send(t, rawGet("/"))
	pids := pidsIn(t, file, 4)
	conn.Close()
	gone(t, pids)
	m.idle(t)
}

func TestCGIEnds(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(*testing.T, *running)
	}{
		{"SIGINT", func(t *testing.T, m *running) { m.signal(t, os.Interrupt) }},
		{"orphaned", func(t *testing.T, m *running) { check(t, m.lab.Close()) }},
		{"SIGTERM then SIGINT", func(t *testing.T, m *running) {
			m.signal(t, sigterm)
			eventually(t, "a closed port", func() bool { return refusing(m.addr) })
			m.signal(t, os.Interrupt)
		}},
	} {
		t.Run(end.name, func(t *testing.T) {
			program, file := family(t, "")
			m := startCGI(t, program)
			m.send(t, rawGet("/"))
			pids := pidsIn(t, file, 4)
			end.do(t, m)
			check(t, m.wait(t))
			gone(t, pids)
		})
	}
}

func TestCGITermFinishes(t *testing.T) {
	dir := t.TempDir()
	m := startCGI(t, script(t, "gate", `echo $$ > `+dir+`/pid; while [ ! -e `+dir+`/go ]; do sleep 0.01; done; printf 'Content-Type: text/plain\n\nfinished'`))
	_, r := m.send(t, rawGet("/"))
	pids := pidsIn(t, dir+"/pid", 1)
	m.signal(t, sigterm)
	eventually(t, "a closed port", func() bool { return refusing(m.addr) })
	check(t, os.WriteFile(dir+"/go", nil, 0o600))
	all, err := io.ReadAll(r)
	check(t, err)
	if !bytes.Contains(all, []byte("finished")) {
		t.Errorf("answer %q", all)
	}
	check(t, m.wait(t))
	gone(t, pids)
}
