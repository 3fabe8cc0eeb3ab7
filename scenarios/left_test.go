package scenarios

import (
	"testing"
	"time"
)

// The time left counts what starting and stopping takes, of real programs as
// long as it took when they were verified.
func TestTimeLeft(t *testing.T) {
	sc, err := Find("hello")
	if err != nil {
		t.Fatal(err)
	}
	models, err := Contestants([]string{"prefork", "gunicorn", "nginx+prefork"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan([]*Scenario{sc}, models, 2)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{plan: p, jobs: p.order(), took: map[string]time.Duration{}}
	const ms = time.Millisecond
	if got, want := r.ahead(models), p.Measuring()+3*60*ms+2*3*time.Second; got != want {
		t.Errorf("%s before anything was started, want %s", got, want)
	}
	r.took["gunicorn"] = 1500 * ms
	if got, want := r.ahead(models[2:]), p.Measuring()+2*60*ms+2*1500*ms+3*time.Second; got != want {
		t.Errorf("%s when gunicorn was verified, want %s", got, want)
	}
	left := r.ahead(nil)
	for _, j := range r.jobs {
		left -= r.planned(j.cell)
	}
	if left != 0 {
		t.Errorf("%s are left after the last trial", left)
	}
}
