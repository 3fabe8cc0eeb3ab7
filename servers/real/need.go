package real

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A Need is something that must be installed.
type Need struct {
	Kind Kind
	Name string // "nginx", or the name of a module
}

// A Kind says where a need is looked for.
type Kind int

// A program is looked for on PATH, then where systems keep those that an
// administrator starts; a module where its program would find it.
const (
	Executable Kind = iota
	PythonModule
	PerlModule
	ApacheModule
	UWSGIPlugin
)

func (k Kind) String() string {
	return [...]string{"program", "Python module", "Perl module", "Apache module", "uWSGI plugin"}[k]
}

// A Found is an installed program or module.
type Found struct {
	Name, Path, Version string
}

// packages are the names under which needs are packaged. What Homebrew doesn't
// have is "": a Python module comes with pip instead.
var packages = map[Need]struct{ debian, homebrew string }{
	{Executable, "nginx"}:        {"nginx", "nginx"},
	{Executable, "apache2"}:      {"apache2", "httpd"},
	{Executable, "lighttpd"}:     {"lighttpd", "lighttpd"},
	{Executable, "uwsgi"}:        {"uwsgi", "uwsgi"},
	{Executable, "fcgiwrap"}:     {"fcgiwrap", "fcgiwrap"},
	{Executable, "perl"}:         {"perl", "perl"},
	{Executable, "cc"}:           {"gcc libc6-dev", "gcc"},
	{Executable, "flock"}:        {"util-linux", "flock"},
	{Executable, "python3"}:      {"python3", "python"},
	{Executable, "gcc"}:          {"gcc libc6-dev", "gcc"},
	{Executable, "git"}:          {"git", "git"},
	{Executable, "curl"}:         {"curl", "curl"},
	{Executable, "chromium"}:     {"chromium", "chromium"},
	{Executable, "tshark"}:       {"tshark", "wireshark"},
	{Executable, "php-fpm8.2"}:   {"php-fpm", "php"},
	{Executable, "cgi-fcgi"}:     {"libfcgi-bin", "fcgi"},
	{Executable, "psql"}:         {"postgresql", "postgresql"},
	{Executable, "wrk"}:          {"wrk", "wrk"},
	{Executable, "h2load"}:       {"nghttp2-client", "nghttp2"},
	{PythonModule, "nbclient"}:   {"python3-nbclient", ""},
	{ApacheModule, "cgid"}:       {"apache2", "httpd"},
	{ApacheModule, "perl"}:       {"libapache2-mod-perl2", ""},
	{ApacheModule, "wsgi"}:       {"libapache2-mod-wsgi-py3", ""},
	{ApacheModule, "fcgid"}:      {"libapache2-mod-fcgid", ""},
	{PerlModule, "FCGI"}:         {"libfcgi-perl", ""},
	{UWSGIPlugin, "python3"}:     {"uwsgi-plugin-python3", "uwsgi"},
	{PythonModule, "gunicorn"}:   {"gunicorn", ""},
	{PythonModule, "gevent"}:     {"python3-gevent", ""},
	{PythonModule, "eventlet"}:   {"python3-eventlet", ""},
	{PythonModule, "tornado"}:    {"python3-tornado", ""},
	{PythonModule, "uvicorn"}:    {"python3-uvicorn", ""},
	{PythonModule, "uvloop"}:     {"python3-uvloop", ""},
	{PythonModule, "httptools"}:  {"python3-httptools", ""},
	{PythonModule, "websockets"}: {"python3-websockets", ""},
	{PythonModule, "h11"}:        {"python3-h11", ""},
	{PythonModule, "hypercorn"}:  {"python3-hypercorn", ""},
	{PythonModule, "daphne"}:     {"python3-daphne", ""},
	{PythonModule, "werkzeug"}:   {"python3-werkzeug", ""},
	{PythonModule, "flask"}:      {"python3-flask", ""},
	{PythonModule, "django"}:     {"python3-django", ""},
	{PythonModule, "fastapi"}:    {"python3-fastapi", ""},
	{PythonModule, "quart"}:      {"python3-quart", ""},
	{PythonModule, "sqlite3"}:    {"python3", "python"},
	{PythonModule, "aiosqlite"}:  {"python3-aiosqlite", ""},
	{PythonModule, "asyncpg"}:    {"python3-asyncpg", ""},
	{PythonModule, "psycopg2"}:   {"python3-psycopg2", ""},
}

// Find finds all that is needed, or says what is missing and how to install it,
// or what is too old or too new.
func Find(needs []Need) ([]Found, error) {
	var found []Found
	var missing []Need
	var modules []string
	var own *Interpreter // that one of the needs runs, whoever else has the modules
	for _, n := range needs {
		if n.Kind == PythonModule {
			modules = append(modules, n.Name)
			continue
		}
		f, err := n.find()
		if err != nil {
			missing = append(missing, n)
			continue
		}
		if py := n.runs(f); py != nil {
			own = py
		}
		if f.Name != "python3" { // which comes with the modules
			found = append(found, f)
		}
	}
	py, lacks := own, []string(nil)
	switch {
	case own != nil:
		lacks = own.lacks(modules)
	case len(modules) > 0:
		py, lacks = FindPython(modules...)
	}
	if len(lacks) > 0 {
		missing, modules = append(missing, python(lacks...)...), nil
	}
	if own != nil || len(modules) > 0 {
		found = append(found, py.found(modules)...)
	}
	if len(missing) > 0 {
		return found, &MissingError{missing}
	}
	return found, unfit(found)
}

