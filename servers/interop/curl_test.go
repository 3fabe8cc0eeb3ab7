//go:build linux

package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gatewaylab/servers/iface"
)

// curls is curl before each model, in every version of HTTP that it speaks.
func curls() []pair {
	var all []pair
	for _, spec := range httpModels() {
		for _, v := range []struct{ name, flag string }{
			{"HTTP/1.0", "--http1.0"}, {"HTTP/1.1", "--http1.1"},
			{"HTTP/2 (h2c)", "--http2-prior-knowledge"}, {"HTTP/2 (TLS)", "--http2"},
		} {
			two := strings.HasPrefix(v.name, "HTTP/2")
			if two && !speaks(spec, "2") {
				continue
			}
			p := pair{
				from: "curl", to: named(spec), via: v.name,
				needs: []string{"curl"},
				open: func(t *testing.T) *site {
					inst := ours(t, spec, v.flag == "--http2")
					s := siteOf(t, inst)
					s.do = curl(inst.URL(), v.flag)
					return s
				},
			}
			switch spec {
			case "front+async":
				p.uploads = uploading{buffered, buffered, "unless it has request_buffering=off, the front takes a request in as a whole: a slow client is to hold no worker"}
			case "cgi:children=2":
				p.uploads = cgiWhole
			}
			p.limits = map[string]string{"answer's field": "curl takes no longer line of a header than 100 KiB"}
			if two {
				p.limits["field"], p.limits["head"] = goAway, goAway
			}
			if v.name == "HTTP/1.0" {
				p.without = map[string]string{
					"chunked up":   "HTTP/1.0 has no chunked coding; a request's body needs a length",
					"cut, chunked": "in HTTP/1.0 the connection's end is the answer's end, however it came about",
				}
			}
			all = append(all, p)
		}
	}
	return all
}

// curl is a client that starts curl for each request.
func curl(url string, flags ...string) client {
	return func(ctx context.Context, r request) (*answer, error) {
		args := append([]string{"-sS", "-k", "-i", "-N", "--path-as-is", "-X", r.method, "-H", "Host: lab.test"}, flags...)
		if r.method == http.MethodHead {
			args = append(args, "--head")
		}
		feed := r.body
		if r.body == nil { // an argument has 128 KiB at most
			var lines strings.Builder
			for _, f := range r.header {
				fmt.Fprintf(&lines, "%s: %s\n", f.Name, f.Value)
			}
			args, feed = append(args, "-H", "@-"), strings.NewReader(lines.String())
		} else {
			for _, f := range r.header {
				args = append(args, "-H", f.Name+": "+f.Value)
			}
		}
		if r.body != nil {
			args = append(args, "-T", "-")
			if r.length >= 0 {
				args = append(args, "-H", "Content-Length: "+strconv.FormatInt(r.length, 10), "-H", "Transfer-Encoding:")
			}
		}
		body, err := startClient(exec.CommandContext(ctx, "curl", append(args, url+r.target)...), feed)
		if err != nil {
			return nil, err
		}
		a, err := httpHead(body.out)
		if err != nil {
			body.Close()
			return nil, fmt.Errorf("curl: %w: %s", err, &body.stderr)
		}
		a.body = body
		return a, nil
	}
}

// httpHead reads the head of an answer as curl shows it, past those of 1xx.
func httpHead(out *bufio.Reader) (*answer, error) {
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("no answer: %w", err)
		}
		_, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		code, _, _ = strings.Cut(code, " ")
		status, err := strconv.Atoi(code)
		if err != nil {
			return nil, fmt.Errorf("status line %q: %w", line, err)
		}
		header, err := textproto.NewReader(out).ReadMIMEHeader()
		if err != nil {
			return nil, fmt.Errorf("the answer's header: %w", err)
		}
		if status >= 200 {
			return &answer{status: status, header: http.Header(header)}, nil
		}
	}
}

// A commandBody is the rest of a client program's output. Its end is an error
// if the program says that it failed; closing it kills the program.
type commandBody struct {
	out    *bufio.Reader
	cmd    *exec.Cmd
	stderr bytes.Buffer
	over   chan struct{} // closed when the program has been reaped
	once   sync.Once
	err    error
}

// startClient starts a client program, which is fed the body. If that fails,
// as it does when the context ends, the program is not shown an end of it: it
// would take what it got for the whole, and say so to the server.
func startClient(cmd *exec.Cmd, body io.Reader) (*commandBody, error) {
	b := &commandBody{cmd: cmd, over: make(chan struct{})}
	cmd.Stderr = &b.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.out = bufio.NewReaderSize(out, iface.MaxHeaderLine)
	theirs, feed, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd.Stdin = theirs
	if err := cmd.Start(); err != nil {
		feed.Close()
		return nil, err
	}
	go func() {
		defer feed.Close()
		if body == nil {
			return
		}
		if _, err := io.Copy(feed, body); err != nil {
			<-b.over
		}
	}()
	return b, nil
}

func (b *commandBody) Read(p []byte) (int, error) {
	n, err := b.out.Read(p)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	if b.reap(); b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

func (b *commandBody) reap() {
	b.once.Do(func() {
		if b.err = b.cmd.Wait(); b.err != nil {
			b.err = fmt.Errorf("%w: %s", b.err, &b.stderr)
		}
		close(b.over)
	})
}

func (b *commandBody) Close() error {
	_ = b.cmd.Process.Kill() // it may have ended
	b.reap()
	return nil
}
