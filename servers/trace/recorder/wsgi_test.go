//go:build unix

package recorder

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
)

// answer keeps what a server would have sent.
type answer struct {
	status int
	length int64
	body   strings.Builder
}

func (a *answer) Start(status int, _ string, _ []app.Field, length int64) error {
	a.status, a.length = status, length
	return nil
}

func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answer) Flush() error                { return nil }

func environOf(body string) *wsgi.Environ {
	e := &wsgi.Environ{Version: [2]int{1, 0}, URLScheme: "http", Input: strings.NewReader(body), Errors: io.Discard, Multiprocess: true}
	for _, v := range []string{"REQUEST_METHOD=POST", "SERVER_NAME=x", "SERVER_PORT=1", "SERVER_PROTOCOL=HTTP/1.1", "PATH_INFO=/", "SCRIPT_NAME=",
		fmt.Sprintf("CONTENT_LENGTH=%d", len(body))} {
		name, val, _ := strings.Cut(v, "=")
		e.Set(name, val)
	}
	return e
}

func texts(events []Event) (all []string) {
	for _, e := range events {
		all = append(all, strings.TrimSpace(e.Kind+": "+e.Text+" "+string(e.Data)))
	}
	return all
}

// A recorded application answers as it would unrecorded, also with the length
// that a list of one block lets its server know, and every step is told.
func TestWSGI(t *testing.T) {
	application := func(e *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		body, err := io.ReadAll(e.Input)
		if err != nil {
			return nil, err
		}
		if _, err := start("201 Created", []app.Field{{Name: "Content-Type", Value: "text/plain"}}, nil); err != nil {
			return nil, err
		}
		return wsgi.List(append([]byte("got "), body...)), nil
	}
	path, told := listen(t)
	t.Setenv(Variable, path)
	var a answer
	r := Open()
	if r == nil {
		t.Fatal("no recorder")
	}
	if err := wsgi.NewHandler().Run(wsgi.Check(r.wsgi(application)), environOf("hello"), &a); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if a.status != 201 || a.length != 9 || a.body.String() != "got hello" {
		t.Errorf("status %d, length %d, body %q", a.status, a.length, a.body.String())
	}
	events := told()
	want := []string{"called: application(environ, start_response)", "argument: wsgi.input.read hello", "result: start_response", "result: return iterable",
		"result: yield got hello", "returned: close()"} // a list of one needs no asking for its end
	if got := texts(events); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, want := range map[string]string{"REQUEST_METHOD": "str POST", "wsgi.version": "tuple (1, 0)", "wsgi.multiprocess": "bool true", "wsgi.run_once": "bool false"} {
		i := slices.IndexFunc(events[0].Values, func(v Value) bool { return v.Name == name })
		if i < 0 || events[0].Values[i].Type+" "+events[0].Values[i].Value != want {
			t.Errorf("%s: %+v", name, events[0].Values)
		}
	}
	if v := events[2].Values; len(v) != 2 || v[0].Value != "201 Created" || v[1].Name != "Content-Type" {
		t.Errorf("start_response: %+v", v)
	}
}

// An application that fails is told of, and fails.
func TestWSGIFails(t *testing.T) {
	path, told := listen(t)
	t.Setenv(Variable, path)
	r := Open()
	failed := errors.New("it failed")
	_, err := r.wsgi(func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		write, err := start("200 OK", nil, nil)
		if err == nil {
			err = write([]byte("part"))
		}
		return nil, errors.Join(err, failed)
	})(environOf(""), func(string, []app.Field, error) (wsgi.Write, error) {
		return func([]byte) error { return nil }, nil
	})
	r.Close()
	got := texts(told())
	if !errors.Is(err, failed) || got[len(got)-1] != "returned: an error: it failed" || got[2] != "result: write part" {
		t.Errorf("%v; told %q", err, got)
	}
	t.Setenv(Variable, "")
	plain := wsgi.App(func(*wsgi.Environ, wsgi.StartResponse) (wsgi.Iterable, error) { return nil, failed })
	if n := testing.AllocsPerRun(100, func() { WSGI(plain) }); n > 0 {
		t.Errorf("without a tracer WSGI costs %v allocations", n)
	}
}
