//go:build unix

package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockFile is what the lab gives the processes of a server.
func lockFile(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(lockVariable, path)
}

// Apps that share a file are to each other as processes are: each has a
// description of its own.
func TestLockExcludes(t *testing.T) {
	for name, shared := range map[string]bool{"within a process": false, "between processes": true} {
		t.Run(name, func(t *testing.T) {
			apps := []*App{New()}
			if shared {
				lockFile(t)
				apps = append(apps, New(), New())
			}
			const each, hold = 3, 20 * time.Millisecond
			begun := time.Now()
			var wg sync.WaitGroup
			for i := range each * len(apps) {
				wg.Go(func() {
					r := request("GET", "/locked?wait=0&hold=20", "")
					if i%2 == 0 { // with and without a way to give up
						r.Gone = func() <-chan struct{} { return nil }
					}
					a := &answer{}
					if err := apps[i%len(apps)].Serve(a, r); err != nil || a.body.String() != "waited 0 ms\nheld 20 ms\n" {
						t.Errorf("%q, %v", a.body.String(), err)
					}
				})
			}
			wg.Wait()
			if took, least := time.Since(begun), time.Duration(each*len(apps))*hold; took < least {
				t.Errorf("%v for all, which needs %v one after the other", took, least)
			}
		})
	}
}

// Who has gone waits no longer, neither for its turn nor for another process,
// and leaves the lock to the others.
func TestLockGone(t *testing.T) {
	lockFile(t)
	other, a := New(), New()
	if err := other.lock.take(&Request{}); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	var waiting sync.WaitGroup
	for range 3 { // one for the other process's lock, two for their turn
		waiting.Go(func() {
			r := request("GET", "/locked?wait=0&hold=0", "")
			r.Gone = func() <-chan struct{} { return gone }
			if err := a.Serve(&answer{}, r); !errors.Is(err, ErrGone) {
				t.Errorf("%v, want ErrGone", err)
			}
		})
	}
	close(gone)
	waiting.Wait()
	other.lock.release()
	for _, app := range []*App{a, other} {
		if got := (&answer{}); app.Serve(got, request("GET", "/locked?wait=0&hold=0", "")) != nil || got.status != 200 {
			t.Errorf("afterwards: %+v", got)
		}
	}
}

func TestLockFileIsMissing(t *testing.T) {
	t.Setenv(lockVariable, filepath.Join(t.TempDir(), "nowhere"))
	a := New()
	for range 2 { // the turn was given back
		got := &answer{}
		if err := a.Serve(got, request("GET", "/locked?wait=0&hold=0", "")); err != nil || got.status != 500 ||
			!strings.HasPrefix(got.body.String(), "500 internal server error: the lock: ") {
			t.Errorf("%d %q, %v", got.status, got.body.String(), err)
		}
	}
}
