//go:build linux

package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"

	"gatewaylab/servers"
	"gatewaylab/servers/iface"
)

// cgiFCGI is cgi-fcgi, which a web server would start as a CGI program and
// which hands the request on to a FastCGI responder.
func cgiFCGI() []pair {
	return []pair{{
		from: "cgi-fcgi", to: "**fastcgi**", via: servers.WireFastCGI,
		needs: []string{"cgi-fcgi"},
		open: func(t *testing.T) *site {
			addr, s := responder(t, "fastcgi")
			s.do, s.short = cgiFCGIClient(addr), true
			return s
		},
		without: map[string]string{"chunked up": "a CGI program is told the length of its body"},
		limits: map[string]string{"fixed down": "cgi-fcgi of libfcgi 2.4.2 takes a record's header that it reads in two pieces for another, and exits with 253 or 254 " +
			"(FCGX_PROTOCOL_ERROR, FCGX_UNSUPPORTED_VERSION): one 64 MiB answer in some thirty, whoever sends it", "answer's field": "cgi-fcgi hands it on; the reader of CGI answers here, which is the lab's, takes lines of 8 KiB"},
	}}
}

// cgiFCGIClient is a client that starts cgi-fcgi for each request, as a web
// server would.
func cgiFCGIClient(addr string) client {
	return func(ctx context.Context, r request) (*answer, error) {
		req, err := http.NewRequestWithContext(ctx, r.method, "http://lab.test"+r.target, nil)
		if err != nil {
			return nil, err
		}
		for _, f := range r.header {
			req.Header[f.Name] = append(req.Header[f.Name], f.Value)
		}
		length := int64(-1)
		if r.body != nil {
			length = r.length
		}
		vars, err := iface.Variables(req, iface.Mount{Software: "cgi-fcgi"}, length)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, "cgi-fcgi", "-bind", "-connect", addr)
		cmd.Env = iface.Environ(vars)
		body, err := startClient(cmd, r.body)
		if err != nil {
			return nil, err
		}
		head, err := iface.ReadResponse(body.out)
		if err != nil {
			body.Close()
			return nil, fmt.Errorf("cgi-fcgi: %w: %s", err, &body.stderr)
		}
		header := http.Header{}
		for _, f := range head.Header {
			header.Add(f.Name, f.Value)
		}
		if r.method == http.MethodHead {
			head.Length = 0
		} else if head.Length >= 0 {
			header.Set("Content-Length", fmt.Sprint(head.Length))
		}
		return &answer{head.Status, header, &promisedBody{body, body, head.Length}}, nil
	}
}

// A promisedBody is a CGI answer's as a web server looks at it: it is complete
// at its Content-Length, whatever follows, and broken before.
type promisedBody struct {
	io.Reader
	io.Closer
	left int64 // < 0: nobody knows
}

var errShort = errors.New("shorter than its Content-Length")

func (b *promisedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return b.Reader.Read(p)
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = errShort
	}
	return n, err
}
