//go:build linux

package real

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakePython is a Python first on PATH that says it has everything.
func fakePython(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "python3")
	says := "#!/bin/sh\necho " + path + "\necho 9.9.9\nshift 2\nfor m; do echo $m 9.9; done\necho sqlite3 9.9\n"
	if err := os.WriteFile(path, []byte(says), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(PythonVariable, "")
	t.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return path
}

// What brings its Python along is recorded with that, and must find its modules
// there, whatever is first on PATH.
func TestEmbeddedPython(t *testing.T) {
	for name, tc := range map[string]struct {
		needs []Need
		tells func(t *testing.T, module string) string // its version, by itself
	}{
		"uWSGI": {[]Need{{Executable, "uwsgi"}, {UWSGIPlugin, "python3"}}, func(t *testing.T, _ string) string {
			return said(t, "uwsgi", "--plugin", "python3", "--python-version")
		}},
		"mod_wsgi": {[]Need{{Executable, "apache2"}, {ApacheModule, "wsgi"}}, librarySays},
	} {
		t.Run(name, func(t *testing.T) {
			needs := append(tc.needs, python("flask", "sqlite3")...)
			if _, err := Find(needs); err != nil {
				if os.Getenv("LAB_REQUIRE") != "" {
					t.Fatalf("%v, and LAB_REQUIRE is set", err)
				}
				t.Skip(err)
			}
			fake := fakePython(t)
			if py, _ := FindPython("flask"); py == nil || py.Path != fake {
				t.Fatalf("others' Python is %+v, want that on PATH", py)
			}
			all, err := Find(needs)
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]Found{}
			for _, f := range all {
				if _, twice := names[f.Name]; twice || strings.HasPrefix(f.Version, "9.9") {
					t.Errorf("found %v", f)
				}
				names[f.Name] = f
			}
			module := all[1].Path
			if got, want := names["python3"].Version, tc.tells(t, module); got != want {
				t.Errorf("recorded as Python %s, and it is %s", got, want)
			}
			if _, has := names["flask"]; !has || len(all) != 5 {
				t.Errorf("found %v", all)
			}
			if lacks := embedded(module).lacks([]string{"flask", "no such"}); !slices.Equal(lacks, []string{"no such"}) {
				t.Errorf("it lacks %v", lacks)
			}
		})
	}
	if py := embedded("/no/such/module.so"); py != nil {
		t.Errorf("nothing runs %+v", py)
	}
}

// A CGI program's Python is the one that is recorded, too.
func TestScriptPython(t *testing.T) {
	fake := fakePython(t)
	found, err := Find([]Need{{Executable, "python3"}, {PythonModule, "psycopg2"}})
	if err != nil || len(found) != 2 || found[0] != (Found{"python3", fake, "9.9.9"}) || found[1].Version != "9.9" {
		t.Errorf("%v, %v", found, err)
	}
}

// librarySays asks the library that a module is linked with for its version.
func librarySays(t *testing.T, module string) string {
	t.Helper()
	f, err := elf.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(libraries, libpython.MatchString)
	if at < 0 {
		t.Fatalf("%s is linked with %v", module, libraries)
	}
	return said(t, "/usr/bin/python3", "-c", `import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.Py_GetVersion.restype = ctypes.c_char_p
print(library.Py_GetVersion().decode().split()[0])`, libraries[at])
}

func said(t *testing.T, command ...string) string {
	t.Helper()
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		t.Fatalf("%s: %v", command[0], err)
	}
	return strings.TrimSpace(string(out))
}
