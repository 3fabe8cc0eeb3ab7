package app

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is what a recorder has seen.
type answer struct {
	status  int
	header  []Field
	body    strings.Builder
	flushes int
}

func (a *answer) Start(status int, header []Field) error {
	if a.status != 0 {
		return errors.New("started twice")
	}
	a.status, a.header = status, header
	return nil
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		return 0, errors.New("written before the start")
	}
	return a.body.Write(p)
}

func (a *answer) Flush() error { a.flushes++; return nil }

func (a *answer) field(name string) string {
	for _, f := range a.header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func request(method, target, body string, header ...Field) *Request {
	path, query, _ := strings.Cut(target, "?")
	return &Request{Method: method, Path: path, Query: query, Header: header, Body: strings.NewReader(body), Length: int64(len(body))}
}

func serve(t *testing.T, r *Request) *answer {
	t.Helper()
	a := &answer{}
	if err := New().Serve(a, r); err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	if n := a.field("Content-Length"); n != "" && r.Method != "HEAD" && n != strconv.Itoa(a.body.Len()) {
		t.Errorf("%s %s: Content-Length %s and %d bytes", r.Method, r.Path, n, a.body.Len())
	}
	return a
}

const (
	emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	abcSum   = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	// Worked out by another implementation: Python's hashlib.
	oneUnit   = "322df19047a95971e89565517d16245c99e618a2791e3453795bcbeb8fbd55db"
	fiveUnits = "bac3b1c90e57c69c6007a9f26df5c0413d21768cb6da76ee7d8e1cfdfde18279"
)

func TestAnswers(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	for _, tc := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"GET", "/hello", "", 200, "hello\n"},
		{"GET", "/hello?x=1", "", 200, "hello\n"},
		{"HEAD", "/hello", "", 200, ""},
		{"GET", "/wait?ms=1", "", 200, "waited 1 ms\n"},
		{"GET", "/wait?ms=1&ms=9", "", 200, "waited 1 ms\n"},
		{"GET", "/cpu?units=0", "", 200, "units 0\nsha256 " + zeros + "\n"},
		{"GET", "/cpu?units=1", "", 200, "units 1\nsha256 " + oneUnit + "\n"},
		{"GET", "/cpu?units=5", "", 200, "units 5\nsha256 " + fiveUnits + "\n"},
		{"GET", "/mixed?units=1&ms=2", "", 200, "waited 2 ms\nunits 1\nsha256 " + oneUnit + "\n"},
		{"GET", "/locked?wait=1&hold=2", "", 200, "waited 1 ms\nheld 2 ms\n"},
		{"GET", "/block?ms=2", "", 200, "blocked 2 ms\n"},
		{"HEAD", "/block?ms=0", "", 200, ""},
		{"GET", "/locked", "", 200, "waited 40 ms\nheld 10 ms\n"},
		{"HEAD", "/locked?wait=0&hold=0", "", 200, ""},
		{"GET", "/echo", "", 200, "method GET\npath /echo\nquery \nbody 0\nsha256 " + emptySum + "\n"},
		{"PATCH", "/echo?a=%20&b", "abc", 200, "method PATCH\npath /echo\nquery a=%20&b\nbody 3\nsha256 " + abcSum + "\n"},
		{"PUT", "/upload", "abc", 200, "bytes 3\nsha256 " + abcSum + "\n"},
		{"POST", "/upload", "", 200, "bytes 0\nsha256 " + emptySum + "\n"},
		{"POST", "/upload?first=3", "abcdef", 200, "bytes 3\nsha256 " + abcSum + "\n"},
		{"POST", "/upload?first=9", "abc", 200, "bytes 3\nsha256 " + abcSum + "\n"},
		{"GET", "/stream?chunks=3&every=1", "", 200, "chunk 1 of 3\nchunk 2 of 3\nchunk 3 of 3\n"},
		{"GET", "/stream?chunks=1&every=1ms", "", 200, "chunk 1 of 1\n"},
		{"HEAD", "/stream", "", 200, ""},
		{"GET", "/bytes?n=0", "", 200, ""},
		{"GET", "/bytes?n=70", "", 200, Pattern + "abcdef"},
		{"GET", "/bytes?n=40000&every=1", "", 200, strings.Repeat(Pattern, 625)},
		{"HEAD", "/bytes", "", 200, ""},
		{"GET", "/static/style.css", "", 200, styleCSS},
		{"GET", "/static/", "", 200, indexHTML},
		{"GET", "/leak?mib=2", "", 200, "kept 2 MiB\n"},

		{"GET", "/ws", "", 426, "426 upgrade required: WebSocket is spoken here, where the server can\n"},
		{"HEAD", "/ws", "", 426, ""},
		{"POST", "/ws", "", 405, "405 method not allowed: use GET, HEAD\n"},

		{"GET", "", "", 404, "404 not found: / lists the routes\n"},
		{"GET", "/hello/", "", 404, "404 not found: / lists the routes\n"},
		{"POST", "/nowhere", "", 404, "404 not found: / lists the routes\n"},
		{"GET", "/static", "", 404, "404 not found: / lists the routes\n"},
		{"GET", "/static/../app.go", "", 404, "404 not found: / lists the routes\n"},
		{"GET", "/static//etc/passwd", "", 404, "404 not found: / lists the routes\n"},
		{"POST", "/hello", "", 405, "405 method not allowed: use GET, HEAD\n"},
		{"GET", "/upload", "", 405, "405 method not allowed: use POST, PUT\n"},
		{"DELETE", "/wait?ms=soon", "", 405, "405 method not allowed: use GET, HEAD\n"},
		{"GET", "/wait?ms=", "", 400, "400 bad request: ms=: expected a whole number from 0 to 600000\n"},
		{"GET", "/wait?ms=-1", "", 400, "400 bad request: ms=-1: expected a whole number from 0 to 600000\n"},
		{"GET", "/wait?ms=1ms", "", 400, "400 bad request: ms=1ms: expected a whole number from 0 to 600000\n"},
		{"GET", "/wait?ms=99999999999999999999", "", 400, "400 bad request: ms=99999999999999999999: expected a whole number from 0 to 600000\n"},
		{"GET", "/locked?hold=60001", "", 400, "400 bad request: hold=60001: expected a whole number from 0 to 60000\n"},
		{"GET", "/locked?wait=-1", "", 400, "400 bad request: wait=-1: expected a whole number from 0 to 600000\n"},
		{"GET", "/block?ms=60001", "", 400, "400 bad request: ms=60001: expected a whole number from 0 to 60000\n"},
		{"POST", "/block", "", 405, "405 method not allowed: use GET, HEAD\n"},
		{"POST", "/locked", "", 405, "405 method not allowed: use GET, HEAD\n"},
		{"GET", "/cpu?units=100001", "", 400, "400 bad request: units=100001: expected a whole number from 0 to 100000\n"},
		{"GET", "/stream?chunks=0", "", 400, "400 bad request: chunks=0: expected a whole number from 1 to 100000\n"},
		{"GET", "/stream?every=1s", "", 400, "400 bad request: every=1s: expected milliseconds, a whole number from 0 to 60000\n"},
		{"GET", "/bytes?n=67108865", "", 400, "400 bad request: n=67108865: expected a whole number from 0 to 67108864\n"},
		{"GET", "/bytes?head=1048577", "", 400, "400 bad request: head=1048577: expected a whole number from 0 to 1048576\n"},
		{"POST", "/upload?first=some", "", 400, "400 bad request: first=some: expected a whole number from 0 to 67108864\n"},
		{"GET", "/leak?mib=1025", "", 400, "400 bad request: mib=1025: expected a whole number from 0 to 1024\n"},
		{"GET", "/bytes?n=\r\n%41" + strings.Repeat("x", 100), "", 400, "400 bad request: n=%0D%0A%2541" + strings.Repeat("x", 35) + ": expected a whole number from 0 to 67108864\n"},
	} {
		a := serve(t, request(tc.method, tc.target, tc.body))
		if a.status != tc.status || a.body.String() != tc.want {
			t.Errorf("%s %s: %d %q, want %d %q", tc.method, tc.target, a.status, a.body.String(), tc.status, tc.want)
		}
		if tc.status == 405 && !strings.Contains(tc.want, a.field("Allow")) {
			t.Errorf("%s %s: Allow %q", tc.method, tc.target, a.field("Allow"))
		}
		if tc.status == 426 && a.field("Upgrade") != "websocket" {
			t.Errorf("%s %s: Upgrade %q", tc.method, tc.target, a.field("Upgrade"))
		}
	}
}

