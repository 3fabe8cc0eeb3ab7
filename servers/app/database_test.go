package app

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A fake is a database that does as it is told.
type fake struct {
	err   error
	waits time.Duration
}

func (f *fake) Select(key int) (name string, number, updates int, err error) {
	time.Sleep(f.waits)
	return ItemName(key), ItemNumber(key), 3, f.err
}

func (f *fake) Update(_ int, hold time.Duration) error { time.Sleep(hold); return f.err }

func (f *fake) Slow(wait time.Duration, rows int) (int, error) {
	time.Sleep(wait)
	return 10 * rows, f.err
}

type crowdedError struct{ error }

func (crowdedError) Busy() bool { return true }

func TestDatabaseAnswers(t *testing.T) {
	const none = "501 not implemented: there is no database; lab brings one with --db sqlite\n"
	there, busy, broken := &fake{}, &fake{err: crowdedError{errors.New("too many")}}, &fake{err: errors.New("no\nsuch table")}
	for _, tc := range []struct {
		db     Database
		target string
		status int
		want   string
	}{
		{there, "/db", 200, "key 1\nname 0005deece678\nnumber 427799\nupdates 3\n"},
		{there, "/db?op=select&key=1000000", 200, "key 1000000\nname 94d24f04b54b\nnumber 716609\nupdates 3\n"},
		{there, "/db?op=update&key=7", 200, "updated 7\n"},
		{there, "/db?op=update&hold=1", 200, "updated 1\n"},
		{there, "/db?op=slow&ms=1&rows=5", 200, "waited 1 ms\nread 5 rows\nsum 50\n"},
		{there, "/db?op=", 400, "400 bad request: op=: expected select, update or slow\n"},
		{there, "/db?op=drop%20table", 400, "400 bad request: op=drop%2520table: expected select, update or slow\n"},
		{there, "/db?key=0", 400, "400 bad request: key=0: expected a whole number from 1 to 1000000\n"},
		{there, "/db?op=slow&rows=1000001", 400, "400 bad request: rows=1000001: expected a whole number from 0 to 1000000\n"},
		{there, "/db?op=update&hold=60001", 400, "400 bad request: hold=60001: expected a whole number from 0 to 60000\n"},
		{busy, "/db", 503, "503 service unavailable: the database is busy\n"},
		{broken, "/db?op=update", 500, "500 internal server error: the database: no%0Asuch table\n"},
		{nil, "/db", 501, none},
		{nil, "/db?op=drop", 400, "400 bad request: op=drop: expected select, update or slow\n"},
	} {
		a := New()
		if tc.db != nil {
			a = NewWith(tc.db)
		}
		got := &answer{}
		if err := a.Serve(got, request("GET", tc.target, "")); err != nil {
			t.Fatal(err)
		}
		if got.status != tc.status || got.body.String() != tc.want {
			t.Errorf("%s: %d %q, want %d %q", tc.target, got.status, got.body.String(), tc.status, tc.want)
		}
	}
}

// A program without drivers says what it is.
func TestDatabaseWithoutDrivers(t *testing.T) {
	t.Setenv(databaseVariable, "items.sqlite")
	got := &answer{}
	if err := New().Serve(got, request("GET", "/db", "")); err != nil || got.status != 501 || !strings.Contains(got.body.String(), "-tags database") {
		t.Errorf("%d %q, %v", got.status, got.body.String(), err)
	}
}

func TestDatabaseDemand(t *testing.T) {
	for target, want := range map[string]Demand{
		"/db":                         {},
		"/db?op=select&key=5":         {},
		"/db?op=slow":                 {Wait: 20, Query: 20, Sleeps: 1},
		"/db?op=slow&ms=5&hold=3":     {Wait: 5, Query: 5, Sleeps: 1},
		"/db?op=update&ms=5":          {},
		"/db?op=update&hold=3&key=99": {Wait: 3, Query: 3, Write: 3, Sleeps: 1},
	} {
		if got := DemandOf(target); got != want {
			t.Errorf("%s: %+v, want %+v", target, got, want)
		}
	}
}
