package trace

import (
	"strings"
	"testing"
)

func TestRequestBytes(t *testing.T) {
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{Target: "/a?b"}, "GET /a?b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: lab\r\nAccept: */*\r\n\r\n"},
		{Request{Target: "/", Body: []byte("xy"), HTTP10: true}, "POST / HTTP/1.0\r\nHost: h:1\r\nUser-Agent: lab\r\nAccept: */*\r\nContent-Length: 2\r\n\r\nxy"},
		{Request{Target: "/", Method: "PUT", Body: []byte{}}, "PUT / HTTP/1.1\r\nHost: h:1\r\nUser-Agent: lab\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n"},
		{Request{Target: "/", Body: []byte("xy"), Header: []Header{{Name: "transfer-encoding", Value: "chunked"}, {Name: "host", Value: "other"}, {Name: "Accept", Remove: true}}},
			"POST / HTTP/1.1\r\nUser-Agent: lab\r\ntransfer-encoding: chunked\r\nhost: other\r\n\r\n2\r\nxy\r\n0\r\n\r\n"},
		{Request{Target: "/", Header: []Header{{Name: "X"}, {Name: "X", Value: "1"}, {Name: "User-Agent"}}}, "GET / HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\nX: \r\nX: 1\r\nUser-Agent: \r\n\r\n"},
	} {
		got, err := tc.r.bytes("h:1")
		if err != nil || string(got) != tc.want {
			t.Errorf("%+v:\n got %q, %v\nwant %q", tc.r, got, err, tc.want)
		}
	}
	for want, r := range map[string]Request{
		"must start with /":    {Target: "a"},
		"%20":                  {Target: "/a b"},
		"%23":                  {Target: "/a#b"},
		"letters make one":     {Target: "/", Method: "G T"},
		"can only send chunk":  {Target: "/", Header: []Header{{Name: "Transfer-Encoding", Value: "gzip"}}},
		"HTTP/1.0 has no chun": {Target: "/", HTTP10: true, Header: []Header{{Name: "Transfer-Encoding", Value: "chunked"}}},
	} {
		if _, err := r.bytes("h"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

// As curl reads them.
func TestParseHeader(t *testing.T) {
	for text, want := range map[string]Header{
		"A: b":   {Name: "A", Value: "b"},
		"A:b ":   {Name: "A", Value: "b"},
		"A:":     {Name: "A", Remove: true},
		"A;":     {Name: "A"},
		"A: b;c": {Name: "A", Value: "b;c"},
	} {
		if got, err := ParseHeader(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"A", "A b: c", ": x", "A: b\r\nC: d", ";"} {
		if got, err := ParseHeader(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
