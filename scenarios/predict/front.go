package predict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/simulation"
	"gatewaylab/servers/app"
)

// unbounded is the room of a queue that turns nobody away.
const unbounded = 1 << 20

// nginxPatience is how long nginx waits for a connection and for an answer,
// unless it is told otherwise.
const nginxPatience = time.Minute

// front is the front as the simulation has it, before instances that have a
// listener each.
func (f *facts) front() *simulation.Front {
	c := f.c
	front := &simulation.Front{
		Balance: c.FrontSettings["balance"], Slow: setting(c.FrontSettings, "slow", 1),
		PerInstance: setting(c.FrontSettings, "per_instance", 0), Queue: setting(c.FrontSettings, "queue", unbounded),
		Overhead: f.costs.Front, Reach: duration(c.FrontSettings, "connect_timeout"), Silence: duration(c.FrontSettings, "read_timeout"),
	}
	if !f.ownFront() {
		front.Silence = nginxPatience
		if f.socket() == "tcp" { // it takes a Unix socket's full queue for a failure
			front.Reach = nginxPatience
		}
		return front
	}
	switch most := f.taken(); {
	case most == 0:
	case front.PerInstance == 0 && c.Settings["mpx"] == "on":
		front.PerInstance, front.Queue = most, unbounded
	case front.PerInstance == 0:
		front.PerInstance = most
	case front.PerInstance > most: // the others wait a second time
		front.Queue += (front.PerInstance - most) * c.Instances()
		front.PerInstance = most
	}
	return front
}

func (f *facts) ownFront() bool { return f.c.Front != nil && f.c.Front.Name == "front" }

func (f *facts) shared() bool { return f.c.Front != nil && f.c.FrontSettings["balance"] == "shared" }

// socket is what the front reaches the model over.
func (f *facts) socket() string {
	if own, ok := f.c.Settings["socket"]; ok {
		return own
	}
	return f.c.FrontSettings["socket"]
}

// taken is how many requests at a time an instance says over FastCGI that it
// takes, which the lab's own front keeps to; 0 = it isn't asked.
func (f *facts) taken() int {
	s := f.c.Settings
	switch {
	case s["mpx"] == "on":
		return s.Int("workers") * s.Int("requests")
	case s["reuse"] != "on", f.c.FrontSettings["keepalive"] == "0" && f.c.FrontSettings["per_instance"] != "0":
		return 0
	}
	return s.Int("workers")
}

// door is how many requests wait at an instance before its usher turns one more
// away; 0 = there is none.
func (f *facts) door() int {
	switch f.c.Model.Name {
	case "fastcgi", "scgi", "uwsgi":
		if f.c.Settings["mpx"] != "on" {
			return f.c.Settings.Int("queue")
		}
	}
	return 0
}

// given is how many requests the front gives all instances at a time; 0 = as
// many as come.
func (f *facts) given() int {
	if f.c.Front == nil {
		return 0
	}
	return f.front().PerInstance * f.c.Instances()
}

// peak is the highest rate of arrivals and the most users that there are.
func (f *facts) peak() (rate float64, users int) {
	for i := range f.sc.Stages {
		r, n := f.sc.Stages[i].Peak()
		rate, users = max(rate, r), max(users, n)
	}
	return rate, users
}

// fronted says why no formula applies because of what the front does; "" if
// one may.
func (f *facts) fronted() string {
	if f.c.Front == nil {
		return ""
	}
	silence := f.front().Silence
	switch {
	case silence < f.sc.Timeout:
		return fmt.Sprintf("%s waits for an answer for %v, and clients for %v", f.c.Front.Name, silence, f.sc.Timeout)
	case f.threads > 0 && f.costs.Request > 0 && f.costs.Front == 0:
		return "of what a request costs in CPU time the front's part is not the threads' that requests share"
	case setting(f.c.FrontSettings, "per_instance", 0) > 0 && (f.threads > 0 || f.pool.each > 0):
		return "requests wait for a place at an instance, and then inside it: two queues, one behind the other"
	}
	return ""
}

// unsimulated says which of the front's and the model's limits would show and
// isn't simulated; "" if none.
func (f *facts) unsimulated() string {
	rate, users := f.peak()
	s := f.c.Settings
	requests := setting(s, "requests", 0)
	switch {
	case f.replaced(rate):
		return "when a worker of several requests has its successor after max_requests isn't simulated"
	case f.holdsBack():
		return "how much of a large answer is on its way from the model to a slow client, and so when the model has done with it, is not known"
	case f.c.Front == nil:
		return ""
	case f.shared() && f.c.Instances() > 1 && f.door() > 0:
		return "which instance's queue a request comes into is a matter of chance"
	case !f.ownFront() && f.c.Model.Name == "fastcgi" && (f.door() > 0 || s["mpx"] == "on" && max(float64(users), 2*rate*f.held.Mean) > float64(requests)):
		return "what nginx makes of FCGI_OVERLOADED isn't simulated"
	case s["mpx"] == "on" && s.Int("workers") > 1 && max(float64(users), 2*rate*f.held.Mean) > float64(requests):
		return "which worker a connection that requests share comes to is a matter of chance, and with it who is told FCGI_OVERLOADED"
	case f.c.FrontSettings["static"] == "on" && f.asksFor("/static/"):
		return "what the front answers by itself isn't simulated"
	}
	silence := f.front().Silence
	for i, d := range f.sc.Demands() {
		if inPieces(f.sc.Requests[i].Path) && d.Sleeps > 0 && time.Duration(d.Wait/d.Sleeps)*time.Millisecond >= silence {
			return "an answer is cut off whose pieces come at greater distances than the front's read_timeout, and that isn't simulated"
		}
	}
	return ""
}

// frontBuffers says whether the front does what the option is about.
func (f *facts) frontBuffers(option string) bool {
	return cmp.Or(f.c.FrontSettings[option], f.c.FrontSettings["buffering"]) != "off"
}

// takesOff says whether clients that read slowly hold no slot of the model, as far
// as that is known: see holdsBack.
func (f *facts) takesOff() bool {
	return f.c.Model.Async || f.c.Model.Name == "cgi" || f.c.Front != nil
}

// holdsBack says whether slow clients read answers so large that they hold up
// whoever gives them to a front, or to CGI's server, for nobody knows how long.
func (f *facts) holdsBack() bool {
	room := math.MaxInt
	switch {
	case f.c.Front != nil && !f.frontBuffers("response_buffering"):
		room = socketRoom
	case f.c.Model.Name == "cgi":
		room = socketRoom + pipeRoom
	}
	return slices.ContainsFunc(f.sc.Beside, func(c scenarios.Crowd) bool {
		path, err := load.Mean(c.Request.Path)
		return err == nil && c.Kind == load.SlowRead && answerHead+app.SizeOf(path) > room
	})
}

// inPieces says whether an answer comes in pieces, with a pause between two.
func inPieces(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return path == "/stream" || path == "/bytes"
}

func (f *facts) asksFor(folder string) bool {
	for i := range f.sc.Requests {
		if strings.HasPrefix(f.sc.Requests[i].Path, folder) {
			return true
		}
	}
	return false
}

// replaced says whether workers of several requests at a time serve as many in a
// trial as one may.
func (f *facts) replaced(rate float64) bool {
	most := setting(f.c.Settings, "max_requests", 0)
	if most == 0 || f.c.Model.Name != "threads" && f.c.Settings["mpx"] != "on" {
		return false
	}
	each := rate * (f.sc.Warmup + f.sc.For()).Seconds() / float64(max(1, f.c.Instances())*f.c.Settings.Int("workers"))
	return !f.sc.Open() || each >= float64(most)
}
