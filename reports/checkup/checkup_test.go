package checkup

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"gatewaylab/servers"
	"gatewaylab/servers/real"
)

// example is a checkup in which everything there is to say is said.
func example() *Checkup {
	row := func(kind real.Kind, name string, p Program) Program {
		p.Name, p.Kind, p.need = name, kind.String(), real.Need{Kind: kind, Name: name}
		p.Install = installOf([]real.Need{p.need}, p.For == "")
		return p
	}
	c := &Checkup{
		Schema: Schema,
		Machine: Machine{
			System: "Debian GNU/Linux 12 (bookworm)", OS: "linux/amd64", Kernel: "6.1.0-37-amd64", CPU: "Example CPU @ 2.40GHz",
			Cores: 2, Memory: 8 << 30, Go: "go1.26.8", GoTool: "/usr/local/go/bin/go", Manager: apt,
			Limits: Limits{Files: 1048576, PortLow: 32768, PortHigh: 60999, TimeWait: 1234, Backlog: 4096},
		},
		Lab: Lab{Runs: true, Server: "/opt/lab/labserver", App: "/opt/lab/labapp"},
		Models: []Model{
			{Spec: "cgi", State: Works, Own: true}, {Spec: "prefork", State: Works, Own: true},
			{Spec: "async", State: Fails, Own: true, Error: "probe GET /hello: answered status 500, the application says 200"},
			{Spec: "nginx", State: Works},
		},
		Needs: []Program{
			row(real.Executable, "nginx", Program{State: Works, Path: "/usr/sbin/nginx", Version: "1.22.1", As: "nginx"}),
			row(real.Executable, "cc", Program{State: Works, Path: "/usr/bin/cc", Version: "12.2.0-14+deb12u1", As: "apache:app=c"}),
			row(real.ApacheModule, "perl", Program{State: Missing}),
			row(real.PythonModule, "gunicorn", Program{
				State: Fails, Path: "/home/teacher/a/folder/with/a/long/name/.venv/bin/python3", Version: "20.1.0", As: "gunicorn",
				Error:   "start gunicorn: the server exited before it answered: exit status 1\n# gunicorn.conf.py\nworkers = 4",
				Behaves: real.Behaviours([]real.Found{{Name: "gunicorn", Version: "20.1.0"}}, nil),
			}),
			row(real.PythonModule, "gevent", Program{State: Missing}),
			row(real.PerlModule, "FCGI", Program{State: Untried, Path: "/usr/bin/perl", Version: "0.82", Error: "not tried: Apache's mod_fcgid is missing"}),
			row(real.Executable, "curl", Program{State: Works, Path: "/usr/bin/curl", Version: "7.88.1", For: "a client beside the lab's"}),
			row(real.Executable, "cgi-fcgi", Program{State: Found, Path: "/usr/bin/cgi-fcgi", For: "a FastCGI client"}),
		},
		Absent: []Absent{{"flup", "flup, FastCGI, SCGI and AJP responders for WSGI in Python 2: Debian dropped it with Python 2"}},
	}
	c.Missing = c.lacks()
	return c
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := Text(&b, example(), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, b.Bytes())
	for _, line := range strings.Split(b.String(), "\n") {
		// Commands and paths stay whole, to be copied.
		if ansi.StringWidth(line) > 80 && !strings.Contains(line, "install") && !strings.Contains(line, "/") {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	var colour bytes.Buffer
	if err := Text(&colour, example(), TextOptions{Colour: true}); err != nil {
		t.Fatal(err)
	}
	if ansi.Strip(colour.String()) != b.String() || colour.String() == b.String() {
		t.Error("in colour it says something else, or there is no colour")
	}
}

func TestTextElsewhere(t *testing.T) {
	c := example()
	c.Machine.Manager, c.Machine.System, c.Machine.OS = homebrew, "macOS", "darwin/arm64"
	var b bytes.Buffer
	if err := Text(&b, c, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bin/pip install gevent", "mod_perl: not packaged", composeLine} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("on macOS it doesn't say %q:\n%s", want, b.String())
		}
	}
	c.Needs, c.Lab, c.Models = nil, Lab{Error: "there is no go command on PATH"}, nil
	b.Reset()
	if err := Text(&b, c, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fails    there is no go command on PATH", "Nothing is missing."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it doesn't say %q:\n%s", want, b.String())
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, example()); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Schema   string
		Lab      struct{ Runs bool }
		Programs []struct {
			Name, State, Version string
			Install              struct{ Debian, Homebrew, Compose string }
		}
		Install struct{ Debian string }
	}
	if err := json.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Schema != Schema || !read.Lab.Runs || len(read.Programs) != 8 {
		t.Errorf("read %+v", read)
	}
	if p := read.Programs[2]; p.Name != "perl" || p.State != "missing" || p.Install.Debian != "sudo apt-get install libapache2-mod-perl2" ||
		p.Install.Homebrew != "" || p.Install.Compose != composeLine {
		t.Errorf("mod_perl is %+v", p)
	}
	if read.Install.Debian != "sudo apt-get install libapache2-mod-perl2 python3-gevent" {
		t.Errorf("all that is missing: %q", read.Install.Debian)
	}
}

