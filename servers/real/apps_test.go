//go:build linux

package real

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"gatewaylab/servers/app"
)

// answered is an answer of the application or of a twin.
type answered struct {
	strings.Builder
	status int
	header []app.Field
}

func (a *answered) Start(status int, header []app.Field) error {
	a.status, a.header = status, header
	return nil
}
func (a *answered) Flush() error { return nil }

// What every twin must say as the application does: the answers, and what is
// wrong with a request.
var asked = []struct{ method, target, body string }{
	{"GET", "/", ""}, {"GET", "/hello", ""}, {"HEAD", "/hello", ""}, {"GET", "/wait?ms=1", ""}, {"GET", "/wait?ms=1&ms=9", ""},
	{"GET", "/cpu?units=0", ""}, {"GET", "/cpu?units=1", ""}, {"GET", "/mixed?units=1&ms=2", ""},
	{"GET", "/locked?wait=1&hold=2", ""}, {"HEAD", "/locked?wait=0&hold=0", ""}, {"GET", "/block?ms=1", ""},
	{"GET", "/upstream", ""}, {"HEAD", "/upstream?timeout=5", ""}, {"GET", "/upstream?timeout=0", ""}, {"POST", "/upstream", ""},
	{"GET", "/db", ""}, {"HEAD", "/db?op=slow", ""}, {"GET", "/db?x=1&op=update&op=drop", ""}, {"GET", "/db?op=drop%20it&key=5", ""}, {"GET", "/db?op", ""},
	{"GET", "/db?op=selects", ""}, {"GET", "/db?key=0", ""}, {"GET", "/db?ms=60001", ""}, {"GET", "/db?rows=-1", ""}, {"GET", "/db?hold=x", ""}, {"POST", "/db", ""},
	{"GET", "/echo", ""}, {"PATCH", "/echo?a=%20&b", "abc"}, {"PUT", "/upload", "abc"}, {"POST", "/upload", ""},
	{"POST", "/upload?first=3", "abcdef"}, {"POST", "/upload?first=9", "abc"}, {"POST", "/upload?first=-1", "abc"},
	{"GET", "/stream?chunks=3&every=1", ""}, {"GET", "/stream?chunks=1&every=1ms", ""}, {"HEAD", "/stream", ""},
	{"GET", "/bytes?n=0", ""}, {"GET", "/bytes?n=70", ""}, {"GET", "/bytes?n=70000&every=1", ""}, {"HEAD", "/bytes", ""},
	{"GET", "/bytes?n=5&head=3", ""}, {"HEAD", "/bytes?head=5000", ""}, {"GET", "/bytes?head=1048577", ""},
	{"GET", "/static/style.css", ""}, {"GET", "/static/", ""}, {"GET", "/static/lab.svg", ""}, {"GET", "/static/about.txt", ""},
	{"GET", "/leak?mib=2", ""}, {"GET", "/ws", ""}, {"HEAD", "/ws", ""}, {"POST", "/ws", ""},
	{"GET", "/hello/", ""}, {"POST", "/nowhere", ""}, {"GET", "/static", ""}, {"GET", "/static/../app.go", ""}, {"GET", "/static//etc/passwd", ""},
	{"POST", "/hello", ""}, {"GET", "/upload", ""}, {"DELETE", "/wait?ms=soon", ""},
	{"GET", "/wait?ms=", ""}, {"GET", "/wait?ms=-1", ""}, {"GET", "/wait?ms=1ms", ""}, {"GET", "/wait?ms=99999999999999999999", ""},
	{"GET", "/locked?hold=60001", ""}, {"GET", "/cpu?units=100001", ""}, {"GET", "/stream?chunks=0", ""}, {"GET", "/stream?every=1s", ""},
	{"GET", "/bytes?n=67108865", ""}, {"GET", "/leak?mib=1025", ""}, {"GET", "/bytes?n=%41" + strings.Repeat("x", 100), ""},
}

