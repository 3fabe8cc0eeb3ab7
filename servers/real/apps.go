package real

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gatewaylab/servers/app"
)

//go:embed apps
var apps embed.FS

// Apps puts the twins into the user's cache, once for each version of them, and
// returns their folder. Programs that the system starts by their first line get
// the interpreter's path into it.
func Apps(pythonPath string) (string, error) {
	files, err := twins(pythonPath)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "gatewaylab")
	dir := filepath.Join(cache, "apps-"+digest(files))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("put the applications into the cache: %w", err)
	}
	tmp, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return "", fmt.Errorf("put the applications into the cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	for _, f := range files {
		name := filepath.Join(tmp, filepath.FromSlash(f.Name))
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil {
			err = os.WriteFile(name, []byte(f.Content), 0o755)
		}
		if err != nil {
			return "", fmt.Errorf("put the applications into the cache: %w", err)
		}
	}
	if err := os.Rename(tmp, dir); err != nil && !exists(dir) { // another lab may have been quicker
		return "", fmt.Errorf("put the applications into the cache: %w", err)
	}
	return dir, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// twins are all files of the applications, in a fixed order.
func twins(pythonPath string) ([]File, error) {
	var files []File
	err := fs.WalkDir(apps, "apps", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := apps.ReadFile(name)
		if err != nil {
			return err
		}
		content := string(b)
		if rest, ok := strings.CutPrefix(content, "#!/usr/bin/python3\n"); ok && pythonPath != "" {
			content = "#!" + pythonPath + "\n" + rest
		}
		files = append(files, File{strings.TrimPrefix(name, "apps/"), content})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the applications: %w", err)
	}
	// The files that it serves, and the list of its routes, the twins have from
	// the application itself.
	for _, f := range app.Files() {
		files = append(files, File{strings.TrimPrefix(f.Path, "/"), f.Content})
	}
	index, err := index()
	return append(files, File{"static/index.txt", index}), err
}

func digest(files []File) string {
	sum := sha256.New()
	for _, f := range files {
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", f.Name, len(f.Content), f.Content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:10])
}

// index is the application's list of its routes.
func index() (string, error) {
	var heard hearing
	err := app.New().Serve(&heard, &app.Request{Method: "GET", Path: "/", Body: strings.NewReader("")})
	if err == nil && heard.status != 200 {
		err = fmt.Errorf("the application answers / with status %d", heard.status)
	}
	return heard.String(), err
}

type hearing struct {
	strings.Builder
	status int
}

func (h *hearing) Start(status int, _ []app.Field) error { h.status = status; return nil }
func (h *hearing) Flush() error                          { return nil }

// compiled returns the application in C, which is compiled when it is first
// asked for.
func compiled(dir string) (string, error) {
	program := filepath.Join(dir, "c", "labapp")
	if exists(program) {
		return program, nil
	}
	cc, err := executable("cc")
	if err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(filepath.Join(dir, "c"), "labapp-")
	if err != nil {
		return "", fmt.Errorf("compile the application in C: %w", err)
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Close(); err != nil {
		return "", err
	}
	source := filepath.Join(dir, "c", "labapp.c")
	if out, err := exec.Command(cc, "-std=gnu11", "-O2", "-o", tmp.Name(), source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the application in C: %s: %w\n%s", cc, err, out)
	}
	return program, os.Rename(tmp.Name(), program)
}

// The applications for CGI, by the language they are in.
var cgiApps = map[string]struct {
	file  string
	needs []Need
}{
	"c":      {"", []Need{{Executable, "cc"}}},
	"go":     {"", nil},
	"perl":   {"perl/labapp.pl", []Need{{Executable, "perl"}}},
	"python": {"python/cgi_program.py", []Need{{Executable, "python3"}}},
	"shell":  {"shell/labapp.sh", []Need{{Executable, "flock"}}},
}

// cgiProgram is the application for CGI in a language.
func (s *Site) cgiProgram(language string) (string, error) {
	if language == "go" {
		return s.LabApp, nil
	}
	python := ""
	if language == "python" {
		py := scriptPython()
		if py == nil {
			return "", &MissingError{[]Need{{Executable, "python3"}}}
		}
		python = py.Path
	}
	dir, err := Apps(python)
	if err != nil {
		return "", err
	}
	if language == "c" {
		return compiled(dir)
	}
	return filepath.Join(dir, filepath.FromSlash(cgiApps[language].file)), nil
}
