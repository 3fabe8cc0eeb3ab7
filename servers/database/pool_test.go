package database

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A stub is a connection whose queries take a second.
type stub struct{ inUse, most *atomic.Int32 }

func (s *stub) slow(wait time.Duration, rows int) (int, error) {
	s.most.Store(max(s.most.Load(), s.inUse.Add(1)))
	time.Sleep(wait)
	s.inUse.Add(-1)
	if rows == 0 {
		return 0, errors.New("broken")
	}
	return rows, nil
}

func (s *stub) selectRow(int) (string, int, int, error) { return "", 0, 0, nil }
func (s *stub) update(int, time.Duration) error         { return nil }
func (s *stub) close() error                            { return nil }

// No more calls are under way than there are connections, who came first is
// served first, and a connection on which something went wrong isn't used again.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inUse, most, opened atomic.Int32
		db, err := Open("none", 3)
		if err != nil {
			t.Fatal(err)
		}
		db.open = func() (conn, error) {
			opened.Add(1)
			return &stub{inUse: &inUse, most: &most}, nil
		}
		if _, err := db.Slow(time.Second, 1); err != nil || opened.Load() != 1 {
			t.Errorf("%v, %d opened for one call", err, opened.Load())
		}
		order := make(chan int, 9)
		for i := range 9 {
			go func() {
				if _, err := db.Slow(time.Second, 1+i); err != nil {
					t.Error(err)
				}
				order <- i / 3
			}()
			synctest.Wait()
		}
		begun := time.Now()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for i := range 9 {
			if got := <-order; got != i/3 {
				t.Errorf("one of round %d was served in round %d", got, i/3)
			}
		}
		if most.Load() != 3 || opened.Load() != 3 || time.Since(begun) != 3*time.Second {
			t.Errorf("%d at a time, %d opened, in %v; want 3, 3, 3s", most.Load(), opened.Load(), time.Since(begun))
		}
		if _, err := db.Slow(0, 0); err == nil || len(db.idle) != 2 {
			t.Errorf("%v, %d idle after a failure, want 2", err, len(db.idle))
		}
		if _, err := db.Slow(0, 1); err != nil || len(db.tokens) != 3 {
			t.Errorf("%v, %d places after a failure, want 3", err, len(db.tokens))
		}
	})
}

// MakeRows makes a smaller table: SQLite under the race detector is slow.
var MakeRows = makeRows

// Who can't have the lock in time is told that the database is busy; reading
// goes on meanwhile.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "items.sqlite")
	if err := makeRows(path, 10); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("beside the file there is %v, %v", left, err)
	}
	holder, err := openSQLite(path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	other, err := openSQLite(path, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	go func() { held <- holder.update(1, time.Second) }()
	for err == nil && len(held) == 0 {
		err = other.update(2, 0)
	}
	var busy interface{ Busy() bool }
	if !errors.As(err, &busy) || !busy.Busy() {
		t.Errorf("%v, want a busy database", err)
	}
	if _, _, _, err := other.selectRow(2); err != nil {
		t.Errorf("a read beside a transaction that writes: %v", err)
	}
	if err := errors.Join(<-held, other.close(), holder.close()); err != nil {
		t.Error(err)
	}
}
