package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// An outcome is all that became of the bytes of a connection.
type outcome struct {
	requests []string // each with its body
	status   int      // of the refusal, 0 = none
	left     string   // an unfinished request
}

func (o outcome) String() string {
	return fmt.Sprintf("%s| status %d, left %.80q", strings.Join(o.requests, "| "), o.status, o.left)
}

func describe(r *Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s ?%s 1.%d host=%s framing=%d,%d keep=%v up=%q continue=%v", r.Method, r.Path, r.Query, r.Minor,
		r.Host, r.Framing, r.Length, r.KeepAlive, r.Upgrade, r.Continue)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, " [%s: %s]", f.Name, f.Value)
	}
	return b.String()
}

const testLimit = 1 << 20

// push feeds the bytes in pieces of the given size, as a readiness loop would.
func push(input string, size int) (o outcome) {
	var p Parser
	var req Request
	var buf []byte
	var body Body
	var content []byte
	inBody := false
	fail := func(err error) outcome {
		var refused *Error
		if !errors.As(err, &refused) {
			panic(err)
		}
		o.status = refused.Status
		return o
	}
	for {
		for len(buf) > 0 || inBody {
			if !inBody {
				n, err := p.Parse(buf, &req)
				if err != nil {
					return fail(err)
				}
				if n == 0 {
					break
				}
				buf, inBody = buf[n:], true
				body, content = req.Body(testLimit), nil
			}
			data, n, err := body.Next(buf)
			if err != nil {
				return fail(err)
			}
			content, buf = append(content, data...), buf[n:]
			if body.Ended() {
				o.requests = append(o.requests, describe(&req)+" body="+string(content))
				inBody = false
			} else if n == 0 {
				break
			}
		}
		if input == "" {
			break
		}
		k := min(size, len(input))
		buf, input = append(bytes.Clone(buf), input[:k]...), input[k:]
	}
	if inBody {
		o.left = "body " + describe(&req) + " " + string(content)
	} else {
		o.left = string(buf)
	}
	return o
}

// pull reads the bytes as a blocking server would.
func pull(src io.Reader) (o outcome) {
	r := NewReader(src, DefaultLimits())
	var req Request
	for {
		err := r.ReadRequest(&req, testLimit)
		var content []byte
		if err == nil {
			content, err = io.ReadAll(r)
		}
		var refused *Error
		switch {
		case errors.As(err, &refused):
			o.status = refused.Status
			return o
		case err == io.EOF:
			return o
		case err == io.ErrUnexpectedEOF && !r.Ended():
			o.left = "body " + describe(&req) + " " + string(content)
			return o
		case err == io.ErrUnexpectedEOF:
			o.left = string(r.Buffered())
			return o
		case err != nil:
			panic(err)
		}
		o.requests = append(o.requests, describe(&req)+" body="+string(content))
	}
}

// outcomes feeds the input in every way, which must make no difference.
func outcomes(t testing.TB, input string) outcome {
	t.Helper()
	whole := push(input, len(input)+1)
	others := map[string]outcome{
		"read whole": pull(strings.NewReader(input)),
	}
	sizes := []int{1, 2, 3, 7, 1000}
	if len(input) > 20_000 {
		sizes = []int{331, 4096} // one by one is for what is short: each piece is copied here
	} else {
		others["read by bytes"] = pull(iotest.OneByteReader(strings.NewReader(input)))
	}
	for _, n := range sizes {
		others[fmt.Sprintf("pieces of %d", n)] = push(input, n)
	}
	for how, o := range others {
		if o.String() != whole.String() {
			t.Errorf("%.200q\n%s: %v\nwhole: %v", input, how, o, whole)
		}
	}
	return whole
}

func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

