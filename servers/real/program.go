package real

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Program is one real server: what it needs, and how it is set up.
type Program struct {
	// Needs are what must be installed for these settings.
	Needs func(Settings) []Need
	// Setup makes the command line and the configuration of one start.
	Setup func(*Site) (*Setup, error)
	// Stop names the signal by which it finishes what it serves and ends.
	Stop string
	// Stdin is set if it looks for the listener at descriptor 0, Activate if
	// it takes one over only as systemd hands it on, Binds if it takes none and
	// binds the address itself.
	Stdin, Activate, Binds bool
	// Blocking is set if it wants the listener to block in accept.
	Blocking bool
	// Forgets, if set, says whether it ignores SIGCHLD, so that what its children
	// have used is forgotten with them.
	Forgets func(Settings) bool
	// Unprivileged is set if it refuses to serve as root.
	Unprivileged bool
}

// Settings are the options of the model, every one, checked.
type Settings map[string]string

// Int returns an option that has been checked to be a whole number.
func (s Settings) Int(key string) int {
	n, err := strconv.Atoi(s[key])
	if err != nil {
		panic(fmt.Sprintf("real: option %s=%q was not checked: %v", key, s[key], err))
	}
	return n
}

// A Site is where a program is to run.
type Site struct {
	Settings Settings
	// Folder is private and exists as long as the program runs; what Setup
	// returns as files is put there.
	Folder string
	// Network and Address are what its listener is bound to: "tcp" and
	// "127.0.0.1:8000", or "unix" and a path.
	Network, Address string
	Protocol         string // spoken there: "HTTP", "FastCGI", "SCGI", "uwsgi"
	LabApp           string // the Go program for CGI
}

// A Setup is one start of a program.
type Setup struct {
	Argv  []string
	Env   []string // beside the lab's own environment
	Files []File
	// Workers is how many lines the file that ReadyFile names will have in the
	// site's folder once all processes have begun; 0 = nobody writes one, and whoever
	// answers first speaks for all.
	Workers int
}

// ReadyFile is where workers say that they have begun, a line each.
const ReadyFile = "ready"

// Ready says whether all workers have begun.
func (s *Setup) Ready(folder string) bool {
	if s.Workers == 0 {
		return true
	}
	b, err := os.ReadFile(filepath.Join(folder, ReadyFile))
	return err == nil && strings.Count(string(b), "\n") >= s.Workers
}

// A File is part of a configuration.
type File struct {
	Name    string // inside the site's folder
	Content string
}

// Write puts the files into the folder.
func (s *Setup) Write(folder string) error {
	for _, f := range s.Files {
		if err := os.WriteFile(filepath.Join(folder, f.Name), []byte(f.Content), 0o644); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
	}
	return nil
}

// String shows the command line and the configuration, as for a reader.
func (s *Setup) String() string {
	var b strings.Builder
	b.WriteString("# command\n" + s.Command())
	for _, f := range s.Files {
		fmt.Fprintf(&b, "\n# %s\n%s", f.Name, f.Content)
	}
	return b.String()
}

// Command is the command line, with the environment before it, as a shell
// reads it.
func (s *Setup) Command() string {
	var words []string
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		words = append(words, name+"="+quoted(value))
	}
	for _, a := range s.Argv {
		words = append(words, quoted(a))
	}
	return strings.Join(words, " ") + "\n"
}

// quoted writes a word as a shell reads it.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:=,@%+", c)
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
