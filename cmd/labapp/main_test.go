package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// build builds a program as the lab builds labapp.
func build(tb testing.TB, pkg string) string {
	tb.Helper()
	return goBuild(tb, pkg, "CGO_ENABLED=0", "-trimpath", "-ldflags=-s -w")
}

// buildPlainly builds a program as "go build" does, which links package net
// against the C library where there is a C compiler.
func buildPlainly(tb testing.TB, pkg string) string {
	tb.Helper()
	return goBuild(tb, pkg, "")
}

func goBuild(tb testing.TB, pkg, setting string, flags ...string) string {
	tb.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		tb.Skip("needs the go command to build the program with")
	}
	file := filepath.Join(tb.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", file}, flags, []string{pkg})...)
	if setting != "" {
		cmd.Env = append(os.Environ(), setting)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return file
}

const lean, twin = "gatewaylab/cmd/labapp", "gatewaylab/cmd/labapp/testdata/netcgi"

// variables are those of a request for the path, as the CGI host sets them.
func variables(method, path string, more ...string) []string {
	return append([]string{
		"PATH=/usr/bin:/bin", "GATEWAY_INTERFACE=CGI/1.1", "HTTP_ACCEPT_ENCODING=gzip", "HTTP_HOST=127.0.0.1:8080", "HTTP_USER_AGENT=lab",
		"PATH_INFO=" + path, "QUERY_STRING=", "REMOTE_ADDR=127.0.0.1", "REMOTE_HOST=127.0.0.1", "REMOTE_PORT=40000", "REQUEST_METHOD=" + method,
		"SCRIPT_NAME=", "SERVER_NAME=127.0.0.1", "SERVER_PORT=8080", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_SOFTWARE=gatewaylab",
	}, more...)
}

func run(t *testing.T, program, stdin string, env []string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestProgram(t *testing.T) {
	program := build(t, lean)
	for _, tc := range []struct {
		env   []string
		stdin string
		want  string
	}{
		{variables("GET", "/hello"), "", "Content-Type: text/plain; charset=utf-8\nContent-Length: 6\n\nhello\n"},
		{variables("HEAD", "/hello"), "", "Content-Type: text/plain; charset=utf-8\nContent-Length: 6\n\n"},
		{variables("GET", "/x"), "", "Status: 404 Not Found\nContent-Type: text/plain; charset=utf-8\nContent-Length: 34\n\n404 not found: / lists the routes\n"},
		{variables("POST", "/x"), "", "Status: 404 Not Found\nContent-Type: text/plain; charset=utf-8\nContent-Length: 34\n\n404 not found: / lists the routes\n"},
		// The body ends where CONTENT_LENGTH says, whatever follows.
		{variables("POST", "/upload", "CONTENT_LENGTH=3"), "abcdef", "Content-Type: text/plain; charset=utf-8\nContent-Length: 80\n\nbytes 3\n" +
			"sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"},
		{variables("GET", "/stream", "QUERY_STRING=chunks=2&every=1"), "", "Content-Type: text/plain; charset=utf-8\n\nchunk 1 of 2\nchunk 2 of 2\n"},
		{variables("GET", "", "SCRIPT_NAME=/hello"), "", "Content-Type: text/plain; charset=utf-8\nContent-Length: 6\n\nhello\n"},
	} {
		stdout, stderr, err := run(t, program, tc.stdin, dedup(tc.env))
		if err != nil || stderr != "" || stdout != tc.want {
			t.Errorf("%v:\n got %q\nwant %q\nstderr %q, %v", tc.env, stdout, tc.want, stderr, err)
		}
	}
	for _, tc := range []struct {
		env    []string
		stdin  string
		status int
		says   string
	}{
		{nil, "", 2, "REQUEST_METHOD is not set"},
		{variables("POST", "/upload", "CONTENT_LENGTH=many"), "", 2, "expected a number of bytes"},
		{variables("POST", "/upload", "CONTENT_LENGTH=9"), "short", 1, "unexpected EOF"},
		{variables("GET", "/crash"), "", 70, "crash was asked for"},
	} {
		stdout, stderr, err := run(t, program, tc.stdin, tc.env)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != tc.status || !strings.Contains(stderr, tc.says) || stdout != "" {
			t.Errorf("%v: stdout %q, stderr %q, %v", tc.env, stdout, stderr, err)
		}
	}
}

// dedup keeps the last of variables set twice, as exec.Cmd would.
func dedup(env []string) []string {
	var out []string
	for i, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if !slices.ContainsFunc(env[i+1:], func(w string) bool { return strings.HasPrefix(w, name+"=") }) {
			out = append(out, v)
		}
	}
	return out
}

// What the application has no use for is read all the same: where stdin is a
// socket, what is left unread costs the answer.
func TestUnreadBodyIsRead(t *testing.T) {
	cmd := exec.Command(build(t, lean))
	const size = 1 << 20 // more than a pipe holds
	cmd.Env = variables("POST", "/hello", "CONTENT_LENGTH=1048576")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := stdin.Write(make([]byte, size))
		written <- err
	}()
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "Status: 405 ") {
		t.Errorf("answered %q, %v", out, err)
	}
	if err := <-written; err != nil {
		t.Errorf("the body was not taken: %v", err)
	}
}

