package real

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// PythonVariable names the environment variable that says which Python to use.
const PythonVariable = "LAB_PYTHON"

// ownPython is a virtual environment below the home folder for those who can't
// have modules installed for the system's own Python.
const ownPython = ".gatewaylab/python"

// An Interpreter is a Python and what was found with it.
type Interpreter struct {
	Path, Version string
	modules       map[string]string // name → version
}

// pythonModules are all that an interpreter is asked for, at once: starting it
// takes longer than looking.
var pythonModules = []string{
	"gunicorn", "gevent", "eventlet", "tornado", "uvicorn", "uvloop", "httptools", "websockets", "h11", "hypercorn",
	"daphne", "werkzeug", "flask", "django", "fastapi", "quart", "nbclient", "aiosqlite", "asyncpg", "psycopg2",
}

// question has a Python print where it is, its version, and the modules it has.
// Of sqlite3, a part of Python, the version is that of the library it links.
const question = `
import importlib.metadata as m, importlib.util as u, sys
print(sys.executable)
print("%d.%d.%d" % sys.version_info[:3])
for name in sys.argv[1:]:
    if u.find_spec(name):
        try: print(name, m.version(name))
        except m.PackageNotFoundError: print(name, "?")
try:
    import sqlite3
    print("sqlite3", sqlite3.sqlite_version)
except ImportError: pass
`

// interpreters remembers what each interpreter has answered, by its path.
var interpreters sync.Map

// FindPython finds a Python that has the modules. The one that comes first on
// PATH often hasn't (pyenv's, a virtual environment's), so others are asked too;
// LAB_PYTHON names the one to use and no other. Lacks is what the best one
// found lacks, all of it if there is none.
func FindPython(modules ...string) (best *Interpreter, lacks []string) {
	lacks = modules
	for _, path := range pythons() {
		py := ask(path)
		if py == nil {
			continue
		}
		missing := py.lacks(modules)
		if best == nil || len(missing) < len(lacks) {
			best, lacks = py, missing
		}
		if len(missing) == 0 {
			return py, nil
		}
	}
	return best, lacks
}

// pythons are the interpreters to ask, in order.
func pythons() []string {
	if path := os.Getenv(PythonVariable); path != "" {
		return []string{path}
	}
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ownPython, "bin"))
	}
	dirs = append(dirs, "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
	var paths []string
	for _, dir := range dirs {
		path := filepath.Join(dir, "python3")
		if st, err := os.Stat(path); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

func ask(path string) *Interpreter {
	if known, ok := interpreters.Load(path); ok {
		return known.(*Interpreter)
	}
	out, err := exec.Command(path, append([]string{"-c", question}, pythonModules...)...).Output()
	var py *Interpreter
	if lines := strings.Split(strings.TrimSpace(string(out)), "\n"); err == nil && len(lines) >= 2 {
		py = &Interpreter{Path: lines[0], Version: lines[1], modules: map[string]string{}}
		for _, l := range lines[2:] {
			name, v, _ := strings.Cut(l, " ")
			py.modules[name] = v
		}
	}
	interpreters.Store(path, py)
	return py
}

// scriptPython is the interpreter that runs CGI programs: one that has the driver
// of PostgreSQL, or one without, which serves all else.
func scriptPython() *Interpreter {
	py, _ := FindPython("psycopg2")
	return py
}

// libpython is the name of Python's shared library, with its version.
var libpython = regexp.MustCompile(`^libpython(\d+\.\d+)\.so`)

// embedded is the interpreter that a module of a web server's has in itself, by
// the library that it is linked with, whatever comes first on PATH. What is asked
// in its place is the program of that version, where systems have theirs: both
// are of one build, and have the same modules.
func embedded(module string) *Interpreter {
	file, err := os.Open(module)
	if err != nil {
		return nil
	}
	defer file.Close()
	f, err := elf.NewFile(file)
	if err != nil {
		return nil // not Linux's
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return nil
	}
	for _, l := range libraries {
		if m := libpython.FindStringSubmatch(l); m != nil {
			return ask("/usr/bin/python" + m[1])
		}
	}
	return nil
}

// lacks are the modules that the interpreter doesn't have.
func (py *Interpreter) lacks(modules []string) (missing []string) {
	for _, m := range modules {
		if _, ok := py.modules[m]; !ok {
			missing = append(missing, m)
		}
	}
	return missing
}

// found are the interpreter and some of its modules.
func (py *Interpreter) found(modules []string) []Found {
	all := []Found{{"python3", py.Path, py.Version}}
	for _, m := range modules {
		all = append(all, Found{m, py.Path, py.modules[m]})
	}
	return all
}

// python needs modules.
func python(modules ...string) []Need {
	var needs []Need
	for _, m := range modules {
		if m != "" {
			needs = append(needs, Need{PythonModule, m})
		}
	}
	return needs
}
