package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// What the row with the key k holds, in SQL; app.ItemName and app.ItemNumber
// say the same. The products stay below 2^63.
const (
	nameSeed   = "(k * 25214903917 + 11) & 281474976710655"
	numberSeed = "(k * 2654435761) % 1000003"
)

// Make makes a file of SQLite's with the table: in a few seconds, the same bytes
// each time, and with a name only once it is whole.
func Make(path string) error { return makeRows(path, Rows) }

func makeRows(path string, rows int) (err error) {
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	_ = os.Remove(tmp) // of a process that died
	defer func() {
		if err != nil {
			err = fmt.Errorf("make the database %s: %w", path, err)
			_ = os.Remove(tmp)
		}
	}()
	c, err := sqlite.OpenConn(tmp, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return err
	}
	err = sqlitex.ExecuteScript(c, fmt.Sprintf(`
		CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL, updates INTEGER NOT NULL);
		WITH RECURSIVE keys(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM keys WHERE k < %d)
		INSERT INTO item SELECT k, printf('%%012x', %s), %s, 0 FROM keys;`, rows, nameSeed, numberSeed),
		nil)
	if err == nil {
		// The last, since a log would double the work. It is a property of the
		// file.
		err = sqlitex.ExecuteTransient(c, "PRAGMA journal_mode = WAL", nil)
	}
	if err := errors.Join(err, c.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Load puts the table into a database of PostgreSQL's, in a schema of its own,
// gatewaylab, unless it is there. It touches nothing else, and no table of that
// name that isn't the lab's.
func Load(dsn string) (err error) {
	c, err := connect(dsn)
	if err != nil {
		return err
	}
	ctx := context.Background()
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	loaded, err := load(ctx, c)
	if err == nil && loaded {
		// Without it the first trials would run while the server does this by
		// itself, some time.
		_, err = c.Exec(ctx, "VACUUM (ANALYZE) gatewaylab.item")
	}
	if err != nil {
		return fmt.Errorf("load the table gatewaylab.item: %w", err)
	}
	return nil
}

func load(ctx context.Context, c *pgx.Conn) (loaded bool, err error) {
	tx, err := c.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(ctx) // it changed nothing that is committed
		}
	}()
	// One lab at a time; the number stands for this table.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7236837213)"); err != nil {
		return false, err
	}
	var exists bool
	var comment *string
	err = tx.QueryRow(ctx, "SELECT to_regclass('gatewaylab.item') IS NOT NULL, obj_description(to_regclass('gatewaylab.item'), 'pg_class')").Scan(&exists, &comment)
	switch {
	case err != nil:
		return false, err
	case exists && comment != nil && *comment == Version:
		return false, tx.Commit(ctx)
	case exists && (comment == nil || len(*comment) < len(ours) || (*comment)[:len(ours)] != ours):
		return false, errors.New("there is a table of that name that the lab didn't make; name another database with --dsn")
	}
	for _, statement := range []string{
		"CREATE SCHEMA IF NOT EXISTS gatewaylab",
		"DROP TABLE IF EXISTS gatewaylab.item",
		// Room for a row's next version on its page, as one gives a table that is
		// updated: the index then needs no new entry.
		"CREATE TABLE gatewaylab.item (id integer, name text NOT NULL, number integer NOT NULL, updates integer NOT NULL) WITH (fillfactor = 90)",
		fmt.Sprintf("INSERT INTO gatewaylab.item SELECT k, lpad(to_hex(%s), 12, '0'), %s, 0 FROM generate_series(1::bigint, %d) k", nameSeed, numberSeed, Rows),
		"ALTER TABLE gatewaylab.item ADD PRIMARY KEY (id)",
		"COMMENT ON TABLE gatewaylab.item IS '" + Version + "'",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return false, fmt.Errorf("%.40s…: %w", statement, err)
		}
	}
	return true, tx.Commit(ctx)
}

// ours is how every version of the table is described.
const ours = "gateway-lab items"

// Reset takes back all updates that were counted in PostgreSQL's table, so that
// who comes next finds it as everybody did.
func Reset(dsn string) (err error) {
	c, err := connect(dsn)
	if err != nil {
		return err
	}
	ctx := context.Background()
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	done, err := c.Exec(ctx, "UPDATE gatewaylab.item SET updates = 0 WHERE updates <> 0")
	if err == nil && done.RowsAffected() > 0 {
		_, err = c.Exec(ctx, "VACUUM gatewaylab.item")
	}
	if err != nil {
		return fmt.Errorf("reset the table gatewaylab.item: %w", err)
	}
	return nil
}
