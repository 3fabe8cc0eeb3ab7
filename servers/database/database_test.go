package database_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/database"
)

const rows = 5000

// table makes the file once and copies it for each test.
var table = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "lab-database-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "items.sqlite")
	if err := database.MakeRows(path, rows); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func open(t *testing.T, pool int) (*database.DB, string) {
	t.Helper()
	b, err := table()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "items.sqlite")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return again(t, path, pool), path
}

func again(t *testing.T, path string, pool int) *database.DB {
	t.Helper()
	db, err := database.Open(path, pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// The table holds what the lab expects without having it.
func TestRows(t *testing.T) {
	db, _ := open(t, 1)
	for _, key := range []int{1, 2, 7, 4711, rows} {
		name, number, updates, err := db.Select(key)
		if err != nil || name != app.ItemName(key) || number != app.ItemNumber(key) || updates != 0 {
			t.Errorf("%d: %q, %d, %d, %v; want %q, %d", key, name, number, updates, err, app.ItemName(key), app.ItemNumber(key))
		}
	}
	for _, key := range []int{0, rows + 1} {
		if _, _, _, err := db.Select(key); err == nil {
			t.Errorf("there is a row %d", key)
		}
	}
	want := 0
	for key := 1; key <= 1000; key++ {
		want += app.ItemNumber(key)
	}
	if sum, err := db.Slow(0, 1000); err != nil || sum != want {
		t.Errorf("sum %d, %v; want %d", sum, err, want)
	}
	if app.Items != database.Rows {
		t.Errorf("the application knows of %d rows, there are %d", app.Items, database.Rows)
	}
}

// Updates are counted, with and without a transaction held open, and another
// process (another pool, as far as SQLite is concerned) sees them.
func TestUpdates(t *testing.T) {
	db, path := open(t, 4)
	other := again(t, path, 1)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if err := []*database.DB{db, other}[i%2].Update(5, time.Duration(i%3)*time.Millisecond); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if _, _, updates, err := other.Select(5); err != nil || updates != 12 {
		t.Errorf("%d updates, %v; want 12", updates, err)
	}
}

func TestOpenFails(t *testing.T) {
	if _, err := database.Open("x", 0); err == nil {
		t.Error("a pool of none")
	}
	db := again(t, filepath.Join(t.TempDir(), "none.sqlite"), 1)
	for range 2 { // a connection that could not be opened is no loss to the pool
		if _, _, _, err := db.Select(1); err == nil {
			t.Error("a file that isn't there was opened")
		}
	}
	if db := again(t, "postgres://127.0.0.1:1/none", 1); db.Update(1, 0) == nil {
		t.Error("nobody listens there")
	}
	if err := database.Make(filepath.Join(t.TempDir(), "none", "items.sqlite")); err == nil {
		t.Error("a file was made in a folder that isn't there")
	}
}
