//go:build unix

package app

import (
	"errors"
	"testing"
	"time"
)

// On an event loop others go on while one waits for the database, and who has
// left isn't waited for.
func TestDatabaseOnALoop(t *testing.T) {
	a := NewWith(&fake{waits: 30 * time.Millisecond})
	g := newRing(t)
	var order []string
	g.serve(a, "/db", false, func(got *answer, err error) {
		order = append(order, "slow")
		if err != nil || got.status != 200 {
			t.Errorf("%d, %v", got.status, err)
		}
	})
	g.serve(a, "/hello", false, func(*answer, error) { order = append(order, "quick") })
	g.run()
	if order[0] != "quick" {
		t.Errorf("%v", order)
	}
	left := g.serve(a, "/db?op=slow&ms=60000", false, func(_ *answer, err error) {
		if !errors.Is(err, ErrGone) {
			t.Errorf("%v, want ErrGone", err)
		}
	})
	g.run(left)
}
