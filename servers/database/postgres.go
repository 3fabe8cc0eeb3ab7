package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A postgresConn is a connection to PostgreSQL, which has a process of its own
// for each.
type postgresConn struct{ c *pgx.Conn }

// connectTimeout bounds what a server that doesn't answer can cost.
const connectTimeout = 10 * time.Second

func openPostgres(dsn string) (conn, error) {
	c, err := connect(dsn)
	if err != nil {
		return nil, err
	}
	return &postgresConn{c}, nil
}

func connect(dsn string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", crowded(err))
	}
	return c, nil
}

func (p *postgresConn) selectRow(key int) (name string, number, updates int, err error) {
	err = p.c.QueryRow(context.Background(), "SELECT name, number, updates FROM gatewaylab.item WHERE id = $1", key).
		Scan(&name, &number, &updates)
	return name, number, updates, crowded(err)
}

const postgresUpdate = "UPDATE gatewaylab.item SET updates = updates + 1 WHERE id = $1"

func (p *postgresConn) update(key int, hold time.Duration) error {
	ctx := context.Background()
	if hold <= 0 {
		_, err := p.c.Exec(ctx, postgresUpdate, key)
		return crowded(err)
	}
	tx, err := p.c.Begin(ctx)
	if err != nil {
		return crowded(err)
	}
	if _, err := tx.Exec(ctx, postgresUpdate, key); err != nil {
		return crowded(err) // the connection is closed on an error, and the transaction with it
	}
	time.Sleep(hold)
	return crowded(tx.Commit(ctx))
}

func (p *postgresConn) slow(wait time.Duration, rows int) (sum int, err error) {
	ctx := context.Background()
	if wait > 0 {
		if _, err := p.c.Exec(ctx, "SELECT pg_sleep($1)", wait.Seconds()); err != nil {
			return 0, crowded(err)
		}
	}
	err = p.c.QueryRow(ctx, "SELECT coalesce(sum(number), 0)::bigint FROM gatewaylab.item WHERE id <= $1", rows).Scan(&sum)
	return sum, crowded(err)
}

func (p *postgresConn) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return p.c.Close(ctx)
}

// What PostgreSQL says when there are too many connections, or too few locks
// or too little of something else for one more (its documentation, appendix A,
// class 53).
const tooManyConnections = "53300"

func crowded(err error) error {
	var p *pgconn.PgError
	if errors.As(err, &p) && p.Code == tooManyConnections {
		return &BusyError{err}
	}
	return err
}
