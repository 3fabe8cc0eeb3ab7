package models_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/models"
)

// script writes a CGI program for /bin/sh.
func script(t *testing.T, name, body string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
	return file
}

// cgiOptions are the options in full; later ones win.
func cgiOptions(more ...string) []string {
	return append([]string{"children=8", "queue=8", "timeout=30s", "keepalive=60s", "backlog=128"}, more...)
}

func startCGI(t *testing.T, program string, options ...string) *running {
	t.Helper()
	return startModel(t, "cgi", program, cgiOptions(options...)...)
}

// idle waits until no child is left and says what the board counted.
func (m *running) idle(t *testing.T) {
	t.Helper()
	eventually(t, "no busy slot", func() bool {
		st := m.board.Read()
		return st.Busy() == 0 && len(st.Slots) == 0
	})
}

func TestCGIAnswers(t *testing.T) {
	// One program for many cases: the path chooses.
	m := startCGI(t, script(t, "answers", `case $PATH_INFO in
/document) printf 'Content-Type: text/x-a\r\nX-Two: 2\r\n\r\nbody\n' ;;
/status) printf 'Status: 404 Lost\nContent-Type: text/plain\n\nnot here\n' ;;
/empty) printf 'Status: 204 No Content\n\n' ;;
/silent) ;;
/rubbish) echo 'this is not a header' ;;
/twice) printf 'Content-Type: a/b\nContent-Type: a/b\n\nx' ;;
/die) echo 'out of paper' >&2; exit 7 ;;
/killed) kill -9 $$ ;;
/halfdead) printf 'Content-Type: text/plain\n\nhalf'; kill -9 $$ ;;
/short) printf 'Content-Type: text/plain\nContent-Length: 10\n\nhalf' ;;
/long) printf 'Content-Type: text/plain\nContent-Length: 4\n\nfour and more' ;;
/local) printf 'Location: /document?from=local\n\n' ;;
/loop) printf 'Location: /loop\n\n' ;;
/away) printf 'Location: http://example.org/x\n\n' ;;
/later) printf 'Status: 303 See Other\nLocation: /document\n\n' ;;
/noisy) printf 'Content-Type: text/plain\n\nok'; i=0; while [ $i -lt 400 ]; do echo "complaint $i: 0123456789012345678901234567890123456789012345678901234567890123456789" >&2; i=$((i+1)); done ;;
/deaf) printf 'Content-Type: text/plain\n\nheard nothing' ;;
/cwd) printf 'Content-Type: text/plain\n\n'; pwd ;;
/fds) printf 'Content-Type: text/plain\n\n'; ls /proc/$$/fd 2>/dev/null ;;
esac`))
	for _, tc := range []struct {
		target string
		status int
		body   string // "…" stands for anything
		log    string
	}{
		{"/document", 200, "body\n", ""},
		{"/status", 404, "not here\n", ""},
		{"/empty", 204, "", ""},
		{"/silent", 502, "502 bad gateway\n", "no output"},
		{"/rubbish", 502, "502 bad gateway\n", `"this is not a header" is not a header field`},
		{"/twice", 502, "502 bad gateway\n", "Content-Type appears twice"},
		{"/die", 502, "502 bad gateway\n", `exit status 7; stderr: "out of paper\n"`},
		{"/killed", 502, "502 bad gateway\n", "signal: killed"},
		{"/local", 200, "body\n", ""},
		{"/loop", 502, "502 bad gateway\n", "more than 10 local redirects"},
		{"/away", 302, "", ""},
		{"/later", 303, "", ""},
		{"/noisy", 200, "ok", "bytes more"},
		{"/long", 200, "four", "it went on after its Content-Length"},
	} {
		status, body := get(t, m.url(tc.target))
		if status != tc.status || body != tc.body {
			t.Errorf("%s: %d %q, want %d %q", tc.target, status, body, tc.status, tc.body)
		}
		eventually(t, "log of "+tc.target+": "+tc.log, func() bool { return strings.Contains(m.log.String(), tc.log) })
	}
	for _, target := range []string{"/halfdead", "/short"} {
		resp, err := client().Get(m.url(target))
		check(t, err)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil || string(b) != "half" {
			t.Errorf("%s: %q and error %v: a cut-off answer must not look complete", target, b, err)
		}
	}
	if status, body := do(t, "POST", m.url("/deaf"), strings.NewReader(strings.Repeat("x", 3<<20))); status != 200 || body != "heard nothing" {
		t.Errorf("a program that ignores its stdin: %d %q", status, body)
	}
	// Descriptors 10 and up may be the shell's own, or come from where the test was started.
	_, fds := get(t, m.url("/fds"))
	for _, fd := range strings.Fields(fds) {
		if len(fd) == 1 && fd > "2" {
			t.Errorf("the program inherited descriptor %s", fd)
		}
	}
	if strings.Count(m.log.String(), "complaint") > 200 {
		t.Error("stderr is kept without bound")
	}
	eventually(t, "the log names the request", func() bool { return strings.Contains(m.log.String(), `"GET /die HTTP/1.1"`) })
	m.idle(t)
	if st := m.board.Read(); st.Workers != 8 || st.Children < 20 || st.ChildCPU <= 0 || st.Served != st.Children {
		t.Errorf("board: %+v", st)
	}
}