// The applications for CGI, run as a server runs them, give the application's
// answers byte for byte, with its fields.
func TestTwinsAnswerAsTheApplication(t *testing.T) {
	for language, l := range cgiApps {
		if language == "go" {
			continue // is the application
		}
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if _, err := Find(l.needs); err != nil {
				if os.Getenv("LAB_REQUIRE") != "" {
					t.Fatalf("%v, and LAB_REQUIRE is set", err)
				}
				t.Skip(err)
			}
			program, err := new(Site).cgiProgram(language)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range asked {
				compare(t, program, q.method, q.target, q.body)
			}
		})
	}
}

// The twins' clients tell the same of a service that fails as the application's
// own. Those of frameworks and event loops are in the tests of servers.
func TestTwinsCallAsTheApplication(t *testing.T) {
	behave := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, <-behave)
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	t.Setenv("GATEWAYLAB_UPSTREAM", l.Addr().String())
	for _, language := range []string{"c", "perl", "python"} {
		program, err := new(Site).cgiProgram(language)
		if _, missing := Find(cgiApps[language].needs); missing != nil || err != nil {
			if os.Getenv("LAB_REQUIRE") != "" {
				t.Fatalf("%v, %v, and LAB_REQUIRE is set", missing, err)
			}
			t.Logf("%s is left out: %v, %v", language, missing, err)
			continue
		}
		for _, says := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwell\n", "HTTP/1.0 200 OK\r\ncontent-length:0\r\n\r\n", "",
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwel", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhm", "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", "SMTP\r\n\r\n",
		} {
			behave <- says
			compareWith(t, program, "GET", "/upstream", "", func() { behave <- says }, "GATEWAYLAB_UPSTREAM="+l.Addr().String())
		}
	}
	l.Close()
	for _, language := range []string{"c", "perl", "python"} {
		if program, err := new(Site).cgiProgram(language); err == nil {
			compareWith(t, program, "GET", "/upstream", "", func() {}, "GATEWAYLAB_UPSTREAM="+l.Addr().String())
		}
	}
}

func compare(t *testing.T, program, method, target, body string) {
	t.Helper()
	compareWith(t, program, method, target, body, func() {})
}

// compareWith is compare with variables for the program; between is called when
// the application has answered.
func compareWith(t *testing.T, program, method, target, body string, between func(), environ ...string) {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	header := []app.Field{{Name: "X-B", Value: "2%"}, {Name: "Accept", Value: "a/b, c;q=1"}, {Name: "Host", Value: "h"}, {Name: "X-Tab", Value: "a\tb"}}
	var want answered
	err := app.New().Serve(&want, &app.Request{Method: method, Path: path, Query: query, Header: header, Body: strings.NewReader(body), Length: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	between()
	cmd := exec.Command(program)
	cmd.Env = append(environ, "PATH="+os.Getenv("PATH"), "REQUEST_METHOD="+method, "PATH_INFO="+path, "QUERY_STRING="+query, "SCRIPT_NAME=", "CONTENT_LENGTH="+strconv.Itoa(len(body)))
	for _, f := range header {
		cmd.Env = append(cmd.Env, "HTTP_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))+"="+f.Value)
	}
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s %s: %v", method, target, err)
		return
	}
	r := bufio.NewReader(strings.NewReader(string(out)))
	fields, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		t.Errorf("%s %s: %v in %.80q", method, target, err, out)
		return
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if status := strconv.Itoa(want.status) + " " + http.StatusText(want.status); fields.Get("Status") != status {
		t.Errorf("%s %s: status %s, want %s", method, target, fields.Get("Status"), status)
	}
	for _, f := range want.header {
		if fields.Get(f.Name) != f.Value {
			t.Errorf("%s %s: %s is %q, want %q", method, target, f.Name, fields.Get(f.Name), f.Value)
		}
	}
	if len(fields) != len(want.header)+1 {
		t.Errorf("%s %s: fields %v, want %v and Status", method, target, fields, want.header)
	}
	if string(got) != want.String() {
		t.Errorf("%s %s: %.120q, want %.120q", method, target, got, want.String())
	}
}
