package servers_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"gatewaylab/servers"
)

// The null server gives the application's answer to /hello, one for each
// request however those are cut into packets, and goes when it is told to.
func TestNullServer(t *testing.T) {
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	inst, err := servers.Start(t.Context(), servers.NullServer(), servers.Launch{Programs: p})
	if err != nil {
		t.Fatal(err)
	}
	if err := inst.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	c, err := net.Dial("tcp", inst.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, pieces := range [][]string{
		{"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"GET /hello HTTP/1.1\r\nHost: x\r\n\r", "\n"},
		{"GET /hello HTTP/1.1\r\nHost: x", "\r", "\n", "\r", "\n"},
		{"GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHo", "st: x\r\n\r\n"},
	} {
		for _, piece := range pieces {
			if _, err := io.WriteString(c, piece); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond) // a packet of its own
		}
		wanted := 1
		if len(pieces[0]) > 50 {
			wanted = 2
		}
		for range wanted {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%q: %v", pieces, err)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello\n" {
				t.Errorf("%q: answered %q, %v", pieces, body, err)
			}
		}
	}
	if n := r.Buffered(); n > 0 {
		t.Errorf("%d bytes more than were asked for", n)
	}
	if err := inst.Close(10 * time.Second); err != nil {
		t.Error(err)
	}
	if pids := inst.PIDs(); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}
