package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Programs are the lab's child executables.
type Programs struct {
	Server string // labserver: runs a built-in model
	App    string // labapp: the application as a program of its own, for CGI
	// Database are the same with drivers of databases linked in, for a model
	// whose application asks one: programs of their own, since what a program
	// imports is part of what it costs to start and to keep. nil = not looked
	// for; see WithDatabase.
	Database *Programs

	table string // the file with the database's table, if they have drivers
}

// FindPrograms finds labserver and labapp beside the running executable;
// failing that it builds them, from the module that the working directory
// belongs to or depends on, into the user's cache. `go run ./cmd/lab` and
// `go test` come the second way; the build is Go's own and so costs a moment
// when nothing has changed; the first one takes longer and is announced on
// progress.
func FindPrograms(ctx context.Context, progress io.Writer) (Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return Programs{}, fmt.Errorf("find labserver: %w", err)
	}
	beside := programsIn(filepath.Dir(self), plain)
	if beside.exist() {
		return beside, nil
	}
	built, err := buildPrograms(ctx, plain, progress)
	if err != nil {
		return Programs{}, fmt.Errorf("labserver and labapp are neither beside %s nor could they be built: %w\n"+
			"put all three into one folder: in the source folder, go build -o FOLDER ./cmd/...", self, err)
	}
	return built, nil
}

// A variant is a way of building the programs.
type variant struct {
	suffix string // of their names
	tags   string
	race   bool // the server with the race detector, if the lab has it
	words  string
}

var (
	plain = variant{race: true, words: "the servers"}
	// SQLite is C turned into Go, a hundred thousand lines that nobody here can
	// mend, and that take minutes to build for the race detector.
	withDrivers = variant{suffix: "-db", tags: "database", words: "the servers with drivers of databases"}
)

func programsIn(dir string, v variant) Programs {
	suffix := v.suffix
	if runtime.GOOS == "windows" {
		suffix += ".exe"
	}
	return Programs{Server: filepath.Join(dir, "labserver"+suffix), App: filepath.Join(dir, "labapp"+suffix)}
}

func (p Programs) exist() bool {
	for _, f := range []string{p.Server, p.App} {
		if st, err := os.Stat(f); err != nil || st.IsDir() {
			return false
		}
	}
	return true
}

// buildPrograms builds into a staging folder under a lock, then puts the
// result where its content says, so that a build never overwrites an
// executable that another lab is running.
func buildPrograms(ctx context.Context, v variant, progress io.Writer) (Programs, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return Programs{}, errors.New("there is no go command on PATH")
	}
	source, err := goList(ctx, "-m", "-f", "{{.Dir}}", "gatewaylab")
	if err != nil {
		return Programs{}, err
	}
	cache := cacheFolder()
	key := sha256.Sum256(fmt.Append(nil, source, runtime.Version(), raceEnabled))
	staging := filepath.Join(cache, "build-"+hex.EncodeToString(key[:8]))
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return Programs{}, fmt.Errorf("make the build folder: %w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(staging, ".lock")).Lock()
	if err != nil {
		return Programs{}, fmt.Errorf("lock %s: %w", staging, err)
	}
	defer unlock()
	staged := programsIn(staging, v)
	if !staged.exist() {
		fmt.Fprintf(progress, "building %s (the first time only) …\n", v.words)
	}
	// The application must start fast, so it is never built with the race
	// detector; the server is whenever the lab is, so that a test under the
	// race detector covers both sides.
	if err := goBuild(ctx, staged.Server, "gatewaylab/cmd/labserver", v.tags, v.race && raceEnabled); err != nil {
		return Programs{}, err
	}
	if err := goBuild(ctx, staged.App, "gatewaylab/cmd/labapp", v.tags, false); err != nil {
		return Programs{}, err
	}
	return publish(cache, staged, v)
}

func goList(ctx context.Context, args ...string) (string, error) {
	out, err := runGo(ctx, nil, append([]string{"list"}, args...))
	return strings.TrimSpace(out), err
}

func cacheFolder() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "gatewaylab")
}

func goBuild(ctx context.Context, out, pkg, tags string, race bool) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags=" + tags, "-o", out}
	env := []string{"CGO_ENABLED=0"}
	if race {
		args, env = append(args, "-race"), []string{"CGO_ENABLED=1"}
	} else {
		args = append(args, "-ldflags=-s -w")
	}
	_, err := runGo(ctx, env, append(args, pkg))
	return err
}

func runGo(ctx context.Context, env, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// publish copies the staged programs to a folder named after their content
// and forgets such folders unused for a month.
func publish(cache string, staged Programs, v variant) (Programs, error) {
	sum := sha256.New()
	for _, f := range []string{staged.Server, staged.App} {
		if err := hashFile(sum, f); err != nil {
			return Programs{}, err
		}
	}
	dir := filepath.Join(cache, "bin-"+hex.EncodeToString(sum.Sum(nil)[:12]))
	final := programsIn(dir, v)
	now := time.Now()
	if final.exist() {
		_ = os.Chtimes(dir, now, now) // only keeps it from being forgotten
		return final, nil
	}
	tmp, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return Programs{}, fmt.Errorf("publish labserver: %w", err)
	}
	defer os.RemoveAll(tmp)
	fresh := programsIn(tmp, v)
	for from, to := range map[string]string{staged.Server: fresh.Server, staged.App: fresh.App} {
		if err := copyProgram(from, to); err != nil {
			return Programs{}, err
		}
	}
	if err := os.Rename(tmp, dir); err != nil && !final.exist() {
		return Programs{}, fmt.Errorf("publish labserver: %w", err)
	}
	forgetOld(cache, now.AddDate(0, -1, 0))
	return final, nil
}

func hashFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("hash the built program: %w", err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("hash %s: %w", name, err)
	}
	return nil
}

func copyProgram(from, to string) error {
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", filepath.Base(from), err)
	}
	return nil
}

func forgetOld(cache string, before time.Time) {
	old, _ := filepath.Glob(filepath.Join(cache, "bin-*"))
	for _, dir := range old {
		if st, err := os.Stat(dir); err == nil && st.ModTime().Before(before) {
			_ = os.RemoveAll(dir) // a leftover costs disk, nothing else
		}
	}
}

// Versions identifies the programs in results, by content: they carry no
// version of their own.
func (p Programs) Versions() map[string]string {
	v := map[string]string{}
	files := map[string]string{"labserver": p.Server, "labapp": p.App}
	if p.Database != nil {
		files["labserver-db"], files["labapp-db"] = p.Database.Server, p.Database.App
	}
	for name, file := range files {
		sum := sha256.New()
		if err := hashFile(sum, file); err == nil {
			v[name] = "sha256:" + hex.EncodeToString(sum.Sum(nil)[:8])
		}
	}
	return v
}
