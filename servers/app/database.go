package app

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"time"
)

// The environment variables in which the application finds its database, a
// path or a URL, and how many connections to it a process may have.
const (
	databaseVariable     = "GATEWAYLAB_DB"
	databasePoolVariable = "GATEWAYLAB_DB_POOL"
)

// DatabasePool is the size of the pool where nothing is said.
const DatabasePool = 8

// A Database is what /db asks. Its methods wait for one of a pool's connections
// first, and block the goroutine that calls them; any number may.
type Database interface {
	// Select reads the row of a key from 1 to Items.
	Select(key int) (name string, number, updates int, err error)
	// Update counts an update of a row, in a transaction that stays open for hold.
	Update(key int, hold time.Duration) error
	// Slow is a query that waits, with its connection in hand, and sums the
	// numbers of so many rows, from the first.
	Slow(wait time.Duration, rows int) (sum int, err error)
}

// Items is how many rows the database's table has.
const Items = 1_000_000

// ItemName is what the row with that key is called, for who has no database at
// hand.
func ItemName(key int) string {
	v := (key*25214903917 + 11) & (1<<48 - 1)
	return hexadecimal([]byte{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// ItemNumber is the number in the row with that key.
func ItemNumber(key int) int { return key * 2654435761 % 1000003 }

// A store is the database, which is opened when it is asked first: a process that never is has no
// part in it.
type store struct {
	mu     sync.Mutex
	opened Database
}

var (
	errNoDatabase = errors.New("there is no database; lab brings one with --db sqlite")
	errNoDriver   = errors.New("this program was built without a driver; build it with -tags database")
)

func (s *store) get() (Database, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil {
		return s.opened, nil
	}
	dsn := os.Getenv(databaseVariable)
	if dsn == "" {
		return nil, errNoDatabase
	}
	size, err := strconv.Atoi(os.Getenv(databasePoolVariable))
	if err != nil || size < 1 {
		size = DatabasePool
	}
	s.opened, err = openDatabase(dsn, size)
	return s.opened, err
}

// NewWith returns an application whose database is the one given.
func NewWith(db Database) *App {
	a := New()
	a.store.opened = db
	return a
}

// The operations of /db. The first is what an absent op means.
const databaseOps = "select, update or slow"

func (a *App) db(w Response, r *Request, v []int) error {
	op, found := lookup(r.Query, "op")
	switch {
	case !found:
		op = "select"
	case !knownOperation(op):
		return text(w, 400, "400 bad request: op="+escape(op[:min(len(op), 40)], true)+": expected "+databaseOps+"\n")
	}
	db, err := a.store.get()
	if err == errNoDatabase || err == errNoDriver {
		return text(w, 501, "501 not implemented: "+err.Error()+"\n")
	}
	var answer string
	if err == nil {
		if answer, err = a.inquire(r, func() (string, error) { return a.query(db, op, v) }); err == ErrGone {
			return err
		}
	}
	var busy interface{ Busy() bool }
	switch {
	case err == nil:
		return text(w, 200, answer)
	case errors.As(err, &busy) && busy.Busy():
		return text(w, 503, "503 service unavailable: the database is busy\n")
	}
	return text(w, 500, "500 internal server error: the database: "+escape(err.Error(), true)+"\n")
}

func knownOperation(op string) bool { return op == "select" || op == "update" || op == "slow" }

// inquire has a query made. It is made once, and goes on if the client leaves.
// Where requests share a thread it is another goroutine that waits for the
// database, as an asynchronous driver does without one, or with a thread of its
// own for each connection.
func (a *App) inquire(r *Request, query func() (string, error)) (string, error) {
	if r.Loop == nil {
		return query()
	}
	type outcome struct {
		answer string
		err    error
	}
	came := make(chan outcome, 1)
	err := await(r, func(done func()) {
		go func() {
			answer, err := query()
			came <- outcome{answer, err}
			done()
		}()
	})
	if err != nil {
		return "", err
	}
	o := <-came
	return o.answer, o.err
}

func (a *App) query(db Database, op string, v []int) (string, error) {
	key, ms, rows, hold := v[0], v[1], v[2], v[3]
	switch op {
	case "update":
		err := db.Update(key, time.Duration(hold*a.slow)*time.Millisecond)
		return "updated " + strconv.Itoa(key) + "\n", err
	case "slow":
		sum, err := db.Slow(time.Duration(ms*a.slow)*time.Millisecond, rows)
		return waited(ms) + "read " + strconv.Itoa(rows) + " rows\nsum " + strconv.Itoa(sum) + "\n", err
	}
	name, number, updates, err := db.Select(key)
	return "key " + strconv.Itoa(key) + "\nname " + name + "\nnumber " + strconv.Itoa(number) +
		"\nupdates " + strconv.Itoa(updates) + "\n", err
}

// demandOfQuery is what a request for /db asks, as far as the request says it.
func demandOfQuery(query string, v []int) Demand {
	switch op, _ := lookup(query, "op"); op {
	case "slow":
		return Demand{Wait: v[1], Query: v[1], Sleeps: some(v[1])}
	case "update":
		return Demand{Wait: v[3], Query: v[3], Write: v[3], Sleeps: some(v[3])}
	}
	return Demand{}
}
