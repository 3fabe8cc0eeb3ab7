package trace

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/meanings.golden")

// outline shows messages and their fields, with offsets, in lines.
func outline(messages []Message) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&b, "%s [%s] %d+%d\n", m.What, m.Short, m.Offset, m.Length)
		for _, f := range m.Fields {
			fmt.Fprintf(&b, "  %d+%d %s = %s\n", f.Offset, f.Length, f.Name, f.Value)
		}
	}
	return b.String()
}

// One table of bytes as the specifications have them, and what they are.
func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		name, protocol, request, response, want string
	}{
		{"HTTP", "HTTP",
			"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\n\n",
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nAHTTP/1.0 404\r\n\r\nrest",
			`request head [POST /a?b] 0+50
  0+5 method = POST
  5+5 target = /a?b
  10+10 version = HTTP/1.1
  20+9 Host = x
  29+19 Content-Length = 2
  48+2 end of head = \r\n
request body [body] 50+2
  50+2 body = hi
request head [GET /] 52+16
  52+4 method = GET
  56+2 target = /
  58+9 version = HTTP/1.0
  67+1 end of head = \n
--
response head [100 Continue] 0+25
  0+9 version = HTTP/1.1
  9+4 status code = 100
  13+10 reason phrase = Continue
  23+2 end of head = \r\n
response head [200 OK] 25+38
  25+9 version = HTTP/1.1
  34+4 status code = 200
  38+4 reason phrase = OK
  42+19 Content-Length = 1
  61+2 end of head = \r\n
response body [body] 63+1
  63+1 body = A
response head [404] 64+16
  64+9 version = HTTP/1.0
  73+5 status code = 404
  78+2 end of head = \r\n
response body [body] 80+4
  80+4 body = rest
`},
		{"HTTP chunks", "HTTP",
			"HEAD / HTTP/1.1\r\n\r\nPUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
			`request head [HEAD /] 0+19
  0+5 method = HEAD
  5+2 target = /
  7+10 version = HTTP/1.1
  17+2 end of head = \r\n
request head [PUT /] 19+46
  19+4 method = PUT
  23+2 target = /
  25+10 version = HTTP/1.1
  35+28 Transfer-Encoding = chunked
  63+2 end of head = \r\n
request body: chunk [chunk] 65+19
  65+7 chunk size = A hex = 10 bytes\r\n
  72+10 chunk data = 0123456789
  82+2 chunk end = \r\n
request body: last chunk [last chunk] 84+11
  84+3 chunk size = 0 hex = 0 bytes\r\n
  87+6 T = v
  93+2 end of head = \r\n
--
response head [200 OK] 0+38
  0+9 version = HTTP/1.1
  9+4 status code = 200
  13+4 reason phrase = OK
  17+19 Content-Length = 5
  36+2 end of head = \r\n
response head [304 Not Modified] 38+48
  38+9 version = HTTP/1.1
  47+4 status code = 304
  51+14 reason phrase = Not Modified
  65+19 Content-Length = 9
  84+2 end of head = \r\n
`},
		// FastCGI Specification, appendix B; the pair B=22 is cut by a record's end.
		{"FastCGI", "FastCGI",
			"\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00" +
				"\x01\x04\x00\x01\x00\x08\x02\x00\x01\x01A1\x01\x02B2\x00\x00" + "\x01\x04\x00\x01\x00\x01\x00\x002" + "\x01\x04\x00\x01\x00\x00\x00\x00" +
				"\x01\x05\x00\x01\x00\x02\x00\x00hi" + "\x01\x05\x00\x01\x00\x00\x00\x00",
			"\x01\x06\x00\x01\x00\x08\x00\x00Status: " + "\x01\x06\x00\x01\x00\x08\x00\x00404\n\nno\n" + "\x01\x07\x00\x01\x00\x02\x00\x00oh" +
				"\x01\x06\x00\x01\x00\x00\x00\x00" + "\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00",
			`BEGIN_REQUEST record [BEGIN_REQUEST] 0+16
  0+8 record header = version 1, type 1 BEGIN_REQUEST, request 1, content 8, padding 0, reserved 0
  8+2 role = 1 RESPONDER
  10+1 flags = 1 KEEP_CONN
  11+5 reserved = \x00\x00\x00\x00\x00
PARAMS record [PARAMS] 16+18
  16+8 record header = version 1, type 4 PARAMS, request 1, content 8, padding 2, reserved 0
  24+4 A = 1
  28+4 B = 22 (bytes 0–3 of 5)
  32+2 padding = 2 bytes
PARAMS record 2 [PARAMS] 34+9
  34+8 record header = version 1, type 4 PARAMS, request 1, content 1, padding 0, reserved 0
  42+1 B, going on = 22 (bytes 4–4 of 5)
PARAMS record 3, empty [PARAMS (end)] 43+8
  43+8 record header = version 1, type 4 PARAMS, request 1, content 0, padding 0, reserved 0
STDIN record [STDIN] 51+10
  51+8 record header = version 1, type 5 STDIN, request 1, content 2, padding 0, reserved 0
  59+2 stdin = hi
STDIN record 2, empty [STDIN (end)] 61+8
  61+8 record header = version 1, type 5 STDIN, request 1, content 0, padding 0, reserved 0
--
STDOUT record [STDOUT] 0+16
  0+8 record header = version 1, type 6 STDOUT, request 1, content 8, padding 0, reserved 0
  8+8 Status = 404 (bytes 0–7 of 12)
STDOUT record 2 [STDOUT] 16+16
  16+8 record header = version 1, type 6 STDOUT, request 1, content 8, padding 0, reserved 0
  24+4 Status, going on = 404 (bytes 8–11 of 12)
  28+1 end of head = \n
  29+3 document = no\n
STDERR record [STDERR] 32+10
  32+8 record header = version 1, type 7 STDERR, request 1, content 2, padding 0, reserved 0
  40+2 stderr = oh
STDOUT record 3, empty [STDOUT (end)] 42+8
  42+8 record header = version 1, type 6 STDOUT, request 1, content 0, padding 0, reserved 0
END_REQUEST record [END_REQUEST] 50+16
  50+8 record header = version 1, type 3 END_REQUEST, request 1, content 8, padding 0, reserved 0
  58+4 appStatus = 7
  62+1 protocolStatus = 0 REQUEST_COMPLETE
  63+3 reserved = \x00\x00\x00
`},
		{"FastCGI management", "FastCGI",
			"\x01\x09\x00\x00\x00\x0b\x00\x00\x09\x00MAX_CONNS", "\x01\x0b\x00\x00\x00\x08\x00\x00\x63\x00\x00\x00\x00\x00\x00\x00",
			`GET_VALUES record [GET_VALUES] 0+19
  0+8 record header = version 1, type 9 GET_VALUES, request 0, content 11, padding 0, reserved 0
  8+11 MAX_CONNS = 
--
UNKNOWN_TYPE record [UNKNOWN_TYPE] 0+16
  0+8 record header = version 1, type 11 UNKNOWN_TYPE, request 0, content 8, padding 0, reserved 0
  8+1 type = 99
  9+7 reserved = \x00\x00\x00\x00\x00\x00\x00
`},
		// The example of the SCGI specification.
		{"SCGI", "SCGI",
			"70:CONTENT_LENGTH\x0027\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00REQUEST_URI\x00/deepthought\x00,What is the answer to life?",
			"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n42",
			`variables [4 variables] 0+74
  0+3 netstring length = 70 bytes
  3+18 CONTENT_LENGTH = 27
  21+7 SCGI = 1
  28+20 REQUEST_METHOD = POST
  48+25 REQUEST_URI = /deepthought
  73+1 comma = ,
request body [body] 74+27
  74+27 body = What is the answer to life?
--
response header [Status: 200 OK] 0+44
  0+16 Status = 200 OK
  16+26 Content-Type = text/plain
  42+2 end of head = \r\n
document [document] 44+2
  44+2 document = 42
`},
		{"uwsgi", "uwsgi", "\x00\x0c\x00\x00\x01\x00A\x01\x00b\x02\x00CD\x00\x00hi", "HTTP/1.1 204 No Content\r\n\r\n",
			`uwsgi packet [2 variables] 0+16
  0+4 packet header = modifier1 0, datasize 12, modifier2 0
  4+6 A = b
  10+6 CD = 
request body [body] 16+2
  16+2 body = hi
--
response header [204 No Content] 0+27
  0+9 version = HTTP/1.1
  9+4 status code = 204
  13+12 reason phrase = No Content
  25+2 end of head = \r\n
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := socket(tc.protocol, []byte(tc.request), []byte(tc.response))
			forward, backward := decodeSocket(tc.protocol, h.Streams[0].Bytes, h.Streams[1].Bytes)
			if got := outline(forward) + "--\n" + outline(backward); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			covered(t, h)
		})
	}
}

func socket(protocol string, request, response []byte) *Hop {
	stream := func(name string, forward bool, b []byte) Stream {
		s := Stream{Name: name, Forward: forward, Bytes: b}
		if len(b) > 0 {
			s.Chunks = []Chunk{{time.Millisecond, len(b)}}
		}
		return s
	}
	h := &Hop{From: "a", To: "b", Protocol: protocol, Kind: Socket, Streams: []Stream{stream("request", true, request), stream("response", false, response)}}
	h.decode()
	return h
}

func covered(t *testing.T, h *Hop) {
	t.Helper()
	for _, gap := range h.Uncovered() {
		t.Errorf("%s: no field names %s", h.Protocol, gap)
	}
}

// What is broken off or is no such protocol is named all the same, as what it
// isn't.
func TestDecodeBroken(t *testing.T) {
	whole := map[string][2]string{
		"HTTP":    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		"FastCGI": {"\x01\x04\x00\x01\x00\x04\x04\x00\x01\x01A1\x00\x00\x00\x00", "\x01\x06\x00\x01\x00\x04\x00\x00A: b"},
		"SCGI":    {"12:CONTENT\x001\x00\x00\x00,x", "A: b\n\nc"},
		"uwsgi":   {"\x00\x08\x00\x00\x01\x00A\x03\x00bcdhi", "Status: 200\n\n"},
	}
	for protocol, ways := range whole {
		for n := range len(ways[0]) {
			covered(t, socket(protocol, []byte(ways[0][:n]), []byte(ways[1])))
		}
		for n := range len(ways[1]) {
			covered(t, socket(protocol, []byte(ways[0]), []byte(ways[1][:n])))
		}
		h := socket(protocol, []byte("\x02nonsense"), []byte("\x02nonsense"))
		covered(t, h)
		if !strings.Contains(outline(h.Messages), "not understood") {
			t.Errorf("%s: nonsense was understood:\n%s", protocol, outline(h.Messages))
		}
	}
}

// FuzzDecode looks for bytes that no field names, in every protocol.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
		"\x01\x04\x00\x01\x00\x04\x04\x00\x01\x01A1\x00\x00\x00\x00", "\x01\x04\x00\x01\x00\x04\x00\x00\xff\xff\xff\xff",
		"3:a\x00b,", "\x00\x08\x00\x00\x01\x00A\x03\x00bcdhi", "Status: 200\n\nx", "A=b\x00C\x00",
	} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, request, response []byte) {
		for _, protocol := range []string{"HTTP", "FastCGI", "SCGI", "uwsgi", "other"} {
			covered(t, socket(protocol, request, response))
		}
		h := &Hop{Protocol: "CGI", Kind: Process, Streams: []Stream{
			{Name: "environment", Forward: true, Bytes: request, Chunks: []Chunk{{0, len(request)}}},
			{Name: "stdout", Bytes: response, Chunks: []Chunk{{0, len(response)}}},
		}}
		h.decode()
		covered(t, h)
	})
}

// A body that comes in pieces is shown in these.
func TestPieces(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\n\r\n"
	s := Stream{Name: "response", Bytes: []byte(head + "abcdef"), Chunks: []Chunk{{1e6, len(head) + 2}, {1.1e6, 1}, {9e6, 3}}}
	got := outline(s.timed(decodeResponses(s.Bytes, httpRequests{})))
	if !strings.Contains(got, "piece 1 of 2 [body] 19+3\n  19+3 body = abc\n") || !strings.Contains(got, "piece 2 of 2 [body] 22+3\n  22+3 body = def\n") {
		t.Errorf("got\n%s", got)
	}
}

// What is past the limit is counted and passed on, and what was kept is still
// named.
func TestLimit(t *testing.T) {
	var r recording
	r.note(0, bytes.Repeat([]byte("x"), Limit-1))
	r.note(1, []byte("yz"))
	r.note(2, []byte("z"))
	s := r.stream("request", true)
	if len(s.Bytes) != Limit || s.Dropped != 2 || s.Size() != Limit+2 || len(s.Chunks) != 2 {
		t.Errorf("kept %d in %d chunks, dropped %d", len(s.Bytes), len(s.Chunks), s.Dropped)
	}
}

// meanings shows what is said of messages' fields and their parts.
func meanings(messages []Message) string {
	var b strings.Builder
	var list func(indent string, fields []Field)
	list = func(indent string, fields []Field) {
		for _, f := range fields {
			if f.Meaning != "" {
				fmt.Fprintf(&b, "%s%s: %s\n", indent, f.Name, f.Meaning)
			}
			list(indent+"  ", f.Parts)
		}
	}
	for _, m := range messages {
		fmt.Fprintf(&b, "%s\n", m.What)
		list("  ", m.Fields)
	}
	return b.String()
}

// What is said of the bytes of each gateway protocol, of a connection that
// requests share too.
func TestDecodeSays(t *testing.T) {
	begin := func(id string) string {
		return "\x01\x01\x00" + id + "\x00\x08\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00"
	}
	overloaded := "\x01\x03\x00\x02\x00\x08\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00"
	var b strings.Builder
	for _, tc := range []struct{ name, protocol, request, response string }{
		{"SCGI", "SCGI", "24:CONTENT_LENGTH\x002\x00SCGI\x001\x00,hi", ""},
		{"uwsgi", "uwsgi", "\x00\x06\x00\x00\x01\x00A\x01\x00bhi", ""},
		{"HTTP to uwsgi", "uwsgi", "GET / HTTP/1.0\r\n\r\n", ""},
		{"FastCGI, shared", "FastCGI", begin("\x01") + begin("\x02") + "\x01\x05\x00\x01\x00\x00\x00\x00" + "\x01\x04\x00\x02\x00\x04\x00\x00\x01\x01A1", overloaded},
		{"FastCGI, management", "FastCGI", "\x01\x09\x00\x00\x00\x11\x00\x00\x0f\x00FCGI_MPXS_CONNS", "\x01\x0a\x00\x00\x00\x10\x00\x00\x0d\x01FCGI_MAX_REQS9"},
	} {
		h := socket(tc.protocol, []byte(tc.request), []byte(tc.response))
		forward, backward := decodeSocket(tc.protocol, h.Streams[0].Bytes, h.Streams[1].Bytes)
		fmt.Fprintf(&b, "# %s\n%s%s\n", tc.name, meanings(forward), meanings(backward))
		covered(t, h)
	}
	const file = "testdata/meanings.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
