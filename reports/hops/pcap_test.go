package hops

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"gatewaylab/servers/trace"
)

// A capture carries each stream as it was recorded, in order and in time.
func TestCaptureCarriesStreams(t *testing.T) {
	tr := recorded(t, "chain")
	var file bytes.Buffer
	if err := Capture(&file, []*trace.Trace{tr, recorded(t, "direct")}); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]map[bool][]byte{} // interface → from the client's end → payload
	first := map[int]layers.TCPPort{}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(data, layers.LayerTypeIPv4, gopacket.Default)
		tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if !ok || p.ErrorLayer() != nil {
			t.Fatalf("a packet that is not TCP: %v", p)
		}
		if _, seen := first[info.InterfaceIndex]; !seen {
			first[info.InterfaceIndex] = tcp.SrcPort
			got[info.InterfaceIndex] = map[bool][]byte{}
		}
		from := tcp.SrcPort == first[info.InterfaceIndex]
		got[info.InterfaceIndex][from] = append(got[info.InterfaceIndex][from], tcp.Payload...)
		if info.Timestamp.Before(tr.Started.Add(-1)) && info.InterfaceIndex < 2 {
			t.Errorf("a packet of %v, before the trace", info.Timestamp)
		}
	}
	n := 0
	for i := range tr.Hops {
		h := &tr.Hops[i]
		if h.Kind != trace.Socket {
			continue
		}
		for _, s := range h.Streams {
			if !bytes.Equal(got[n][s.Forward], s.Bytes) {
				t.Errorf("hop %s → %s, %s: %d bytes, want %d", h.From, h.To, s.Name, len(got[n][s.Forward]), len(s.Bytes))
			}
		}
		if in, err := r.Interface(n); err != nil || in.Name != h.From+"-"+h.To || h.Network == "unix" && !strings.Contains(in.Description, "made up") {
			t.Errorf("interface %d is %+v, %v", n, in, err)
		}
		n++
	}
	if n < 2 || len(got) != n+1 {
		t.Errorf("%d hops with sockets, %d interfaces", n, len(got))
	}
}

// tshark reads a capture of the traces and prints fields of its packets.
func tshark(t *testing.T, traces []*trace.Trace, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	switch {
	case err != nil && os.Getenv("LAB_REQUIRE") != "":
		t.Fatalf("needs tshark, and LAB_REQUIRE is set: %v", err)
	case err != nil:
		t.Skipf("needs tshark: %v", err)
	}
	file := filepath.Join(t.TempDir(), "trace.pcapng")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Capture(f, traces), f.Close()); err != nil {
		t.Fatal(err)
	}
	var out, diag bytes.Buffer
	cmd := exec.Command(program, append([]string{"-n", "-r", file}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, diag.String())
	}
	return out.String()
}

// A program that nobody here wrote finds the same in a capture: the requests
// and answers of HTTP, and FastCGI's records with all that they carry.
func TestTsharkReadsCapture(t *testing.T) {
	tr := recorded(t, "chain")
	traces := []*trace.Trace{tr, recorded(t, "uwsgi")}
	got := tshark(t, traces, "-Y", "http", "-T", "fields", "-E", "separator=|",
		"-e", "frame.interface_name", "-e", "http.request.method", "-e", "http.request.uri", "-e", "http.response.code")
	want := "client-front|POST|/echo?x=1|\nclient-front|||200\nclient-front|GET|/echo?x=1|\nclient-front|||200\n"
	if !strings.HasPrefix(got, want[:strings.Index(want, "200")]) || strings.Count(got, "client-front|||200") != 2 {
		t.Errorf("tshark says of HTTP\n%s\nwant\n%s", got, want)
	}
	got = tshark(t, traces, "-d", "tcp.port==9000,fcgi", "-Y", "fcgi", "-T", "fields", "-E", "separator=|", "-E", "aggregator=,", "-E", "occurrence=a",
		"-e", "frame.interface_name", "-e", "fcgi.type", "-e", "fcgi.content.length")
	types := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(got), "\n") {
		cells := strings.Split(line, "|")
		types[cells[0]] = append(types[cells[0]], strings.Split(cells[1], ",")...)
	}
	if got := strings.Join(types["front-fastcgi"], " "); got != "1 4 4 5 5 6 6 3" {
		t.Errorf("tshark says the records' types are %s", got)
	}
	all := tshark(t, traces, "-d", "tcp.port==9000,fcgi", "-Y", "fcgi", "-V")
	for i := range tr.Hops {
		if h := &tr.Hops[i]; h.Protocol == "FastCGI" {
			sawVariables(t, h, all)
		}
	}
	if bad := tshark(t, traces, "-d", "tcp.port==9000,fcgi", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-Y", "_ws.malformed || tcp.analysis.flags || tcp.checksum.status==0 || ip.checksum.status==0"); bad != "" {
		t.Errorf("tshark finds fault with\n%s", bad)
	}
}

// sawVariables looks for each variable of a FastCGI hop in what tshark printed.
func sawVariables(t *testing.T, h *trace.Hop, all string) {
	t.Helper()
	n := 0
	for _, m := range h.Messages {
		for _, f := range m.Fields {
			if len(f.Parts) == 4 && f.Parts[0].Name == "name length" {
				n++
				if !strings.Contains(all, f.Name+" = "+f.Value) {
					t.Errorf("tshark doesn't see %s = %s", f.Name, f.Value)
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("the trace has %d variables", n)
	}
}
