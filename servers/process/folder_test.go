//go:build unix

package process

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRemoveAbandoned(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string {
		f := filepath.Join(dir, name)
		if err := os.Mkdir(f, 0o700); err != nil {
			t.Fatal(err)
		}
		return f
	}
	claim := func(f string) *os.File {
		owner, err := ClaimFolder(f)
		if err != nil {
			t.Fatal(err)
		}
		return owner
	}
	claimed, left, fresh, old, other := folder("lab-claimed"), folder("lab-left"), folder("lab-fresh"), folder("lab-old"), folder("else")
	defer claim(claimed).Close()
	claim(left).Close() // as the kernel does for a dead process
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	RemoveAbandoned(filepath.Join(dir, "lab-*"))
	for f, kept := range map[string]bool{claimed: true, left: false, fresh: true, old: false, other: true} {
		if _, err := os.Stat(f); (err == nil) != kept {
			t.Errorf("%s: kept %v, want %v", filepath.Base(f), err == nil, kept)
		}
	}
}