// runs is the interpreter that what was found runs, nil if that is for the
// modules to say.
func (n Need) runs(f Found) *Interpreter {
	switch n {
	case Need{UWSGIPlugin, "python3"}, Need{ApacheModule, "wsgi"}:
		return embedded(f.Path)
	case Need{Executable, "python3"}:
		return scriptPython()
	}
	return nil
}

func (n Need) find() (Found, error) {
	switch n.Kind {
	case Executable:
		if n.Name == "python3" {
			if py := scriptPython(); py != nil {
				return py.found(nil)[0], nil
			}
			return Found{}, fmt.Errorf("python3: %w", exec.ErrNotFound)
		}
		path, err := executable(n.Name)
		return Found{n.Name, path, version(n.Name, path)}, err
	case ApacheModule:
		dir, err := apacheModules()
		path := filepath.Join(dir, "mod_"+n.Name+".so")
		if err == nil {
			_, err = os.Stat(path)
		}
		return Found{"mod_" + n.Name, path, ""}, err
	case UWSGIPlugin:
		path := ""
		for _, p := range []string{"/usr/lib/uwsgi/plugins/" + n.Name + "_plugin.so", "/usr/lib64/uwsgi/" + n.Name + "_plugin.so"} {
			if _, err := os.Stat(p); err == nil {
				path = p
			}
		}
		if path == "" {
			return Found{}, os.ErrNotExist
		}
		return Found{"uwsgi " + n.Name + " plugin", path, ""}, nil
	case PerlModule:
		perl, err := executable("perl")
		if err != nil {
			return Found{}, err
		}
		out, err := exec.Command(perl, "-M"+n.Name, "-e", "print $"+n.Name+"::VERSION").Output()
		return Found{n.Name + ".pm", perl, string(out)}, err
	}
	return Found{}, fmt.Errorf("%s can't be looked for", n.Name)
}

// executable finds a program on PATH or where an administrator's programs are,
// which are not on everybody's PATH.
func executable(name string) (string, error) {
	names := []string{name}
	if name == "apache2" {
		names = append(names, "httpd")
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path, nil
		}
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/homebrew/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, n)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// versionFlags have a program say its version.
var versionFlags = map[string]string{
	"nginx": "-v", "apache2": "-v", "lighttpd": "-v", "uwsgi": "--version", "fcgiwrap": "-h", "cc": "--version",
	"flock": "--version", "perl": "-v", "python3": "-V", "gcc": "--version", "git": "--version", "curl": "--version",
	"chromium": "--version", "tshark": "--version", "php-fpm8.2": "-v", "wrk": "-v", "h2load": "--version", "psql": "--version",
}

// versions remembers what programs have said: a program doesn't change its
// version while the lab runs, and is asked for it often.
var versions sync.Map

var numbered = regexp.MustCompile(`\d+(\.\d+)+[-+.~\w]*`)

// version asks a program for its version; "" if it doesn't say.
func version(name, path string) string {
	flag, ok := versionFlags[name]
	if !ok || path == "" {
		return ""
	}
	if v, ok := versions.Load(path); ok {
		return v.(string)
	}
	out, _ := exec.Command(path, flag).CombinedOutput() // some say it with a failure
	v := numbered.FindString(string(out))
	versions.Store(path, v)
	return v
}

// A MissingError says what is not installed, and how it would be.
type MissingError struct{ Needs []Need }

func (e *MissingError) Error() string {
	var names []string
	for _, n := range e.Needs {
		names = append(names, n.String())
	}
	text := "not installed: " + strings.Join(names, ", ")
	if line := DebianLine(e.Needs); line != "" {
		text += "; on Debian or Ubuntu: " + line
	}
	if line := HomebrewLine(e.Needs); line != "" {
		text += "; on macOS: " + line
	}
	return text
}

// Is says that what is missing doesn't exist.
func (e *MissingError) Is(target error) bool { return target == exec.ErrNotFound }

func (n Need) String() string {
	switch n.Kind {
	case PythonModule:
		return "Python's " + n.Name
	case PerlModule:
		return "Perl's " + n.Name
	case ApacheModule:
		return "Apache's mod_" + n.Name
	case UWSGIPlugin:
		return "uWSGI's plugin " + n.Name
	}
	return n.Name
}

// DebianLine is the command that installs the needs on Debian and Ubuntu.
func DebianLine(needs []Need) string {
	var names []string
	for _, n := range needs {
		names = append(names, strings.Fields(packages[n].debian)...)
	}
	return line("sudo apt-get install", names)
}

// HomebrewLine is the command that installs the needs on macOS; "" if nothing
// there has them.
func HomebrewLine(needs []Need) string {
	var brew, pip []string
	for _, n := range needs {
		switch {
		case packages[n].homebrew != "":
			brew = append(brew, packages[n].homebrew)
		case n.Kind == PythonModule:
			pip = append(pip, n.Name)
		}
	}
	var lines []string
	if l := line("brew install", brew); l != "" {
		lines = append(lines, l)
	}
	// Python itself refuses to have modules put beside those that a package
	// manager installed (PEP 668); this environment is where FindPython looks.
	if l := line("~/"+ownPython+"/bin/pip install", pip); l != "" {
		lines = append(lines, "python3 -m venv --system-site-packages ~/"+ownPython, l)
	}
	return strings.Join(lines, " && ")
}

func line(command string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return command + " " + strings.Join(slices.Compact(names), " ")
}

// IsMissing says whether an error is that something is not installed.
func IsMissing(err error) bool {
	var m *MissingError
	return errors.As(err, &m)
}