// validCases is a request, or several, and what is to be made of them.
var validCases = []struct{ name, input, want string }{
	{"plain", lines("GET / HTTP/1.1", "Host: lab.test"),
		`GET / ? 1.1 host=lab.test framing=0,0 keep=true up="" continue=false [Host: lab.test] body=`},
	{"1.0 without Host", lines("GET /a HTTP/1.0"), `GET /a ? 1.0 host= framing=0,0 keep=false up="" continue=false body=`},
	{"1.0 kept", lines("GET /a HTTP/1.0", "connection: Keep-Alive"),
		`GET /a ? 1.0 host= framing=0,0 keep=true up="" continue=false [Connection: Keep-Alive] body=`},
	{"1.9 is 1.1", lines("GET / HTTP/1.9", "Host: a"), `GET / ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"close", lines("GET / HTTP/1.1", "Host: a", "Connection: x , CLOSE"),
		`GET / ? 1.1 host=a framing=0,0 keep=false up="" continue=false [Host: a] [Connection: x , CLOSE] body=`},
	{"close in a second field", lines("GET / HTTP/1.1", "Host: a", "Connection: keep-alive", "Connection: close"),
		`GET / ? 1.1 host=a framing=0,0 keep=false up="" continue=false [Host: a] [Connection: keep-alive] [Connection: close] body=`},
	{"query and escapes", lines("GET /a%20b%2Fc?x=%20&? HTTP/1.1", "Host: a"),
		`GET /a b/c ?x=%20&? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"empty query", lines("GET /? HTTP/1.1", "Host: a"), `GET / ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"bytes above 0x7f", lines("GET /\xc3\xbc HTTP/1.1", "Host: a", "X: \xff\xfe"),
		"GET /\xc3\xbc ? 1.1 host=a framing=0,0 keep=true up=\"\" continue=false [Host: a] [X: \xff\xfe] body="},
	{"space around a value", lines("GET / HTTP/1.1", "Host:\t a \t", "X:", "Y: a \t b"),
		"GET / ? 1.1 host=a framing=0,0 keep=true up=\"\" continue=false [Host: a] [X: ] [Y: a \t b] body="},
	{"names in canonical form", lines("GET / HTTP/1.1", "hOsT: a", "x-REQUEST-id: 1", "!#$%&'*+-.^_`|~9: 2"),
		"GET / ? 1.1 host=a framing=0,0 keep=true up=\"\" continue=false [Host: a] [X-Request-Id: 1] [!#$%&'*+-.^_`|~9: 2] body="},
	{"empty Host", lines("GET / HTTP/1.1", "Host: "), `GET / ? 1.1 host= framing=0,0 keep=true up="" continue=false [Host: ] body=`},
	{"IPv6 host", lines("GET / HTTP/1.1", "Host: [2001:db8::1]:80"),
		`GET / ? 1.1 host=[2001:db8::1]:80 framing=0,0 keep=true up="" continue=false [Host: [2001:db8::1]:80] body=`},
	{"absolute form", lines("GET HTTP://real.test:81/a?b HTTP/1.1", "Host: other.test"),
		`GET /a ?b 1.1 host=real.test:81 framing=0,0 keep=true up="" continue=false [Host: other.test] body=`},
	{"absolute form without a path", lines("GET http://real.test?b HTTP/1.1", "Host: a"),
		`GET / ?b 1.1 host=real.test framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"method of one's own", lines("PURGE-all / HTTP/1.1", "Host: a"), `PURGE-all / ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"one empty line before", "\r\n" + lines("GET / HTTP/1.1", "Host: a"), `GET / ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"length", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5") + "hello",
		`POST / ? 1.1 host=a framing=1,5 keep=true up="" continue=false [Host: a] [Content-Length: 5] body=hello`},
	{"length with zeros", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0005") + "hello",
		`POST / ? 1.1 host=a framing=1,5 keep=true up="" continue=false [Host: a] [Content-Length: 0005] body=hello`},
	{"length 0", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0"),
		`POST / ? 1.1 host=a framing=1,0 keep=true up="" continue=false [Host: a] [Content-Length: 0] body=`},
	{"chunks", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: Chunked") + "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
		`POST / ? 1.1 host=a framing=2,-1 keep=true up="" continue=false [Host: a] [Transfer-Encoding: Chunked] body=abc0123456789`},
	{"chunk extensions and trailers", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1;a=b;c=\"d;e\"\r\nx\r\n1;a ; b\r\ny\r\n000;z\r\nT: 1\r\nContent-Length: 9\r\n\r\n",
		`POST / ? 1.1 host=a framing=2,-1 keep=true up="" continue=false [Host: a] [Transfer-Encoding: chunked] body=xy`},
	{"expectation", lines("POST / HTTP/1.1", "Host: a", "Expect: 100-Continue", "Content-Length: 1") + "x",
		`POST / ? 1.1 host=a framing=1,1 keep=true up="" continue=true [Host: a] [Expect: 100-Continue] [Content-Length: 1] body=x`},
	{"nothing to continue", lines("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"),
		`GET / ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] [Expect: 100-continue] body=`},
	{"HTTP/1.0 expects nothing", lines("POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 1") + "x",
		`POST / ? 1.0 host= framing=1,1 keep=false up="" continue=false [Expect: 100-continue] [Content-Length: 1] body=x`},
	{"upgrade", lines("GET /ws HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade", "Upgrade: websocket"),
		`GET /ws ? 1.1 host=a framing=0,0 keep=true up="websocket" continue=false [Host: a] [Connection: keep-alive, Upgrade] [Upgrade: websocket] body=`},
	{"upgrade that Connection doesn't name", lines("GET /ws HTTP/1.1", "Host: a", "Upgrade: websocket"),
		`GET /ws ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] [Upgrade: websocket] body=`},
	{"an underscore is another field", lines("POST / HTTP/1.1", "Host: a", "Transfer_Encoding: chunked", "Content-Length: 1") + "x",
		`POST / ? 1.1 host=a framing=1,1 keep=true up="" continue=false [Host: a] [Transfer_encoding: chunked] [Content-Length: 1] body=x`},
	{"pipeline", lines("POST /1 HTTP/1.1", "Host: a", "Content-Length: 2") + "ab" + lines("GET /2 HTTP/1.1", "Host: a"),
		`POST /1 ? 1.1 host=a framing=1,2 keep=true up="" continue=false [Host: a] [Content-Length: 2] body=ab| ` +
			`GET /2 ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
	{"a body that looks like a request", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 18") + "GET / HTTP/1.1\r\n\r\n",
		`POST / ? 1.1 host=a framing=1,18 keep=true up="" continue=false [Host: a] [Content-Length: 18] body=GET / HTTP/1.1` + "\r\n\r\n"},
	{"longest line", lines("GET /"+strings.Repeat("a", 16<<10-14)+" HTTP/1.1", "Host: a"),
		`GET /` + strings.Repeat("a", 16<<10-14) + ` ? 1.1 host=a framing=0,0 keep=true up="" continue=false [Host: a] body=`},
}