func TestHealthy(t *testing.T) {
	for _, one := range []struct {
		about         string
		lab           bool
		models        []Model
		named, wanted bool
	}{
		{"all well", true, []Model{{State: Works}}, false, true},
		{"a server fails", true, []Model{{State: Fails}}, false, true},
		{"a server that was named fails", true, []Model{{State: Fails}}, true, false},
		{"a server that was named is missing", true, []Model{{State: Works}, {State: Missing}}, true, false},
		{"the lab doesn't run", false, nil, false, false},
	} {
		c := &Checkup{Lab: Lab{Runs: one.lab}, Models: one.models}
		if got := c.Healthy(one.named); got != one.wanted {
			t.Errorf("%s: healthy is %v", one.about, got)
		}
	}
}

// What fails or is missing says so at the programs, by the first model that
// could be started with them.
func TestJudge(t *testing.T) {
	c := &Checkup{Models: []Model{
		{Spec: "apache:mod=fcgid", State: Missing, Missing: []string{"Apache's mod_fcgid"}},
		{Spec: "lighttpd:mod=fastcgi", State: Fails, Error: "no"},
	}}
	for _, p := range []struct {
		need  real.Need
		state State
		as    string
	}{
		{real.Need{Kind: real.PerlModule, Name: "FCGI"}, Fails, "lighttpd:mod=fastcgi"},
		{real.Need{Kind: real.Executable, Name: "apache2"}, Untried, ""},
	} {
		row := Program{need: p.need, State: Untried}
		c.judge(&row)
		if row.State != p.state || row.As != p.as || row.Error == "" {
			t.Errorf("%s is %+v", p.need, row)
		}
	}
}

func TestSystem(t *testing.T) {
	for _, one := range []struct{ goos, release, name, manager string }{
		{"linux", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n", "Debian GNU/Linux 12 (bookworm)", apt},
		{"linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nPRETTY_NAME='Linux Mint 22'\n", "Linux Mint 22", apt},
		{"linux", "ID=fedora\nPRETTY_NAME=\"Fedora Linux 42\"\n", "Fedora Linux 42", ""},
		{"linux", "", "linux", ""},
		{"darwin", "", "macOS", homebrew},
		{"freebsd", "ID=freebsd\nPRETTY_NAME=\"FreeBSD 14.2\"\n", "FreeBSD 14.2", ""},
	} {
		if name, manager := system(one.goos, []byte(one.release)); name != one.name || manager != one.manager {
			t.Errorf("%s %q is %q with %q", one.goos, one.release, name, manager)
		}
	}
}

// Whatever a real server of the table can need is looked for and tried, and
// has a line that installs it on Debian.
func TestTryoutsCoverTheTable(t *testing.T) {
	tried := map[real.Need]bool{}
	names := map[string]bool{}
	for _, spec := range servers.Tryouts() {
		c, err := servers.Resolve(spec)
		if err != nil {
			t.Fatal(err)
		}
		names[c.Model.Name] = true
		for _, n := range c.Needs() {
			tried[n] = true
			if real.DebianLine([]real.Need{n}) == "" {
				t.Errorf("%s has no line that installs it on Debian", n)
			}
		}
	}
	for _, m := range servers.Models() {
		if m.Real != nil && !names[m.Name] {
			t.Errorf("%s is not tried out", m.Name)
		}
		for _, o := range m.Options {
			for _, value := range []string{"flask", "django", "fastapi", "quart", "gevent", "eventlet", "tornado", "perl", "wsgi", "fcgid", "c", "python", "shell", "uvloop"} {
				if m.Real == nil || o.Check(value) != nil {
					continue
				}
				c, err := servers.Resolve(m.Name + ":" + o.Key + "=" + value)
				if err != nil {
					continue // doesn't go with the other options' defaults
				}
				for _, n := range c.Needs() {
					if !tried[n] {
						t.Errorf("%s needs %s, which is not tried out", c.Spec, n)
					}
				}
			}
		}
	}
}
