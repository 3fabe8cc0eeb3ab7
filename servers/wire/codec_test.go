package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
)

// Bytes as the specification draws them (sections 3.3, 5, and the example in
// appendix B).
func TestRecords(t *testing.T) {
	for _, tc := range []struct {
		name    string
		got     []byte
		want    string
		header  Header
		content string
	}{
		{"begin, close afterwards", AppendRecord(nil, BeginRequest, 1, Begin{Role: RoleResponder}.Append(nil)),
			"\x01\x01\x00\x01\x00\x08\x00\x00" + "\x00\x01\x00\x00\x00\x00\x00\x00", Header{BeginRequest, 1, 8, 0}, "\x00\x01\x00\x00\x00\x00\x00\x00"},
		{"begin, keep the connection", AppendRecord(nil, BeginRequest, 258, Begin{RoleResponder, true}.Append(nil)),
			"\x01\x01\x01\x02\x00\x08\x00\x00" + "\x00\x01\x01\x00\x00\x00\x00\x00", Header{BeginRequest, 258, 8, 0}, "\x00\x01\x01\x00\x00\x00\x00\x00"},
		{"params", AppendRecord(nil, Params, 1, AppendPair(nil, "SERVER_PORT", "80")),
			"\x01\x04\x00\x01\x00\x0f\x01\x00" + "\x0b\x02SERVER_PORT80" + "\x00", Header{Params, 1, 15, 1}, "\x0b\x02SERVER_PORT80"},
		{"the end of a stream", AppendRecord(nil, Stdin, 1, nil), "\x01\x05\x00\x01\x00\x00\x00\x00", Header{Stdin, 1, 0, 0}, ""},
		{"a full multiple of eight has no padding", AppendRecord(nil, Stdout, 1, []byte("12345678")), "\x01\x06\x00\x01\x00\x08\x00\x0012345678", Header{Stdout, 1, 8, 0}, "12345678"},
		{"abort", AppendRecord(nil, AbortRequest, 7, nil), "\x01\x02\x00\x07\x00\x00\x00\x00", Header{AbortRequest, 7, 0, 0}, ""},
		{"end", AppendRecord(nil, EndRequest, 1, End{938, RequestComplete}.Append(nil)),
			"\x01\x03\x00\x01\x00\x08\x00\x00" + "\x00\x00\x03\xaa\x00\x00\x00\x00", Header{EndRequest, 1, 8, 0}, "\x00\x00\x03\xaa\x00\x00\x00\x00"},
		{"overloaded", AppendRecord(nil, EndRequest, 1, End{0, Overloaded}.Append(nil)),
			"\x01\x03\x00\x01\x00\x08\x00\x00" + "\x00\x00\x00\x00\x02\x00\x00\x00", Header{EndRequest, 1, 8, 0}, "\x00\x00\x00\x00\x02\x00\x00\x00"},
		{"get values", AppendRecord(nil, GetValues, 0, AppendPair(nil, MaxConns, "")),
			"\x01\x09\x00\x00\x00\x10\x00\x00" + "\x0e\x00FCGI_MAX_CONNS", Header{GetValues, 0, 16, 0}, "\x0e\x00FCGI_MAX_CONNS"},
		{"unknown type", AppendRecord(nil, UnknownType, 0, AppendUnknown(nil, 42)),
			"\x01\x0b\x00\x00\x00\x08\x00\x00" + "\x2a\x00\x00\x00\x00\x00\x00\x00", Header{UnknownType, 0, 8, 0}, "\x2a\x00\x00\x00\x00\x00\x00\x00"},
	} {
		if string(tc.got) != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, tc.got, tc.want)
		}
		h, content, rest, err := ParseRecord(append([]byte(tc.want), "rest"...))
		if err != nil || h != tc.header || string(content) != tc.content || string(rest) != "rest" {
			t.Errorf("%s: parsed %+v %q %q, %v", tc.name, h, content, rest, err)
		}
		for i := range len(tc.want) {
			if _, _, rest, err := ParseRecord([]byte(tc.want)[:i]); err != io.ErrUnexpectedEOF || len(rest) != i {
				t.Errorf("%s, cut off after %d: %v", tc.name, i, err)
			}
		}
	}
	if b, err := ParseBegin([]byte("\x00\x02\xff\x00\x00\x00\x00\x00")); err != nil || b != (Begin{RoleAuthorizer, true}) {
		t.Errorf("%+v, %v", b, err) // undefined flags are ignored
	}
	if e, err := ParseEnd([]byte("\x01\x02\x03\x04\x03\x00\x00\x00")); err != nil || e != (End{0x01020304, UnknownRole}) {
		t.Errorf("%+v, %v", e, err)
	}
	if typ, err := ParseUnknown([]byte("\x0c\x00\x00\x00\x00\x00\x00\x00")); err != nil || typ != 12 {
		t.Errorf("%v, %v", typ, err)
	}
	for _, size := range []int{0, 7, 9} {
		b := make([]byte, size)
		_, berr := ParseBegin(b)
		_, eerr := ParseEnd(b)
		_, uerr := ParseUnknown(b)
		if berr == nil || eerr == nil || uerr == nil {
			t.Errorf("contents of %d bytes were taken", size)
		}
	}
}

