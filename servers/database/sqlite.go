package database

import (
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A sqliteConn is a connection to a file. SQLite runs in this process: a select
// is computing and not waiting, and what there is to wait for is the one lock
// for writing, for which SQLite asks again and again, with growing pauses.
type sqliteConn struct{ c *sqlite.Conn }

func openSQLite(path string, patience time.Duration) (conn, error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	// SQLite's own way of waiting for a lock, which it is known for. (The
	// package's would do the same without an end.)
	c.SetBusyTimeout(patience)
	err = c.CreateFunction("lab_wait", &sqlite.FunctionImpl{
		NArgs: 1,
		Scalar: func(_ sqlite.Context, args []sqlite.Value) (sqlite.Value, error) {
			time.Sleep(time.Duration(args[0].Int64()))
			return args[0], nil
		},
	})
	if err == nil {
		// With a write-ahead log a commit then waits for no disk (SQLite,
		// PRAGMA synchronous): what is measured is the lock.
		err = sqlitex.ExecuteTransient(c, "PRAGMA synchronous = NORMAL", nil)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", busy(err)), c.Close())
	}
	return &sqliteConn{c}, nil
}

func (s *sqliteConn) selectRow(key int) (name string, number, updates int, err error) {
	err = s.run("SELECT name, number, updates FROM item WHERE id = ?", []any{key}, func(row *sqlite.Stmt) {
		name, number, updates = row.ColumnText(0), row.ColumnInt(1), row.ColumnInt(2)
	})
	return name, number, updates, err
}

const sqliteUpdate = "UPDATE item SET updates = updates + 1 WHERE id = ?"

func (s *sqliteConn) update(key int, hold time.Duration) error {
	if hold <= 0 {
		return s.run(sqliteUpdate, []any{key}, nil)
	}
	// IMMEDIATE, since a transaction that begins with reading can't wait for the
	// lock when it comes to writing (SQLITE_BUSY_SNAPSHOT).
	if err := s.run("BEGIN IMMEDIATE", nil, nil); err != nil {
		return err
	}
	err := s.run(sqliteUpdate, []any{key}, nil)
	if err == nil {
		time.Sleep(hold)
		err = s.run("COMMIT", nil, nil)
	}
	return err // the connection is closed on an error, and the transaction with it
}

func (s *sqliteConn) slow(wait time.Duration, rows int) (sum int, err error) {
	if wait > 0 {
		if err := s.run("SELECT lab_wait(?)", []any{int64(wait)}, nil); err != nil {
			return 0, err
		}
	}
	err = s.run("SELECT coalesce(sum(number), 0) FROM item WHERE id <= ?", []any{rows}, func(row *sqlite.Stmt) {
		sum = row.ColumnInt(0)
	})
	return sum, err
}

// run runs a statement, which the connection keeps prepared.
func (s *sqliteConn) run(query string, args []any, row func(*sqlite.Stmt)) error {
	found := row == nil
	err := sqlitex.Execute(s.c, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(r *sqlite.Stmt) error {
		if row != nil {
			found = true
			row(r)
		}
		return nil
	}})
	switch {
	case err != nil:
		return busy(err)
	case !found:
		return fmt.Errorf("no row has the key %v", args)
	}
	return nil
}

func (s *sqliteConn) close() error { return s.c.Close() }

func busy(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return &BusyError{err}
	}
	return err
}
