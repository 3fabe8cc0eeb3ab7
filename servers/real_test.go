//go:build unix

package servers_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/servers"
)

// builtins are the models that this lab is made of.
func builtins() []servers.Model {
	return slices.DeleteFunc(servers.Models(), func(m servers.Model) bool { return m.Real != nil })
}

// realSpecs are the real programs in every way in which they run: each row of
// the table as it stands, and what its options make another server of.
func realSpecs() (specs []string) {
	for _, m := range servers.Models() {
		if m.Real != nil {
			specs = append(specs, m.Name)
		}
	}
	return append(specs,
		"gunicorn:class=gthread,threads=2", "gunicorn:class=gevent", "gunicorn:class=eventlet",
		"gunicorn:class=tornado", "gunicorn:app=flask", "gunicorn:app=django",
		"uwsgi-server:threads=2", "uwsgi-server:app=flask", "uwsgi-server:app=django",
		"werkzeug:threads=off", "werkzeug:app=flask", "werkzeug:app=django",
		"uvicorn:workers=2", "uvicorn:loop=asyncio,http=h11,pool=2", "uvicorn:app=fastapi", "uvicorn:app=quart", "uvicorn:app=django",
		"hypercorn:workers=2,loop=uvloop", "hypercorn:app=fastapi", "hypercorn:app=quart", "hypercorn:app=django",
		"daphne:app=fastapi", "daphne:app=quart", "daphne:app=django", "tornado:workers=2",
		"apache:app=c", "apache:app=perl", "apache:app=python", "apache:app=shell",
		"apache:mod=perl", "apache:mod=fcgid", "apache:mod=wsgi,threads=2", "apache:mod=wsgi,app=flask", "apache:mod=wsgi,app=django",
		"lighttpd:app=c", "lighttpd:app=perl", "lighttpd:app=python", "lighttpd:app=shell", "lighttpd:mod=fastcgi",
	)
}

// behindNginx are the chains in which a real program answers over its own
// protocol, or to a program that is not the lab's, beside those of realChains.
func behindNginx() []string {
	return []string{
		"nginx+uwsgi-server", "nginx+uwsgi-server:wire=fastcgi", "nginx+uwsgi-server:wire=scgi", "nginx+uwsgi-server:wire=http",
		"nginx+hypercorn", "nginx+daphne", "nginx+werkzeug", "nginx+tornado", "nginx+apache", "nginx+lighttpd",
		"nginx+fcgiwrap", "nginx+fcgiwrap:app=c", "nginx+fcgiwrap:app=perl", "nginx+fcgiwrap:app=python", "nginx+fcgiwrap:app=shell",
		"nginx:socket=tcp,instances=2+gunicorn:workers=1",
	}
}

// Every real program gives the application's answers, whatever runs the
// application, and leaves nothing behind.
func TestRealAnswerAlike(t *testing.T) {
	t.Parallel()
	for _, spec := range append(realSpecs(), behindNginx()...) {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			answersAlike(t, spec)
		})
	}
}

// What of the contract can be seen from outside: a real program has no
// scoreboard.
func TestContractOfReal(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"gunicorn", "gunicorn:class=gthread", "gunicorn:class=gevent", "uwsgi-server", "werkzeug", "uvicorn:workers=2", "hypercorn", "daphne", "tornado",
		"apache", "apache:mod=perl", "apache:mod=wsgi", "apache:mod=fcgid", "lighttpd:app=c", "lighttpd:mod=fastcgi", "nginx+fcgiwrap", "nginx+uwsgi-server",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			t.Run("from its start to its end", func(t *testing.T) { realContract(t, spec) })
			t.Run("finishes what it serves when told to stop", func(t *testing.T) { finishesStream(t, spec) })
			t.Run("stops while a request hangs", func(t *testing.T) { stopsHanging(t, spec) })
		})
	}
}

func realContract(t *testing.T, spec string) {
	inst := start(t, spec)
	countsWork(t, inst)
	survivesClientsOf(t, inst)
	holdsOneLock(t, inst)
	sendRubbish(t, inst)
	if err := inst.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if len(inst.Config()) == 0 {
		t.Error("it was started with nothing to keep beside the results")
	}
}