// A hanging program must hang, and not be found deadlocked by the runtime.
func TestHang(t *testing.T) {
	cmd := exec.Command(build(t, lean))
	cmd.Env = variables("GET", "/hang")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Errorf("ended: %v", err)
	case <-time.After(200 * time.Millisecond):
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-ended
	}
}

// What the program imports is paid for at each request.
func TestImportsStayLean(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", lean).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		switch pkg {
		case "net", "net/http", "net/url", "net/textproto", "fmt", "reflect", "log", "encoding/json", "encoding/hex", "bufio":
			t.Errorf("imports %s", pkg)
		}
	}
}

// The twin must be the same program, else the benchmark compares nothing.
func TestTwinAnswersTheSame(t *testing.T) {
	a, b := build(t, lean), buildPlainly(t, twin)
	for _, path := range []string{"/hello", "/cpu", "/nowhere", "/static/"} {
		_, leanBody := answer(t, a, path)
		_, twinBody := answer(t, b, path)
		if leanBody != twinBody || leanBody == "" {
			t.Errorf("%s: %q and %q", path, leanBody, twinBody)
		}
	}
}

func answer(t *testing.T, program, path string) (header, body string) {
	t.Helper()
	out, stderr, err := run(t, program, "", variables("GET", path))
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, stderr)
	}
	out = strings.ReplaceAll(out, "\r\n", "\n")
	header, body, _ = strings.Cut(out, "\n\n")
	return header, body
}

// BenchmarkStart compares how many times a second labapp and its twin over
// net/http/cgi can be started, answering /hello. Rounds of them alternate, so
// that what else the machine does meets all; reported are median rates, and
// the median, lowest and highest ratio of the rounds. "netcgi" is the twin as
// "go build" makes it; "static" is the twin built with the lab's flags, which
// most people would not know to give (without a C compiler the two are one).
func BenchmarkStart(b *testing.B) {
	programs := []string{build(b, lean), buildPlainly(b, twin), build(b, twin)}
	rates := make([][]float64, len(programs))
	ratios := make([][]float64, len(programs))
	for i := 0; b.Loop(); i++ {
		rate := make([]float64, len(programs))
		for k := range programs {
			which := (i + k) % len(programs)
			rate[which] = startRate(b, programs[which])
		}
		for k := range programs {
			rates[k] = append(rates[k], rate[k])
			ratios[k] = append(ratios[k], rate[0]/rate[k])
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rates[0]), "labapp/s")
	for k, name := range []string{1: "netcgi", 2: "static"} {
		if k > 0 {
			b.ReportMetric(median(rates[k]), name+"/s")
			b.ReportMetric(median(ratios[k]), name+"-ratio")
			b.ReportMetric(slices.Min(ratios[k]), name+"-ratio-low")
			b.ReportMetric(slices.Max(ratios[k]), name+"-ratio-high")
		}
	}
}

// startRate starts a program 100 times, as many at a time as there are cores.
func startRate(b *testing.B, program string) float64 {
	const starts = 100
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	attr := &os.ProcAttr{Env: variables("GET", "/hello"), Files: []*os.File{null, null, null}}
	var left atomic.Int64
	left.Store(starts)
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	begun := time.Now()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				if err := startOnce(program, attr); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	workers.Wait()
	rate := starts / time.Since(begun).Seconds()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return rate
}

func startOnce(program string, attr *os.ProcAttr) error {
	p, err := os.StartProcess(program, []string{program}, attr)
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
