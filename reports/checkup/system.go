package checkup

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The package managers that the lab knows the names of packages of.
const (
	apt      = "apt"
	homebrew = "homebrew"
)

// osRelease is the system's description of itself (os-release(5)); empty where
// there is none.
func osRelease() []byte {
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if b, err := os.ReadFile(name); err == nil {
			return b
		}
	}
	return nil
}

// system names the system and its package manager, from Go's name of it and
// its own description.
func system(goos string, release []byte) (name, manager string) {
	said := map[string]string{}
	for line := range bytes.Lines(release) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		if !ok {
			continue
		}
		if plain, err := strconv.Unquote(value); err == nil {
			value = plain
		}
		said[key] = strings.Trim(value, "'")
	}
	name = said["PRETTY_NAME"]
	switch {
	case goos == "darwin":
		return "macOS", homebrew
	case name == "":
		name = goos
	}
	family := append(strings.Fields(said["ID_LIKE"]), said["ID"])
	if goos == "linux" && slices.ContainsFunc(family, func(f string) bool { return f == "debian" || f == "ubuntu" }) {
		manager = apt
	}
	return name, manager
}

// goTool is where the go command is; "" where there is none, which is no harm
// if the lab's programs stand beside it.
func goTool() string {
	path, err := exec.LookPath("go")
	if err != nil {
		return ""
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}