// finishesStream stops a server that is in the middle of an answer: what has
// begun is finished.
func finishesStream(t *testing.T, spec string) {
	if unfinished[spec] != "" {
		return
	}
	inst := start(t, spec)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, inst.URL()+"/stream?chunks=2&every=700", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || line != "chunk 1 of 2\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	if err := inst.Close(20 * time.Second); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "chunk 2 of 2\n" {
		t.Errorf("the answer under way ended with %q, %v; want it finished", rest, err)
	}
}

// unfinished says of which programs an answer under way does not survive a
// gentle stop, and why.
var unfinished = map[string]string{
	"daphne": "Twisted's reactor ends at once, and with it every connection",
}

func stopsHanging(t *testing.T, spec string) {
	inst := launch(t, spec)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = ask(ctx, "GET", inst.URL()+"/hang", nil) // ends when the server does
	}()
	if resp, _, err := ask(t.Context(), "GET", inst.URL()+"/hello", nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("another request: %v, %v", resp, err)
	}
	pids, folders := inst.PIDs(), privateFolders(t, inst)
	_ = inst.Close(100 * time.Millisecond) // its error names what had to be killed
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	for _, f := range folders {
		if _, err := os.Stat(f); err == nil {
			t.Errorf("folder %s is left", f)
		}
	}
	<-done
}

// privateFolders are the folders that the instance's configuration names.
func privateFolders(t *testing.T, inst *servers.Instance) (folders []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(os.TempDir(), "lab-front-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if slices.ContainsFunc(inst.Config(), func(c servers.ConfigFile) bool { return strings.Contains(c.Content, f) }) {
			folders = append(folders, f)
		}
	}
	return folders
}

// BenchmarkRealRounds starts and stops each real program over and over: nothing
// may be left of it, neither process, port, socket nor folder. The time of one
// round is in the figures.
//
//	go test -run '^$' -bench RealRounds -benchtime 100x -timeout 2h ./servers
func BenchmarkRealRounds(b *testing.B) {
	for _, spec := range realSpecs() {
		b.Run(spec, func(b *testing.B) {
			needs(b, spec)
			b.Setenv("TMPDIR", b.TempDir()) // what is left there is the server's
			for b.Loop() {
				round(b, spec)
			}
		})
	}
}

