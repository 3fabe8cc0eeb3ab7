package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// serverEnv makes the test binary a server, so that what is measured doesn't
// share a runtime, a collector or a CPU account with what measures.
const serverEnv = "GATEWAYLAB_LOAD_TEST_SERVER"

func TestMain(m *testing.M) {
	if kind := os.Getenv(serverEnv); kind != "" {
		if err := beServer(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func beServer(kind string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	go func() {
		switch kind {
		case "hello": // what a goroutine per connection under net/http costs
			_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, "hello, world\n")
			}))
		case "null": // canned bytes
			serveCanned(ln)
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin) // ends with the parent
	return err
}

const canned = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n"

func serveCanned(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				for range bytes.Count(buf[:n], []byte("\r\n\r\n")) {
					if _, err := io.WriteString(c, canned); err != nil {
						return
					}
				}
			}
		}()
	}
}

// serve starts a server of a kind in a process of its own, which ends with the
// test, and returns its URL.
func serve(tb testing.TB, kind string) string {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"="+kind)
	return startServer(tb, cmd)
}

// startServer starts a server that prints its address first and ends with its
// standard input.
func startServer(tb testing.TB, cmd *exec.Cmd) string {
	tb.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("server %v: %v", cmd.Args, err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return "http://" + strings.TrimSpace(line) + "/hello"
}