func TestCGIVariablesReachTheProgram(t *testing.T) {
	m := startCGI(t, script(t, "env", "printf 'Content-Type: text/plain\\n\\n'; env; echo; cat"))
	conn, r := m.send(t, "POST /a%20b/c?x=1&y HTTP/1.0\r\nHost: lab.test:99\r\nX-Two: 1\r\nX-Two: 2\r\nCookie: a=1\r\nCookie: b=2\r\n"+
		"Authorization: Basic c2VjcmV0\r\nProxy-Authorization: Basic c2VjcmV0\r\nProxy: http://evil.test\r\nX_Under: spoof\r\n"+
		"Connection: close, X-Hop\r\nX-Hop: 1\r\nContent-Type: text/x\r\nContent-Length: 4\r\n\r\nbody")
	answer, err := io.ReadAll(r)
	check(t, err)
	conn.Close()
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	env, stdin, _ := strings.Cut(body, "\n\n")
	if stdin != "body" {
		t.Errorf("stdin %q", stdin)
	}
	lines := strings.Split(env, "\n")
	for _, want := range []string{
		"GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=HTTP/1.0", "REQUEST_METHOD=POST", "PATH_INFO=/a b/c", "SCRIPT_NAME=",
		"QUERY_STRING=x=1&y", "CONTENT_LENGTH=4", "CONTENT_TYPE=text/x", "SERVER_NAME=lab.test", "REMOTE_ADDR=127.0.0.1",
		"HTTP_X_TWO=1, 2", "HTTP_COOKIE=a=1; b=2", "HTTP_HOST=lab.test:99", "SERVER_SOFTWARE=gatewaylab",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, bad := range []string{"c2VjcmV0", "evil", "spoof", "HTTP_CONTENT", "HTTP_CONNECTION", "HTTP_X_HOP", "HOME=", "MODEL_UNDER_TEST"} {
		if strings.Contains(env, bad) {
			t.Errorf("%s must not be passed on", bad)
		}
	}
	if t.Failed() {
		t.Log(env)
	}
}

func TestCGIBodies(t *testing.T) {
	m := startCGI(t, script(t, "cat", `printf 'Content-Type: application/octet-stream\nX-Length: %s\n\n' "$CONTENT_LENGTH"; cat`))
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 8 << 20} {
		for _, chunked := range []bool{false, true} {
			body := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
			var src io.Reader = bytes.NewReader(body)
			if chunked {
				src = struct{ io.Reader }{src}
			}
			req, err := http.NewRequestWithContext(t.Context(), "POST", m.url("/"), src)
			check(t, err)
			resp, err := client().Do(req)
			check(t, err)
			got, err := io.ReadAll(resp.Body)
			check(t, err)
			resp.Body.Close()
			if want := fmt.Sprint(size); resp.Header.Get("X-Length") != want {
				t.Errorf("size %d, chunked %v: CONTENT_LENGTH %q", size, chunked, resp.Header.Get("X-Length"))
			}
			if sha256.Sum256(got) != sha256.Sum256(body) {
				t.Errorf("size %d, chunked %v: %d other bytes came back", size, chunked, len(got))
			}
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", m.url("/"), nil)
	check(t, err)
	resp, err := client().Do(req)
	check(t, err)
	resp.Body.Close()
	if v := resp.Header.Get("X-Length"); v != "" {
		t.Errorf("a request without a body has CONTENT_LENGTH %q", v)
	}
}

func TestCGIExpectContinueAndHead(t *testing.T) {
	m := startCGI(t, script(t, "cat", `printf 'Content-Type: text/plain\nContent-Length: 4\n\n'; cat`))
	conn, r := m.send(t, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
	line, err := r.ReadString('\n')
	check(t, err)
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("after Expect: %q", line)
	}
	_, err = io.WriteString(conn, "word")
	check(t, err)
	rest, err := io.ReadAll(r)
	check(t, err)
	if !bytes.HasSuffix(rest, []byte("\r\n\r\nword")) {
		t.Errorf("answer %q", rest)
	}
	h := startCGI(t, script(t, "doc", `printf 'Content-Type: text/plain\nContent-Length: 5\n\nhello'`))
	_, r = h.send(t, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(r)
	check(t, err)
	if !bytes.Contains(all, []byte("Content-Length: 5\r\n")) || !bytes.HasSuffix(all, []byte("\r\n\r\n")) {
		t.Errorf("HEAD: %q", all)
	}
}

func TestCGINonParsedHeader(t *testing.T) {
	m := startCGI(t, script(t, "nph-raw", `case $PATH_INFO in
/raw) printf 'HTTP/1.1 299 Mine\r\nx-lower: kept\r\n\r\nraw %s' "$(cat)" ;;
/bad) echo hello ;;
esac`))
	_, r := m.send(t, "POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
	all, err := io.ReadAll(r) // ends because the connection does
	check(t, err)
	if string(all) != "HTTP/1.1 299 Mine\r\nx-lower: kept\r\n\r\nraw abc" {
		t.Errorf("answer %q", all)
	}
	if status, _ := get(t, m.url("/bad")); status != 502 {
		t.Errorf("not HTTP: status %d", status)
	}
	if status, _ := get(t, m.url("/silent")); status != 502 {
		t.Errorf("no output: status %d", status)
	}
	m.idle(t)
}

func TestCGIStreams(t *testing.T) {
	go1 := filepath.Join(t.TempDir(), "go")
	m := startCGI(t, script(t, "stream", `printf 'Content-Type: text/plain\n\nfirst\n'; while [ ! -e `+go1+` ]; do sleep 0.01; done; echo second`))
	_, r := m.send(t, rawGet("/"))
	for { // the first piece comes while the program waits for this test
		line, err := r.ReadString('\n')
		check(t, err)
		if line == "first\n" {
			break
		}
	}
	check(t, os.WriteFile(go1, nil, 0o600))
	rest, err := io.ReadAll(r)
	check(t, err)
	if !bytes.Contains(rest, []byte("second\n")) {
		t.Errorf("rest %q", rest)
	}
}

// A program that has closed its output is done for the client, not for the
// server: its place is taken until it ends.
func TestCGIClosedOutputGoesOn(t *testing.T) {
	dir := t.TempDir()
	m := startCGI(t, script(t, "linger", `printf 'Content-Type: text/plain\n\ndone'
echo $$ > `+dir+`/pid; exec >&- 2>&-; while [ ! -e `+dir+`/go ]; do sleep 0.01; done`))
	if status, body := get(t, m.url("/")); status != 200 || body != "done" {
		t.Fatalf("%d %q", status, body)
	}
	pids := pidsIn(t, dir+"/pid", 1)
	if st := m.board.Read(); st.Busy() != 1 || st.Slots[0].PID != pids[0] {
		t.Errorf("board %+v, want process %d busy", st, pids[0])
	}
	check(t, os.WriteFile(dir+"/go", nil, 0o600))
	m.idle(t)
	gone(t, pids)
}

func TestCGIQueue(t *testing.T) {
	dir := t.TempDir()
	m := startCGI(t, script(t, "gate", `echo $$ >> `+dir+`/pids; while [ ! -e `+dir+`/go ]; do sleep 0.01; done; printf 'Content-Type: text/plain\n\nin'`),
		"children=2", "queue=1")
	status := make(chan int, 3)
	ask := func() {
		code, _ := get(t, m.url("/"))
		status <- code
	}
	go ask()
	go ask()
	pidsIn(t, dir+"/pids", 2)
	conn, _ := m.send(t, rawGet("/"))
	eventually(t, "one in the queue", func() bool { return m.board.Read().Queued == 1 })
	check(t, conn.Close())
	eventually(t, "nobody in the queue, the client having left", func() bool { return m.board.Read().Queued == 0 })
	go ask()
	eventually(t, "one in the queue", func() bool { return m.board.Read().Queued == 1 })
	if code, _ := get(t, m.url("/")); code != 503 {
		t.Errorf("status %d with a full queue, want 503", code)
	}
	if st := m.board.Read(); st.Rejected != 1 || st.Busy() != 2 || st.Workers != 2 {
		t.Errorf("board %+v", st)
	}
	check(t, os.WriteFile(dir+"/go", nil, 0o600))
	for range 3 {
		if code := <-status; code != 200 {
			t.Errorf("status %d", code)
		}
	}
	m.idle(t)
	if st := m.board.Read(); st.Queued != 0 || st.Children != 3 {
		t.Errorf("board %+v", st)
	}
}

func TestCGIPerlProgram(t *testing.T) {
	perl := lookPath(t, "perl")
	file := filepath.Join(t.TempDir(), "digest.pl")
	check(t, os.WriteFile(file, []byte("#!"+perl+`
use Digest::SHA qw(sha256_hex);
binmode STDIN; read(STDIN, my $body, $ENV{CONTENT_LENGTH});
print "Content-Type: text/plain\n\n", sha256_hex($body);
`), 0o755))
	m := startCGI(t, file)
	body := strings.Repeat("perl", 50_000)
	want := sha256.Sum256([]byte(body))
	if status, got := do(t, "POST", m.url("/"), strings.NewReader(body)); status != 200 || got != hex.EncodeToString(want[:]) {
		t.Errorf("%d %q", status, got)
	}
}

func TestCGIBadStart(t *testing.T) {
	m := startModel(t, "cgi", "/nowhere/program", cgiOptions()...)
	if err := m.wait(t); err == nil || !strings.Contains(m.log.String(), "/nowhere/program") {
		t.Errorf("a missing program: %v, log %q", err, m.log)
	}
	file := script(t, "plain", "")
	check(t, os.Chmod(file, 0o644))
	m = startCGI(t, file)
	if status, _ := get(t, m.url("/")); status != 502 {
		t.Errorf("a program that can't be executed: %d", status)
	}
	eventually(t, "the log says why", func() bool { return strings.Contains(m.log.String(), "permission denied") })
}

func TestCGIRefusesTargets(t *testing.T) {
	m := startCGI(t, script(t, "ok", `printf 'Content-Type: text/plain\n\nok'`))
	for _, raw := range []string{
		"GET /nul%00byte HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n",
	} {
		_, r := m.send(t, raw)
		line, err := r.ReadString('\n')
		check(t, err)
		if !strings.HasPrefix(line, "HTTP/1.1 400 ") {
			t.Errorf("%q: %q", raw, line)
		}
	}
}

func TestMissingOption(t *testing.T) {
	for _, name := range []string{"cgi", "async"} {
		m := startModel(t, name, os.Args[0], "backlog=1")
		if err := m.wait(t); err == nil || !strings.Contains(m.log.String(), "was not sent") {
			t.Errorf("%s: %v, log %q", name, err, m.log)
		}
	}
	if _, err := models.Lookup("nothing"); err == nil {
		t.Error("an unknown model was found")
	}
}