func round(tb testing.TB, spec string) {
	tb.Helper()
	inst := launch(tb, spec)
	if err := inst.Close(20 * time.Second); err != nil {
		tb.Errorf("%s did not stop cleanly: %v", spec, err)
	}
	if pids := inst.PIDs(); len(pids) > 0 {
		tb.Errorf("%s left processes %v", spec, pids)
	}
	if _, _, err := ask(tb.Context(), "GET", inst.URL()+"/hello", nil); err == nil {
		tb.Errorf("%s still answers", spec)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range left {
		tb.Errorf("%s left %s", spec, name)
	}
}

// A program that doesn't start says what it said, and with what configuration.
func TestRealSaysWhyItDidNotStart(t *testing.T) {
	needs(t, "gunicorn")
	t.Setenv("GUNICORN_CMD_ARGS", "--no-such-flag")
	err := failsToStart(t.Context(), t, "gunicorn")
	for _, want := range []string{"exited before it answered", "unrecognized arguments: --no-such-flag", "# gunicorn.conf.py", `worker_class = "sync"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nwant %q in it", err, want)
		}
	}
}

// fake puts a program of that name first on PATH, a shell script.
func fake(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// failsToStart returns the error with which a model doesn't start.
func failsToStart(ctx context.Context, t *testing.T, spec string) error {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := servers.Start(ctx, c, servers.Launch{Programs: p})
	if err == nil {
		_ = inst.Close(0)
		t.Fatal("it started")
	}
	return err
}

// A program that ends, one that never answers and one that answers something
// else: each is shown with its last words, its version and its configuration.
func TestFakeProgramsShowWhatTheySaid(t *testing.T) {
	for name, f := range map[string]struct {
		program, spec, script string
		want                  []string
	}{
		"ends": {
			"lighttpd", "lighttpd", `[ "$1" = -v ] && echo lighttpd/1.4.70 && exit
i=0; while [ $i -lt 2000 ]; do echo "word $i"; i=$((i+1)); done
echo "(server.c.1) can't go on" >&2; exit 7`,
			[]string{"exited before it answered", "exited with status 7", "(server.c.1) can't go on", "word 1999", "# lighttpd 1.4.70", "# lighttpd.conf", "server.listen-backlog = 1024"},
		},
		"hangs": {
			"nginx", "nginx", `[ "$1" = -v ] && echo nginx version: nginx/1.22.1 >&2 && exit
echo "[notice] thinking"; exec sleep 60`,
			[]string{"no answer within", "[notice] thinking", "# nginx 1.22.1", "# nginx.conf", "listen 127.0.0.1:"},
		},
		"hangs as a front": {
			"nginx", "nginx+prefork", `[ "$1" = -v ] && echo nginx version: nginx/1.22.1 >&2 && exit
echo "[notice] thinking"; exec sleep 60`,
			[]string{"no answer within", "[notice] thinking", "# nginx 1.22.1", "# nginx.conf", "proxy_pass"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake(t, f.program, f.script)
			limit := 3 * time.Second
			if name == "ends" {
				limit = 20 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := failsToStart(ctx, t, f.spec)
			for _, want := range f.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %v\nwant %q in it", err, want)
				}
			}
		})
	}
}

// A program that is too old is refused by its version, with what it can't do,
// before anything is started.
func TestFakeProgramsTooOld(t *testing.T) {
	for name, f := range map[string]struct{ program, spec, says, want string }{
		"nginx":     {"nginx", "nginx", "nginx version: nginx/1.18.0 (Ubuntu)", "nginx 1.18.0 (DIR/nginx) is too old: before 1.19.5 it hasn't the option -e"},
		"a front":   {"nginx", "nginx+prefork", "nginx version: nginx/1.18.0 (Ubuntu)", "nginx 1.18.0 (DIR/nginx) is too old"},
		"apache":    {"apache2", "apache", "Server version: Apache/2.2.34 (Unix)", "apache2 2.2.34 (DIR/apache2) is too old: before 2.4.2 it hasn't the directive DefaultRuntimeDir"},
		"lighttpd":  {"lighttpd", "lighttpd:app=go", "lighttpd/1.4.55 (ssl) - a light and fast webserver", "lighttpd 1.4.55 (DIR/lighttpd) is too old: before 1.4.56"},
		"uwsgi":     {"uwsgi", "uwsgi-server", "1.9.21.1-debian", "uwsgi 1.9.21.1-debian (DIR/uwsgi) is too old: before 2.0"},
		"gunicorn":  {"python3", "gunicorn", "DIR/python3\n3.11.2\ngunicorn 19.9.0", "gunicorn 19.9.0 (DIR/python3) is too old: before 20.1 it hasn't python -m gunicorn"},
		"python":    {"python3", "gunicorn", "DIR/python3\n3.7.3\ngunicorn 20.1.0", "python3 3.7.3 (DIR/python3) is too old: before 3.9"},
		"too new":   {"python3", "gunicorn:class=eventlet", "DIR/python3\n3.11.2\ngunicorn 26.0.0\neventlet 0.40.3", "gunicorn 26.0.0 (DIR/python3) is too new: since 26.0 it hasn't the worker class eventlet"},
		"new again": {"nginx", "nginx", "nginx version: nginx/1.100.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, f.spec)
			fake(t, f.program, `printf '`+f.says+`\n' | sed "s,DIR,${0%/*},"`)
			dir := filepath.SplitList(os.Getenv("PATH"))[0]
			if f.program == "python3" {
				t.Setenv("LAB_PYTHON", filepath.Join(dir, "python3"))
			}
			c, err := servers.Resolve(f.spec)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Available()
			if want := strings.ReplaceAll(f.want, "DIR", dir); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
}

// What is not installed is named, with the line that installs it.
func TestRealSaysWhatIsMissing(t *testing.T) {
	t.Setenv("LAB_PYTHON", "/no/such/python3")
	c, err := servers.Resolve("gunicorn:class=gevent")
	if err != nil {
		t.Fatal(err)
	}
	err = c.Available()
	if err == nil || !strings.Contains(err.Error(), "sudo apt-get install gunicorn python3-gevent") || !strings.Contains(err.Error(), "/bin/pip install gevent gunicorn") {
		t.Errorf("error %v, want one with the lines that install it", err)
	}
}

func TestResolveReal(t *testing.T) {
	for text, want := range map[string]string{
		"uwsgi-server":                 "HTTP",
		"nginx+uwsgi-server":           "uwsgi",
		"front+uwsgi-server:wire=scgi": "SCGI",
		"uwsgi-server:wire=fastcgi":    "FastCGI",
	} {
		c, err := servers.Resolve(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Model.Wire != want {
			t.Errorf("%s speaks %s, want %s", text, c.Model.Wire, want)
		}
	}
	for text, want := range map[string]string{
		"gunicorn:app=tornado":                        "expected wsgi or flask or django",
		"apache:mod=perl,app=c":                       "mod=perl runs no app=c; it runs perl",
		"apache:mod=wsgi,app=go":                      "it runs wsgi, flask, django",
		"lighttpd:mod=fcgi":                           "expected cgi or fastcgi",
		"nginx:instances=2,balance=shared+apache":     "can't share a listener",
		"gunicorn:class=gevant":                       "expected sync or gthread",
		"front+gunicorn:workers=0":                    "expected a whole number",
		"uwsgi-server:protocol=http":                  "no option \"protocol\"",
		"nginx:instances=2+uwsgi-server:wire=carrier": "expected auto or http",
	} {
		if _, err := servers.Resolve(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
	for text, want := range map[string][2]int{ // threads and interpreters that requests share
		"gunicorn": {}, "gunicorn:class=gthread,workers=3": {0, 3}, "uwsgi-server": {}, "uwsgi-server:threads=2": {0, 4},
		"werkzeug": {0, 1}, "werkzeug:threads=off": {}, "uvicorn:workers=2": {2, 0}, "uvicorn:workers=2,pool=8": {16, 2},
		"daphne": {1, 0}, "nginx:instances=2+tornado:workers=3": {6, 0}, "apache:mod=wsgi,threads=2": {0, 4}, "apache": {}, "nginx": {},
	} {
		c, err := servers.Resolve(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := [2]int{c.Threads(), c.Interpreters()}; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	c, err := servers.Resolve("gunicorn:class=gevent,workers=2,connections=10")
	if err != nil {
		t.Fatal(err)
	}
	if !c.Model.Async || c.Slots() != 20 || c.Observed() {
		t.Errorf("async %v, %d slots, observed %v", c.Model.Async, c.Slots(), c.Observed())
	}
}

// sendRubbish sends what is not HTTP, or not quite. What real servers make of
// that is theirs (several do without a Host field); that they answer or close,
// and serve on, is asked of all.
func sendRubbish(t *testing.T, inst *servers.Instance) {
	for _, sent := range []string{
		"hello?\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
		"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd",
		"\x00\x07\x00\x00GET",
	} {
		c, err := net.Dial("tcp", inst.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, sent) // it may close before it has read all
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		var timeout net.Error
		if _, err := io.Copy(io.Discard, c); errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%.40q: no answer and no close", sent)
		}
		c.Close()
	}
}

// A stop that comes the moment a server is ready is heeded: all that would have
// lost the signal have begun.
func TestRealStopsAsSoonAsItIsReady(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"uwsgi-server:graceful_timeout=60s", "uwsgi-server:threads=2,graceful_timeout=60s",
		"gunicorn:graceful_timeout=60s", "gunicorn:class=tornado,workers=2,graceful_timeout=60s",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			for range 2 {
				if err := launch(t, spec).Close(20 * time.Second); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
