package predict

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/theory"
	"gatewaylab/servers/app"
)

// rarely is how seldom a queue may be longer than what holds it, for a formula
// that knows of no bound to say what is seen.
const rarely = .001

// deviations is how many standard deviations above its mean next to nothing is:
// with exponential times one in a thousand.
const deviations = 6

// bounded says what stands in the way of a formula's figures for a stage, as
// formulas know nothing of it: clients and servers lose patience, queues and
// what holds connections are full, and stages end. "" if nothing does.
func (f *facts) bounded(i int, p Prediction) string {
	st := &f.sc.Stages[i]
	why := f.patience(st, p)
	if why == "" && st.Open() {
		why = f.crowded(st, p)
	}
	if why == "" && !st.Open() {
		why = f.outside(st)
	}
	if why == "" {
		why = f.short(i, p)
	}
	return why
}

// longest is what hardly any of several times exceeds.
func longest(m theory.Mix) float64 {
	return m.Mean + deviations*math.Sqrt(m.CV2())*m.Mean
}

// patience says who gives up before an answer is there.
func (f *facts) patience(st *load.Stage, p Prediction) string {
	held := longest(f.held)
	for i := range f.sc.Requests {
		r := &f.sc.Requests[i]
		_, b, calls := f.backing(r)
		patience := time.Duration(app.PatienceOf(r.Path)) * time.Millisecond
		takes := b.Delay.Mean().Seconds() * (1 + deviations*b.Delay.CV())
		if calls && patience > 0 && takes > patience.Seconds() {
			return fmt.Sprintf("the application waits for the backing service for %v, and some answers take longer", patience)
		}
	}
	if end := f.ends(); end > 0 && held > end.Seconds() {
		return fmt.Sprintf("%s ends a request that takes longer than %v", f.c.Model.Name, end)
	}
	if end := duration(f.c.FrontSettings, "read_timeout"); end > 0 && held > end.Seconds() {
		return fmt.Sprintf("%s waits for an answer for %v, and some take longer", f.c.Front.Name, end)
	}
	reach := held
	if mean, ok := p.Response["mean"]; ok {
		waits := max(0, mean-f.held.Mean)
		if st.Poisson || st.ThinkExponential {
			waits *= 1 + deviations
		}
		reach += waits
	}
	if reach > f.sc.Timeout.Seconds() {
		return fmt.Sprintf("an answer takes up to some %s, and clients give up after %v", said(reach), f.sc.Timeout)
	}
	return ""
}

// ends is after how long the model ends a request; 0 = never.
func (f *facts) ends() time.Duration {
	c := f.c
	switch {
	case c.Model.Async, c.Model.Name == "serial", c.Model.Name == "threads", c.Settings["mpx"] == "on", strings.HasPrefix(c.Settings["class"], "g") && c.Settings["class"] != "":
		return 0
	}
	return duration(c.Settings, "timeout")
}

// crowded says what is too small for the requests of an open stage that are
// under way at a time, or wait.
func (f *facts) crowded(st *load.Stage, p Prediction) string {
	bound := f.sc.MaxInFlight
	if bound == 0 {
		bound = load.DefaultInFlight()
	}
	for _, place := range []struct {
		holds int // requests, at the most; 0: as many as come
		why   string
	}{
		{bound, "clients have at most %d requests under way at a time, and more would be"},
		{f.room(), "%d requests are let in at a time, and the others are turned away"},
		{f.places(), "the model keeps %d connections at a time, and more would be in use"},
	} {
		if place.holds > 0 && f.exceeds(st, p, place.holds) {
			return fmt.Sprintf(place.why, place.holds)
		}
	}
	if n := f.backlog(); n > 0 && p.Utilisation < 1 && f.slots > 0 && f.exceeds(st, p, f.slots+n) {
		return fmt.Sprintf("the listen queue holds %d connections, and more would wait", n)
	}
	return ""
}

// exceeds says whether there are at times more requests than that.
func (f *facts) exceeds(st *load.Stage, p Prediction, most int) bool {
	mean, known := p.Response["mean"]
	switch {
	case p.Utilisation >= 1: // and more all the time
		growth := (st.From - p.Goodput) * (f.sc.Warmup + st.For).Seconds()
		return growth+theory.Little(p.Goodput, f.held.Mean) > float64(most)
	case !known:
		return false
	}
	n := theory.Little(st.From, mean)
	switch {
	case !st.Poisson:
		return math.Ceil(n)+1 > float64(most) // one comes as another goes
	case f.slots == 0 && p.Queue == 0: // as many as there are: Poisson, too
		return n+deviations*math.Sqrt(n)+1 > float64(most)
	}
	slots := max(1, f.slots*f.split)
	if f.slots == 0 {
		slots = max(1, f.threads)
	}
	return most < slots || math.Pow(p.Utilisation, float64(most-slots)/float64(f.split)) > rarely
}

// outside says what is too small for the users of a closed stage who wait for a
// slot.
func (f *facts) outside(st *load.Stage) string {
	waiting := st.UsersFrom - f.slots*f.split - setting(f.c.Settings, "queue", 0)
	if f.c.Model.Name == "threads" && f.slots > 0 && waiting > 0 {
		return "connections that were accepted are served first, again and again, and those that wait for that not at all"
	}
	if n := f.backlog(); n > 0 && waiting > n {
		return fmt.Sprintf("%d users wait for a %s, and the listen queue holds %d connections", waiting, f.c.Model.Noun, n)
	}
	return ""
}

// short says whether a stage is over before what is asked for in it is answered.
func (f *facts) short(i int, p Prediction) string {
	st := &f.sc.Stages[i]
	before := f.sc.Warmup
	for k := range i {
		before += f.sc.Stages[k].For
	}
	takes := f.held.Mean
	if mean, ok := p.Response["mean"]; ok && st.Open() {
		takes = mean
	}
	if missing := takes - before.Seconds(); missing > shows*st.For.Seconds() {
		return fmt.Sprintf("an answer takes %s, and those to what is asked for in the beginning are missing in a stage of %v", said(takes), st.For)
	}
	return ""
}
