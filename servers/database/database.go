// Package database is the database behind the application's /db: a table of a
// million rows in SQLite or PostgreSQL, and a pool of connections to it.
//
// It is linked only into programs that are built for it (with the build tag
// database; see app.Database): a driver costs a megabyte and a part of a
// millisecond at every start, which a model that asks no database must not pay
// for, least of all CGI.
//
// The pool is the lab's own. That of database/sql serves those who wait in
// random order, and that of pgx closes and opens connections in the background;
// a pool that is to be the queue under study has to be one: first come, first
// served, and never more connections than it says.
package database

import (
	"errors"
	"strings"
	"sync"
	"time"
)

// Rows is how many rows the table has. Their keys are 1 to Rows.
const Rows = 1_000_000

// Version names what the table holds and how: a table made by another version
// is made anew.
const Version = "gateway-lab items 1"

// busyTimeout is how long SQLite tries to get a lock before it gives up: what
// Python's sqlite3 has, too.
const busyTimeout = 5 * time.Second

// A conn is one connection. It serves one call at a time.
type conn interface {
	selectRow(key int) (name string, number, updates int, err error)
	update(key int, hold time.Duration) error
	slow(wait time.Duration, rows int) (sum int, err error)
	close() error
}

// A DB is a pool of connections to one database. Its methods may be called by
// any number of goroutines at once; each waits for a connection first, in the
// order in which they came.
type DB struct {
	open   func() (conn, error)
	tokens chan struct{} // one for each connection that may be in use

	mu   sync.Mutex
	idle []conn // the last one used last, so that no more are opened than are needed
}

// Open returns a pool of up to size connections to a database: the URL of one
// of PostgreSQL's, postgres://…, or the path of a file of SQLite's. Nothing is
// opened yet.
func Open(dsn string, size int) (*DB, error) {
	if size < 1 {
		return nil, errors.New("a pool needs at least one connection")
	}
	db := &DB{tokens: make(chan struct{}, size)}
	for range size {
		db.tokens <- struct{}{}
	}
	if IsPostgres(dsn) {
		db.open = func() (conn, error) { return openPostgres(dsn) }
	} else {
		db.open = func() (conn, error) { return openSQLite(dsn, busyTimeout) }
	}
	return db, nil
}

// IsPostgres tells a URL of PostgreSQL's from the path of a file.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Select reads a row.
func (db *DB) Select(key int) (name string, number, updates int, err error) {
	err = db.with(func(c conn) (err error) {
		name, number, updates, err = c.selectRow(key)
		return err
	})
	return name, number, updates, err
}

// Update counts an update of a row, in a transaction that stays open for hold.
func (db *DB) Update(key int, hold time.Duration) error {
	return db.with(func(c conn) error { return c.update(key, hold) })
}

// Slow is a query that waits, with its connection in hand, and then sums the
// numbers of the first rows.
func (db *DB) Slow(wait time.Duration, rows int) (sum int, err error) {
	err = db.with(func(c conn) (err error) {
		sum, err = c.slow(wait, rows)
		return err
	})
	return sum, err
}

// Close closes the connections that nobody uses.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	var errs []error
	for _, c := range db.idle {
		errs = append(errs, c.close())
	}
	db.idle = nil
	return errors.Join(errs...)
}

// with lends a connection to f. One on which something went wrong is not used
// again: nobody knows what state it is in.
func (db *DB) with(f func(conn) error) error {
	<-db.tokens
	defer func() { db.tokens <- struct{}{} }()
	c, err := db.take()
	if err != nil {
		return err
	}
	if err := f(c); err != nil {
		return errors.Join(err, c.close())
	}
	db.mu.Lock()
	db.idle = append(db.idle, c)
	db.mu.Unlock()
	return nil
}

func (db *DB) take() (c conn, err error) {
	db.mu.Lock()
	if last := len(db.idle) - 1; last >= 0 {
		c, db.idle = db.idle[last], db.idle[:last]
	}
	db.mu.Unlock()
	if c != nil {
		return c, nil
	}
	return db.open()
}

// A BusyError says that the database has turned the call away because of
// others: a lock that could not be had in time, or too many connections.
type BusyError struct{ Err error }

func (e *BusyError) Error() string { return "the database is busy: " + e.Err.Error() }

// Unwrap returns what the driver said.
func (e *BusyError) Unwrap() error { return e.Err }

// Busy marks the error for those who don't import this package.
func (e *BusyError) Busy() bool { return true }