func TestHeadHasTheFieldsOfGet(t *testing.T) {
	for _, target := range []string{"/", "/hello", "/wait?ms=0", "/cpu?units=1", "/bytes?n=9", "/bytes?n=9&head=4", "/static/lab.svg", "/ws", "/nowhere", "/bytes?n=x"} {
		get, head := serve(t, request("GET", target, "")), serve(t, request("HEAD", target, ""))
		if head.status != get.status || head.body.Len() != 0 || len(head.header) != len(get.header) {
			t.Errorf("%s: HEAD %d %v, GET %d %v", target, head.status, head.header, get.status, get.header)
			continue
		}
		for i := range get.header {
			if get.header[i] != head.header[i] {
				t.Errorf("%s: HEAD has %v, GET %v", target, head.header[i], get.header[i])
			}
		}
	}
}

func TestContentTypes(t *testing.T) {
	for target, want := range map[string]string{
		"/hello":             "text/plain; charset=utf-8",
		"/bytes":             "application/octet-stream",
		"/static/index.html": "text/html; charset=utf-8",
		"/static/style.css":  "text/css; charset=utf-8",
		"/static/lab.svg":    "image/svg+xml",
		"/static/about.txt":  "text/plain; charset=utf-8",
	} {
		if got := serve(t, request("GET", target, "")).field("Content-Type"); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestIndexNamesEveryRoute(t *testing.T) {
	body := serve(t, request("GET", "/", "")).body.String()
	for _, r := range routes() {
		if !strings.Contains(body, r.path) {
			t.Errorf("%s is not listed", r.path)
		}
	}
}

func TestEchoHeader(t *testing.T) {
	a := serve(t, request("GET", "/echo", "",
		Field{"X-B", "2"}, Field{"X-A", "1"}, Field{"X-B", "1"}, Field{"Cookie", "a=1"}, Field{"Cookie", "b=2"},
		Field{"X-Evil", "x\nheader X-Forged: y %41"}, Field{"Host", "h"}, Field{"Connection", "close"}, Field{"Content-Length", "0"},
		Field{"Authorization", "secret"}, Field{"Proxy", "p"}, Field{"Te", "trailers"}, Field{"X_A", "under"}, Field{"X-Empty", ""}))
	want := "method GET\npath /echo\nquery \nheader Cookie: a=1; b=2\nheader X-A: 1\nheader X-B: 2, 1\nheader X-Empty: \n" +
		"header X-Evil: x%0Aheader X-Forged: y %2541\nbody 0\nsha256 " + emptySum + "\n"
	if a.body.String() != want {
		t.Errorf("got\n%s\nwant\n%s", a.body.String(), want)
	}
	forged := serve(t, request("GET\nbody 9", "/echo", ""))
	if strings.Count(forged.body.String(), "\nbody ") != 1 {
		t.Errorf("forged: %q", forged.body.String())
	}
}

func TestStreamFlushesEachChunk(t *testing.T) {
	if a := serve(t, request("GET", "/stream?chunks=4&every=0", "")); a.flushes != 4 {
		t.Errorf("%d flushes for 4 chunks", a.flushes)
	}
}

func TestGone(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	for _, target := range []string{"/wait?ms=600000", "/hang", "/mixed?ms=600000", "/locked?wait=600000", "/locked?wait=0&hold=60000", "/stream?every=60000"} {
		r := request("GET", target, "")
		r.Gone = func() <-chan struct{} { return gone }
		begun := time.Now()
		if err := New().Serve(&answer{}, r); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v, want ErrGone", target, err)
		}
		if d := time.Since(begun); d > 30*time.Second {
			t.Errorf("%s took %s", target, d)
		}
	}
}

func TestUnreadableBody(t *testing.T) {
	for _, path := range []string{"/echo", "/upload"} {
		a := &answer{}
		r := request("POST", path, "")
		r.Body = io.MultiReader(strings.NewReader("abc"), broken{})
		if err := New().Serve(a, r); !errors.Is(err, io.ErrUnexpectedEOF) || a.status != 0 {
			t.Errorf("%s: error %v, status %d", path, err, a.status)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDemandOf(t *testing.T) {
	for target, want := range map[string]Demand{
		"/hello":                       {},
		"/wait?ms=7":                   {Wait: 7, Sleeps: 1},
		"/wait":                        {Wait: 50, Sleeps: 1},
		"/cpu?units=3":                 {Units: 3},
		"/mixed?ms=1&units=2":          {Wait: 1, Units: 2, Sleeps: 1},
		"/stream?chunks=3&every=100ms": {Wait: 200, Sleeps: 2},
		"/bytes?n=70000":               {},
		"/bytes?n=65536&every=100":     {Wait: 100, Sleeps: 1},
		"/bytes?n=0&every=100":         {},
		"/locked?wait=40&hold=10":      {Wait: 50, Lock: 10, Sleeps: 2},
		"/block?ms=7":                  {Wait: 7, Block: 7, Sleeps: 1},
		"/block":                       {Wait: 200, Block: 200, Sleeps: 1},
		"/wait?ms=soon":                {},
		"/nowhere?ms=3":                {},
	} {
		if got := DemandOf(target); got != want {
			t.Errorf("%s: %+v, want %+v", target, got, want)
		}
	}
}

func TestCrash(t *testing.T) {
	if os.Getenv("CRASH_FOR_TEST") != "" {
		_ = New().Serve(&answer{}, request("GET", "/crash", ""))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), "CRASH_FOR_TEST=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != CrashStatus || string(out) != "app: crash was asked for\n" {
		t.Errorf("%v, output %q", err, out)
	}
}

func TestLeakIsKept(t *testing.T) {
	a := New()
	for range 2 {
		if err := a.Serve(&answer{}, request("GET", "/leak?mib=1", "")); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.leaked) != 2 || len(a.leaked[1]) != 1<<20 || a.leaked[1][4096] != 1 {
		t.Errorf("kept %d blocks", len(a.leaked))
	}
}

// A unit is to be about 0.1 ms; ns/op says what it is here.
func BenchmarkUnit(b *testing.B) {
	for b.Loop() {
		Work(1)
	}
}
