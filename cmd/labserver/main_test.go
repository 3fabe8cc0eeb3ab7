package main

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"gatewaylab/servers/process"
	"gatewaylab/servers/process/processtest"
)

// The test binary is labserver when it is told to be, so that what the tests
// start runs under the same race detector as they do.
const (
	beLabserver = "TEST_BE_LABSERVER"
	beLab       = "TEST_BE_LAB"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(beLab) != "":
		os.Exit(lab())
	case os.Getenv(beLabserver) != "":
		main()
	}
	os.Exit(processtest.Run(m))
}

// A server is a running model.
type server struct {
	*process.Group
	addr string
}

// serve starts a model and sees to it that it stops, cleanly or not.
func serve(tb testing.TB, words ...string) *server {
	tb.Helper()
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{labserver(words...)}, Listener: listener})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = g.Stop(0) // a test that cares about the end has stopped it itself
		if left := g.PIDs(); len(left) > 0 {
			tb.Errorf("processes left: %v", left)
		}
		if tb.Failed() {
			tb.Logf("the server's log:\n%s", g.Log())
		}
	})
	return &server{g, addr}
}

func labserver(words ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], words...)
	cmd.Env = append(os.Environ(), beLab+"=", beLabserver+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// preforkWords is a pre-fork server's command line; the words override its
// defaults.
func preforkWords(words ...string) []string {
	return append([]string{"prefork", "workers=2", "backlog=128", "timeout=30s", "graceful_timeout=30s",
		"max_requests=0", "max_requests_jitter=0"}, words...)
}

// prefork starts the pre-fork model and waits until its workers are ready.
func prefork(tb testing.TB, workers int, words ...string) *server {
	tb.Helper()
	s := serve(tb, preforkWords(append(words, "workers="+strconv.Itoa(workers))...)...)
	until(tb, "the workers are ready", func() bool { return len(s.Board().Read().Slots) == workers })
	return s
}

// until waits for a condition.
func until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain: %s", what)
		}
	}
}