func TestValid(t *testing.T) {
	for _, c := range validCases {
		t.Run(c.name, func(t *testing.T) {
			o := outcomes(t, c.input)
			if got := strings.Join(o.requests, "| "); got != c.want || o.status != 0 || o.left != "" {
				t.Errorf("got  %v\nwant %s", o, c.want)
			}
		})
	}
}

func get(fields ...string) string {
	return lines(append([]string{"GET / HTTP/1.1", "Host: a"}, fields...)...)
}

func post(body string, fields ...string) string {
	return lines(append([]string{"POST / HTTP/1.1", "Host: a"}, fields...)...) + body
}

func inChunked(body string) string { return post(body, "Transfer-Encoding: chunked") }

// invalidCases is what is refused, and with which status.
var invalidCases = []struct {
	name   string
	status int
	input  string
}{
	// the request line
	{"nonsense", 400, "hello?\r\n\r\n"},
	{"TLS", 400, "\x16\x03\x01\x00\xa5\x01"},
	{"a NUL first", 400, "\x00"},
	{"uwsgi packet", 400, "\x00\x07\x00\x00GET"},
	{"two empty lines before", 400, "\r\n\r\n" + get()},
	{"space first", 400, " " + get()},
	{"no target", 400, lines("GET HTTP/1.1", "Host: a")},
	{"HTTP/0.9", 400, "GET /\r\n"},
	{"two spaces before the target", 400, lines("GET  / HTTP/1.1", "Host: a")},
	{"two spaces before the version", 400, lines("GET /  HTTP/1.1", "Host: a")},
	{"tab instead of space", 400, lines("GET\t/ HTTP/1.1", "Host: a")},
	{"space after the version", 400, lines("GET / HTTP/1.1 ", "Host: a")},
	{"space in the target", 400, lines("GET /a b HTTP/1.1", "Host: a")},
	{"method with a colon", 400, lines("GE:T / HTTP/1.1", "Host: a")},
	{"long method", 501, lines(strings.Repeat("A", 33)+" / HTTP/1.1", "Host: a")},
	{"lower-case version", 400, lines("GET / http/1.1", "Host: a")},
	{"short version", 400, lines("GET / HTTP/1", "Host: a")},
	{"long version", 400, lines("GET / HTTP/1.10", "Host: a")},
	{"signed version", 400, lines("GET / HTTP/+1.1", "Host: a")},
	{"HTTP/2", 505, lines("GET / HTTP/2.0", "Host: a")},
	{"HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"HTTP/0.9 named", 505, lines("GET / HTTP/0.9")},
	{"bare LF", 400, "GET / HTTP/1.1\nHost: a\n\n"},
	{"bare LF at the end of a field", 400, "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"},
	{"bare LF ends the head", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
	{"bare LF before", 400, "\n" + get()},
	{"bare CR in the target", 400, lines("GET /\ra HTTP/1.1", "Host: a")},
	{"bare CR between lines", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
	{"CR CR LF", 400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
	{"NUL in the target", 400, lines("GET /\x00 HTTP/1.1", "Host: a")},
	{"escaped NUL", 400, lines("GET /%00 HTTP/1.1", "Host: a")},
	{"DEL in the target", 400, lines("GET /\x7f HTTP/1.1", "Host: a")},
	{"fragment", 400, lines("GET /#a HTTP/1.1", "Host: a")},
	{"half an escape", 400, lines("GET /%4 HTTP/1.1", "Host: a")},
	{"bad escape", 400, lines("GET /%zz HTTP/1.1", "Host: a")},
	{"relative target", 400, lines("GET a HTTP/1.1", "Host: a")},
	{"asterisk", 400, lines("OPTIONS * HTTP/1.1", "Host: a")},
	{"CONNECT", 400, lines("CONNECT a:80 HTTP/1.1", "Host: a:80")},
	{"CONNECT with a path", 400, lines("CONNECT /a HTTP/1.1", "Host: a:80")},
	{"another scheme", 400, lines("GET ftp://a/ HTTP/1.1", "Host: a")},
	{"absolute form without a host", 400, lines("GET http:///a HTTP/1.1", "Host: a")},
	{"absolute form with a user", 400, lines("GET http://u@a/ HTTP/1.1", "Host: a")},
	{"long line", 414, "GET /" + strings.Repeat("a", 16<<10-13) + " HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"endless line", 414, "GET /" + strings.Repeat("a", 80<<10)},

	// fields
	{"no Host", 400, lines("GET / HTTP/1.1")},
	{"two Hosts", 400, get("Host: a")},
	{"two Hosts in 1.0", 400, lines("GET / HTTP/1.0", "Host: a", "Host: b")},
	{"Host with a path", 400, lines("GET / HTTP/1.1", "Host: a/b")},
	{"Host with a user", 400, lines("GET / HTTP/1.1", "Host: u@a")},
	{"Host with a space", 400, lines("GET / HTTP/1.1", "Host: a b")},
	{"Host list", 400, lines("GET / HTTP/1.1", "Host: a, b")},
	{"Host with an escape", 400, lines("GET / HTTP/1.1", "Host: a%41")},
	{"Host with a bad port", 400, lines("GET / HTTP/1.1", "Host: a:b")},
	{"Host with two ports", 400, lines("GET / HTTP/1.1", "Host: a:1:2")},
	{"Host with half a bracket", 400, lines("GET / HTTP/1.1", "Host: [::1")},
	{"Host with text after brackets", 400, lines("GET / HTTP/1.1", "Host: [::1]a")},
	{"Host in absolute form is looked at too", 400, lines("GET http://a/ HTTP/1.1", "Host: a b")},
	{"no colon", 400, get("Bad")},
	{"no name", 400, get(": x")},
	{"space before the colon", 400, get("X : y")},
	{"tab before the colon", 400, get("X\t: y")},
	{"space in the name", 400, get("Bad Header: x")},
	{"a name with a bracket", 400, get("X[]: y")},
	{"a name above 0x7f", 400, get("X\xc3\xbc: y")},
	{"NUL in the name", 400, get("X\x00: y")},
	{"NUL in the value", 400, get("X: a\x00b")},
	{"bare CR in the value", 400, get("X: a\rb")},
	{"vertical tab in the value", 400, get("X: a\vb")},
	{"DEL in the value", 400, get("X: \x7f")},
	{"folded field", 400, get("X: a", " b")},
	{"folded by a tab", 400, get("X: a", "\tb")},
	{"folded first field", 400, lines("GET / HTTP/1.1", " Host: a")},
	{"other expectation", 417, get("Expect: much")},
	{"two expectations", 417, get("Expect: 100-continue, much")},
	{"large head", 431, get("X: " + strings.Repeat("a", 64<<10))},
	{"endless head", 431, "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 100<<10)},
	{"endless fields", 431, "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: a\r\n", 20<<10)},
	{"too many fields", 431, get(strings.Fields(strings.Repeat("X:a ", 256))...)},

	// where the body ends
	{"two lengths", 400, post("ab", "Content-Length: 2", "Content-Length: 3")},
	{"the same length twice", 400, post("ab", "Content-Length: 2", "content-length: 2")},
	{"a list of lengths", 400, post("ab", "Content-Length: 2, 2")},
	{"+5", 400, post("hello", "Content-Length: +5")},
	{"-5", 400, post("hello", "Content-Length: -5")},
	{"0x5", 400, post("hello", "Content-Length: 0x5")},
	{"5.0", 400, post("hello", "Content-Length: 5.0")},
	{"1_0", 400, post("hello", "Content-Length: 1_0")},
	{"quoted length", 400, post("hello", `Content-Length: "5"`)},
	{"a space in the length", 400, post("hello", "Content-Length: 1 0")},
	{"empty length", 400, post("hello", "Content-Length:")},
	{"length beyond all", 413, post("hello", "Content-Length: 99999999999999999999")},
	{"length 2^64+5", 413, post("hello", "Content-Length: 18446744073709551621")},
	{"length beyond the limit", 413, post("hello", "Content-Length: 1048577")},
	{"CL.TE", 400, post("0\r\n\r\nG", "Content-Length: 6", "Transfer-Encoding: chunked")},
	{"TE.CL", 400, post("5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 4")},
	{"TE and an unknown coding beside CL", 400, post("", "Transfer-Encoding: gzip", "Content-Length: 4")},
	{"TE twice", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")},
	{"TE twice, one unknown", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: cow")},
	{"TE in HTTP/1.0", 400, lines("POST / HTTP/1.0", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
	{"chunked, chunked", 400, post("", "Transfer-Encoding: chunked, chunked")},
	{"chunked, identity", 400, post("", "Transfer-Encoding: chunked, identity")},
	{"empty TE", 400, post("", "Transfer-Encoding:")},
	{"gzip, chunked", 501, post("", "Transfer-Encoding: gzip, chunked")},
	{"identity", 501, post("", "Transfer-Encoding: identity")},
	{"xchunked", 501, post("", "Transfer-Encoding: xchunked")},
	{"chunked;a=b", 501, post("", "Transfer-Encoding: chunked;a=b")},
	{"'chunked'", 501, post("", "Transfer-Encoding: 'chunked'")},
	{"TE after a vertical tab", 400, post("", "Transfer-Encoding: \vchunked")},
	{"TE before a form feed", 400, post("", "Transfer-Encoding: chunked\f")},
	{"TE with a space before the colon", 400, post("", "Transfer-Encoding : chunked")},
	{"TE on a folded line", 400, post("", "Transfer-Encoding:", " chunked")},
	{"TE behind a folded line", 400, post("", "X: y", " Transfer-Encoding: chunked")},
	{"TE behind a bare CR", 400, post("", "X: y\rTransfer-Encoding: chunked")},
	{"TE behind a bare LF", 400, post("", "X: y\nTransfer-Encoding: chunked")},

	// chunks
	{"chunk size missing", 400, inChunked("\r\nabc")},
	{"chunk size not a number", 400, inChunked("zz\r\n")},
	{"chunk size 0x3", 400, inChunked("0x3\r\nabc\r\n0\r\n\r\n")},
	{"chunk size +3", 400, inChunked("+3\r\nabc\r\n0\r\n\r\n")},
	{"chunk size -1", 400, inChunked("-1\r\n")},
	{"space before the chunk size", 400, inChunked(" 3\r\nabc\r\n0\r\n\r\n")},
	{"space after the chunk size", 400, inChunked("3 \r\nabc\r\n0\r\n\r\n")},
	{"space before an extension", 400, inChunked("3 ;a\r\nabc\r\n0\r\n\r\n")},
	{"chunk size 2^64+3", 400, inChunked("10000000000000003\r\nabc\r\n0\r\n\r\n")},
	{"chunk size 2^63", 400, inChunked("8000000000000000\r\n")},
	{"chunk size with too many zeros", 400, inChunked(strings.Repeat("0", 17) + "\r\n\r\n")},
	{"chunk beyond the limit", 413, inChunked("100001\r\n")},
	{"chunks beyond the limit", 413, inChunked("FFFFF\r\n" + strings.Repeat("a", 1<<20-1) + "\r\n2\r\nab\r\n0\r\n\r\n")},
	{"bare LF after the chunk size", 400, inChunked("3\nabc\r\n0\r\n\r\n")},
	{"bare CR after the chunk size", 400, inChunked("3\rabc\r\n0\r\n\r\n")},
	{"bare LF after the chunk", 400, inChunked("3\r\nabc\n0\r\n\r\n")},
	{"chunk longer than its size", 400, inChunked("2\r\nabc\r\n0\r\n\r\n")},
	{"bare LF in an extension", 400, inChunked("3;a\nabc\r\n0\r\n\r\n")},
	{"NUL in an extension", 400, inChunked("3;a\x00\r\nabc\r\n0\r\n\r\n")},
	{"bare LF between quotes in an extension", 400, inChunked("3;a=\"\n\"\r\nabc\r\n0\r\n\r\n")},
	{"long extension", 400, inChunked("3;" + strings.Repeat("a", 300) + "\r\nabc\r\n0\r\n\r\n")},
	{"many extensions", 400, inChunked(strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\nx\r\n", 100) + "0\r\n\r\n")},
	{"text after the last chunk", 400, inChunked("0\r\nabc\r\n\r\n")},
	{"folded trailer", 400, inChunked("0\r\nA: b\r\n c\r\n\r\n")},
	{"space before a trailer's colon", 400, inChunked("0\r\nA : b\r\n\r\n")},
	{"trailer without a name", 400, inChunked("0\r\n: b\r\n\r\n")},
	{"bare LF in trailers", 400, inChunked("0\r\nA: b\nC: d\r\n\r\n")},
	{"bare LF ends the body", 400, inChunked("0\r\n\n")},
	{"NUL in a trailer", 400, inChunked("0\r\nA: \x00\r\n\r\n")},
	{"endless trailers", 431, inChunked("0\r\n" + strings.Repeat("A: b\r\n", 2<<10) + "\r\n")},
}

func TestInvalid(t *testing.T) {
	for _, c := range invalidCases {
		t.Run(c.name, func(t *testing.T) {
			if o := outcomes(t, c.input+get()); o.status != c.status || len(o.requests) > 0 {
				t.Errorf("%.200q: %v, want status %d", c.input, o, c.status)
			}
		})
	}
}

// What is cut off is neither a request nor an error: more may come.
func TestUnfinished(t *testing.T) {
	for _, c := range validCases {
		if len(c.input) > 1000 {
			continue
		}
		for n := range len(c.input) {
			if o := push(c.input[:n], n+1); o.status != 0 {
				t.Errorf("%q: status %d", c.input[:n], o.status)
			}
		}
	}
}

// A request's strings outlive the buffer it was read from.
func TestStringsAreItsOwn(t *testing.T) {
	buf := []byte(get("X: y"))
	var p Parser
	var r Request
	if _, err := p.Parse(buf, &r); err != nil {
		t.Fatal(err)
	}
	clear(buf)
	if r.Get("X") != "y" || r.Method != "GET" || r.Get("None") != "" {
		t.Errorf("%s", describe(&r))
	}
}

func TestReaderKeepsWhatFollows(t *testing.T) {
	r := NewReader(strings.NewReader(get()+"\x01\x02"), DefaultLimits())
	var req Request
	if err := r.ReadRequest(&req, 0); err != nil {
		t.Fatal(err)
	}
	if !r.Ended() || string(r.Buffered()) != "\x01\x02" {
		t.Errorf("ended %v, buffered %q", r.Ended(), r.Buffered())
	}
	r.Reset(iotest.ErrReader(io.ErrClosedPipe))
	if err := r.ReadRequest(&req, 0); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want the source's", err)
	}
	r.Reset(strings.NewReader(post("abc", "Content-Length: 4")))
	if err := r.ReadRequest(&req, 0); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); string(b) != "abc" || err != io.ErrUnexpectedEOF {
		t.Errorf("%q, %v", b, err)
	}
}