func TestNames(t *testing.T) {
	got := fmt.Sprint(BeginRequest, UnknownType, RecordType(12), RoleFilter, Role(9), CantMultiplex, ProtocolStatus(4))
	want := "FCGI_BEGIN_REQUEST FCGI_UNKNOWN_TYPE type 12 FCGI_FILTER role 9 FCGI_CANT_MPX_CONN status 4"
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestPairs(t *testing.T) {
	long, longer := strings.Repeat("n", 127), strings.Repeat("v", 128)
	for _, tc := range []struct{ name, value, want string }{
		{"", "", "\x00\x00"},
		{"A", "", "\x01\x00A"},
		{"A", "bc", "\x01\x02Abc"},
		{long, longer, "\x7f\x80\x00\x00\x80" + long + longer},
		{longer, "x", "\x80\x00\x00\x80\x01" + longer + "x"},
		{"A", strings.Repeat("x", 70000), "\x01\x80\x01\x11\x70A" + strings.Repeat("x", 70000)},
	} {
		got := AppendPair(nil, tc.name, tc.value)
		if string(got) != tc.want {
			t.Errorf("got %.60q, want %.60q", got, tc.want)
		}
		name, value, rest, err := ParsePair(append(got, 'r'))
		if err != nil || string(name) != tc.name || string(value) != tc.value || string(rest) != "r" {
			t.Errorf("%.20q=%.20q: %.20q %.20q %q %v", tc.name, tc.value, name, value, rest, err)
		}
		if _, _, _, err := ParsePair(got[:len(got)-1]); err != io.ErrUnexpectedEOF {
			t.Errorf("%.20q=%.20q, cut off: %v", tc.name, tc.value, err)
		}
	}
	// A short length may be written long.
	if name, value, _, err := ParsePair([]byte("\x80\x00\x00\x01\x80\x00\x00\x02Abc")); err != nil || string(name) != "A" || string(value) != "bc" {
		t.Errorf("%q=%q, %v", name, value, err)
	}
	for _, cut := range []string{"", "\x01", "\x80\x00\x00", "\x01\x80\x00", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x01\x02A"} {
		if _, _, _, err := ParsePair([]byte(cut)); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: %v", cut, err)
		}
	}
}

func TestStreamIsCutIntoRecords(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 2*MaxContent+3)
	rest := AppendStream(nil, Stdout, 5, content)
	for i, want := range []int{MaxContent, MaxContent, 3} {
		h, c, after, err := ParseRecord(rest)
		if err != nil || h.Content != want || len(c) != want || h.ID != 5 || (h.Content+h.Padding)%8 != 0 {
			t.Fatalf("record %d: %+v, %v", i, h, err)
		}
		rest = after
	}
	if len(rest) != 0 || AppendStream(nil, Stdout, 5, nil) != nil {
		t.Error("more records than content")
	}
}

