//go:build linux

package interop

import (
	"bufio"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tshark listens on the loopback interface while cgi-fcgi asks our responder,
// and decodes what really crossed: with the traces' captures (reports/hops) it
// is the lab that has written the packets down.
func TestTsharkHearsFastCGI(t *testing.T) {
	need(t, "tshark", "cgi-fcgi")
	if fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0); errors.Is(err, syscall.EPERM) {
		t.Log("not made: only root may listen to the packets of others")
		return
	} else if err == nil {
		syscall.Close(fd)
	}
	addr, s := responder(t, "fastcgi:workers=1")
	s.do = cgiFCGIClient(addr)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tshark", "-n", "-l", "-i", "lo", "-f", "tcp port "+port, "-d", "tcp.port=="+port+",fcgi", "-Y", "fcgi || _ws.malformed",
		"-T", "fields", "-E", "separator=|", "-E", "aggregator=,", "-e", "tcp.stream", "-e", "fcgi.type", "-e", "fcgi.content.length", "-e", "_ws.malformed")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		for range lines {
			continue
		}
		_ = cmd.Wait()
	}()

	// The first requests may be over before tshark listens, so it is asked until
	// one was heard from its beginning to its end. What came with each type of
	// record, by connection:
	heard := map[string][]string{}
	whole := func() bool {
		for {
			select {
			case line, open := <-lines:
				cells := strings.Split(line, "|")
				if !open || len(cells) < 4 {
					t.Fatalf("tshark says %q", line)
				}
				types, lengths := strings.Split(cells[1], ","), strings.Split(cells[2], ",")
				for i := range types {
					heard[cells[0]] = append(heard[cells[0]], types[i]+":"+lengths[min(i, len(lengths)-1)])
				}
				// What tshark hears from the middle on it may take for anything.
				if cells[3] != "" && begins(heard[cells[0]][0], "1:") {
					t.Fatalf("tshark says %q, after %v", line, heard[cells[0]])
				}
			default:
				for _, records := range heard {
					if begins(records[0], "1:") && slices.ContainsFunc(records, func(r string) bool { return begins(r, "3:") }) {
						return true
					}
				}
				return false
			}
		}
	}
	if err := eventually("a request heard whole by tshark", func() bool {
		if err := s.expect(post("/upload", pattern(70_000), 70_000), 200, uploaded(70_000)); err != nil {
			t.Fatal(err)
		}
		return whole()
	}); err != nil {
		t.Fatalf("%v; it heard %v", err, heard)
	}
	for _, records := range heard {
		if !begins(records[0], "1:") || !slices.ContainsFunc(records, func(r string) bool { return begins(r, "3:") }) {
			continue
		}
		// BEGIN_REQUEST, PARAMS to the empty one, STDIN of 70,000 bytes to the empty
		// one; STDOUT to the empty one and END_REQUEST.
		for _, want := range []string{"1:8", "4:0", "5:0", "6:0", "3:8"} {
			if !slices.Contains(records, want) {
				t.Errorf("no record %s (type:length) in what tshark heard: %v", want, records)
			}
		}
		return
	}
}

func begins(s, with string) bool { return strings.HasPrefix(s, with) }