// The packet of uWSGI's documentation, by its rules.
func TestUWSGI(t *testing.T) {
	vars := []app.Field{{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "QUERY_STRING"}, {Name: "X", Value: strings.Repeat("y", 300)}}
	want := "\x00\x54\x01\x00" +
		"\x0e\x00REQUEST_METHOD\x03\x00GET" +
		"\x0c\x00QUERY_STRING\x00\x00" +
		"\x01\x00X\x2c\x01" + strings.Repeat("y", 300)
	want = "\x00" + string([]byte{byte(len(want) - 4), byte((len(want) - 4) >> 8)}) + want[3:]
	got, err := AppendUWSGI([]byte("before"), vars)
	if err != nil || string(got) != "before"+want {
		t.Fatalf("got %q, %v\nwant %q", got, err, want)
	}
	if h := ParseUWSGIHeader([]byte(want)); h != (UWSGIHeader{0, len(want) - 4, 0}) {
		t.Errorf("%+v", h)
	}
	back, err := ParseUWSGIVars([]byte(want)[4:], nil)
	if err != nil || !slices.Equal(back, vars) {
		t.Errorf("%v, %v", back, err)
	}
	if h := ParseUWSGIHeader([]byte("GET ")); h.Size != 21573 || h.Modifier1 != 'G' {
		t.Errorf("%+v", h)
	}
	for _, bad := range []string{"\x01", "\x01\x00", "\x01\x00A", "\x01\x00A\x01", "\x01\x00A\x01\x00", "\x00\x00\x00\x00", "\xff\xffA"} {
		if vars, err := ParseUWSGIVars([]byte(bad), nil); err == nil {
			t.Errorf("%q: %v", bad, vars)
		}
	}
	// 65535 bytes go, one more doesn't.
	fits := []app.Field{{Name: "A", Value: strings.Repeat("x", MaxUWSGI-5)}}
	if b, err := AppendUWSGI(nil, fits); err != nil || len(b) != 4+MaxUWSGI {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	for _, vars := range [][]app.Field{{{Name: "A", Value: strings.Repeat("x", MaxUWSGI-4)}}, {{Name: "A", Value: strings.Repeat("x", 1<<17)}}} {
		b, err := AppendUWSGI([]byte("before"), vars)
		var large *ProtocolError
		want := fmt.Sprintf("take %d bytes, and a packet's size is a number of 16 bits: it has at most 65535", 5+len(vars[0].Value))
		if !errors.As(err, &large) || !large.Oversize || !strings.Contains(err.Error(), want) || string(b) != "before" {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
	if _, err := ParseUWSGIVars(bytes.Repeat([]byte("\x01\x00A\x00\x00"), maxVarCount+1), nil); err == nil {
		t.Error("any number of variables is taken")
	}
}

// The example of the SCGI specification.
func TestSCGI(t *testing.T) {
	const want = "70:CONTENT_LENGTH\x0027\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00REQUEST_URI\x00/deepthought\x00,"
	vars := []app.Field{{Name: "REQUEST_METHOD", Value: "POST"}, {Name: "CONTENT_LENGTH", Value: "27"}, {Name: "REQUEST_URI", Value: "/deepthought"}}
	got, err := AppendSCGI(nil, vars)
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v\nwant %q", got, err, want)
	}
	n, read, err := ParseNetstringLength([]byte(want))
	if n != 70 || read != 3 || err != nil {
		t.Errorf("%d %d %v", n, read, err)
	}
	back, err := ParseSCGIVars([]byte(want)[3:73], nil)
	if err != nil || !slices.Equal(back, []app.Field{vars[1], {Name: "SCGI", Value: "1"}, vars[0], vars[2]}) {
		t.Errorf("%v, %v", back, err)
	}
	if got, err := AppendSCGI(nil, nil); err != nil || string(got) != "24:CONTENT_LENGTH\x000\x00SCGI\x001\x00," {
		t.Errorf("no variables: %q, %v", got, err)
	}
	for _, bad := range [][]app.Field{{{Name: "A\x00"}}, {{Name: "A", Value: "\x00"}}, {{Value: "x"}}, {{Name: "A"}, {Name: "A"}}} {
		if b, err := AppendSCGI(nil, bad); err == nil {
			t.Errorf("%q was written as %q", bad, b)
		}
	}
}

func TestSCGIRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"GET / HTTP/1.1":               "this is HTTP",
		"x":                            "not with a netstring's length",
		":":                            "not with a netstring's length",
		"-1:":                          "not with a netstring's length",
		"01:":                          "not with a netstring's length",
		"1 :":                          "not with a netstring's length",
		"1234567890:":                  "more than 9 digits",
		"\x16\x03\x01\x02\x00\x01\x00": "this is TLS",
	} {
		if n, read, err := ParseNetstringLength([]byte(in)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %d %d %v", in, n, read, err)
		}
	}
	for _, more := range []string{"", "1", "123456789"} {
		if n, read, err := ParseNetstringLength([]byte(more)); read != 0 || err != nil {
			t.Errorf("%q: %d %d %v", more, n, read, err)
		}
	}
	for in, says := range map[string]string{
		"":                                      "CONTENT_LENGTH is not the first",
		"CONTENT_LENGTH\x000":                   "does not end with a NUL",
		"CONTENT_LENGTH\x00":                    "has no value",
		"CONTENT_LENGTH\x00\x00SCGI\x001\x00":   "not a number",
		"CONTENT_LENGTH\x00-1\x00SCGI\x001\x00": "not a number",
		"CONTENT_LENGTH\x009223372036854775808\x00SCGI\x001\x00":                           "not a number",
		"SCGI\x001\x00CONTENT_LENGTH\x000\x00":                                             "CONTENT_LENGTH is not the first",
		"CONTENT_LENGTH\x000\x00":                                                          `variable SCGI is "", not "1"`,
		"CONTENT_LENGTH\x000\x00SCGI\x002\x00":                                             `variable SCGI is "2"`,
		"CONTENT_LENGTH\x000\x00SCGI\x001\x00CONTENT_LENGTH\x001\x00":                      "occurs twice",
		"CONTENT_LENGTH\x000\x00SCGI\x001\x00\x00x\x00":                                    "without a name",
		"CONTENT_LENGTH\x000\x00SCGI\x001\x00" + strings.Repeat("A\x00B\x00", maxVarCount): "more than",
	} {
		if vars, err := ParseSCGIVars([]byte(in), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v; want an error with %q", in, vars, err, says)
		}
	}
}

func TestParamsRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"\x01\x01A":         "in the middle of a pair",
		"\x00\x01A":         "without a name",
		"\x01\x01AB\x01":    "in the middle of a pair",
		"\xff\xff\xff\xff0": "in the middle of a pair",
		strings.Repeat("\x01\x00A", maxVarCount+1): "more than",
	} {
		if vars, err := ParseParams([]byte(in), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: %v, %v; want an error with %q", in, vars, err, says)
		}
	}
	for _, tc := range []struct {
		vars []app.Field
		want int64
	}{
		{nil, 0},
		{[]app.Field{{Name: "CONTENT_LENGTH", Value: ""}}, 0},
		{[]app.Field{{Name: "CONTENT_LENGTH", Value: "9"}, {Name: "CONTENT_LENGTH", Value: "9"}}, 9},
		{[]app.Field{{Name: "CONTENT_LENGTH", Value: "9"}, {Name: "CONTENT_LENGTH", Value: "8"}}, -1},
		{[]app.Field{{Name: "CONTENT_LENGTH", Value: "+9"}}, -1},
		{[]app.Field{{Name: "CONTENT_LENGTH", Value: "0x9"}}, -1},
	} {
		if n, err := contentLength("uwsgi", tc.vars); (err != nil) != (tc.want < 0) || err == nil && n != tc.want {
			t.Errorf("%v: %d, %v", tc.vars, n, err)
		}
	}
}
