package predict

import (
	"fmt"
	"math"

	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/theory"
)

// settled is how many times as long as a queue takes to settle a stage has to
// be for a formula for the long run to say what is seen in it.
const settled = 20

// knee is how near to each other, as the logarithm of their ratio, the two
// bounds of a closed loop are where the least irregularity keeps it below both.
const knee = .2

func formula(name, rests string, goodput, response float64) Prediction {
	p := Prediction{
		Method: Formula, Name: name, Rests: rests, Goodput: goodput,
		Response: map[string]float64{}, Utilisation: math.NaN(), Queue: math.NaN(),
	}
	if !math.IsNaN(response) {
		p.Response["mean"] = response
	}
	return p
}

// all has every quantile be the same.
func (p Prediction) all(response float64) Prediction {
	for _, q := range []string{"p50", "p90", "p99"} {
		p.Response[q] = response
	}
	return p
}

func (p Prediction) with(utilisation, queue float64) Prediction {
	p.Utilisation, p.Queue = utilisation, queue
	return p
}

// sending is the CPU time that the generator takes from the server's cores.
func (f *facts) sending() float64 {
	if f.m.Shared {
		return f.costs.Sending.Seconds()
	}
	return 0
}

// open is a stage with a constant rate of arrivals.
func (f *facts) open(st *load.Stage) Prediction {
	rate, s := st.From, f.held.Mean
	if f.pools() > 1 {
		return none(0, "arrivals at each process's connections to the database are neither random nor evenly spaced")
	}
	computes := f.cpu + f.sending()
	cores := theory.Utilisation(rate, computes, f.m.Cores)
	least := f.limit()
	switch {
	case f.lock > 0:
		return none(0, "requests wait for a worker and then for a lock that all share: two queues, one behind the other")
	case s == 0 && !f.costs.Known:
		return none(0, "nothing is known of what a request takes")
	case rate >= least.rate:
		return f.overload(st, least)
	case f.threads > 0 && (f.blocked.Mean > 0 || !f.pooled() && f.meets(rate)):
		return f.loop(st)
	case f.pooled() && f.meets(rate):
		return none(0, "requests wait for the loop, and then for a thread of its pool")
	case cores > 0.7 || !f.brief() && (theory.MMC{Rate: rate, Service: computes, Servers: f.m.Cores}).Wait() > trifle*s:
		if f.slots == 0 {
			return none(0, "requests meet before the cores, which are shared among all that compute")
		}
		return none(0, "requests wait for a core and for a slot: two queues, one behind the other")
	case f.slots == 0:
		p := formula("M/G/∞", "every request is served at once", rate, s).with(cores, 0)
		switch {
		case !f.random:
			p = p.all(s)
		case f.memory:
			for q, share := range quantiles() {
				p.Response[q] = -s * math.Log1p(-share)
			}
		}
		return p
	}
	return f.queue(st)
}

// meets says whether requests at that rate wait for the thread of their loop,
// which does the server's own work itself though a pool does the application's.
func (f *facts) meets(rate float64) bool {
	if f.brief() {
		return rate > idle*f.threaded()
	}
	q := theory.MGC{Rate: rate / float64(f.split), Service: f.holds(), Servers: f.threads}
	own := theory.MD1(rate/float64(max(1, f.c.Instances())), f.own().Seconds())
	return q.Wait() > trifle*f.held.Mean || f.pooled() && own.Wait() > trifle*f.held.Mean
}

func quantiles() map[string]float64 { return map[string]float64{"p50": .5, "p90": .9, "p99": .99} }

// queue is an open stage before slots.
func (f *facts) queue(st *load.Stage) Prediction {
	rate, s := st.From/float64(f.split), f.held.Mean
	rho := rate * s / float64(f.slots)
	if !st.Poisson {
		switch {
		case f.random:
			return none(0, "arrivals are evenly spaced and requests differ (D/G/c)")
		case f.split > 1:
			return none(0, "%s", unevenly)
		}
		return formula(fmt.Sprintf("D/D/%d", f.slots), "evenly spaced arrivals that take equally long never meet", st.From, s).all(s).with(rho, 0)
	}
	if settles := theory.Settling(rate, f.held, f.slots); st.For.Seconds() < settled*settles {
		return none(0, "at %.0f %% a queue takes some %s to forget how it began; a stage of %v is too short for a formula of the long run",
			100*rho, said(settles), st.For)
	}
	if f.parts() && (theory.MGC{Rate: rate, Service: f.held, Servers: f.slots}).Wait() > trifle/2*s {
		return none(0, "%s", ownQueues)
	}
	const queued = "Poisson arrivals, one queue without bound, first come first served"
	switch {
	case f.memory:
		q := theory.MMC{Rate: rate, Service: s, Servers: f.slots}
		p := formula(fmt.Sprintf("M/M/%d (Erlang C)", f.slots), queued+", exponential service times", st.From, q.Response()).with(rho, q.Queue())
		for name, share := range quantiles() {
			p.Response[name] = q.Quantile(share)
		}
		return f.whole(p)
	case f.slots == 1:
		q := theory.MG1{Rate: rate, Service: f.held}
		name := "M/G/1 (Pollaczek–Khinchine)"
		if !f.random {
			name = "M/D/1 (Pollaczek–Khinchine)"
		}
		return f.whole(formula(name, queued, st.From, q.Response()).with(rho, q.Queue()))
	}
	q := theory.MGC{Rate: rate, Service: f.held, Servers: f.slots}
	if q.Wait() > f.held.Mean/4 && f.held.CV2() != 1 {
		return none(0, "for service times that are not exponential and %d servers that busy there is only an approximation (it says %s)", f.slots, said(q.Response()))
	}
	return f.whole(formula(fmt.Sprintf("M/G/%d (Lee & Longton)", f.slots), queued+"; an approximation", st.From, q.Response()).with(rho, q.Queue()))
}

// parts says whether a connection is one process's from the moment it is
// accepted, and with it its requests, though another's threads are free.
func (f *facts) parts() bool {
	return f.c.Model.Name == "threads" && f.c.Settings.Int("workers") > 1
}

const ownQueues = "a connection is one worker's, and its requests wait for that one's threads though others are free"

const unevenly = "evenly spaced arrivals that are split at random are neither evenly spaced at an instance nor random"

// whole makes of one of the queues that arrivals are split among all of them.
func (f *facts) whole(p Prediction) Prediction {
	if f.split > 1 {
		p.Name = fmt.Sprintf("%d × %s", f.split, p.Name)
		p.Rests = join(p.Rests, "arrivals split at random are Poisson at each instance")
		p.Queue *= float64(f.split)
	}
	return p
}

// overload is an open stage that asks for more than can be done.
func (f *facts) overload(st *load.Stage, least limit) Prediction {
	done, growth := least.rate, st.From-least.rate
	length := (f.sc.Warmup + st.For).Seconds()
	if (st.Poisson || f.random) && st.From < (1+knee/2)*done {
		return none(0, "as much comes as can just be done, and how long the queue gets is a matter of chance")
	}
	if last := growth / st.From * length * st.From / done; last > f.sc.Timeout.Seconds() {
		return none(0, "more comes than can be done, and clients give up before it is their turn")
	}
	if f.backlog() > 0 && growth*length > float64(f.backlog()) {
		return none(0, "more comes than can be done, and more than the listen queue holds")
	}
	much := "more comes than can be done"
	if growth <= 1e-9*done {
		much = "as much comes as can be done"
	}
	return formula(least.name, join(much, least.rests), done, math.NaN()).with(1, math.NaN())
}

// backlog is how many connections wait before the model; 0 if that is no bound.
func (f *facts) backlog() int {
	if _, ok := f.c.Settings["backlog"]; !ok || f.c.Front != nil || f.c.Slots() == 0 {
		return 0
	}
	return f.c.Settings.Int("backlog")
}

// loop is an open stage of requests that hold a thread which they share.
func (f *facts) loop(st *load.Stage) Prediction {
	mix, rate := f.holds(), st.From/float64(f.split)
	rho := rate * mix.Mean / float64(f.threads)
	switch {
	case !st.Poisson && f.split > 1:
		return none(0, "%s", unevenly)
	case !st.Poisson:
		return none(0, "arrivals at the loop are evenly spaced and hold it for times that differ")
	}
	if settles := theory.Settling(rate, mix, f.threads); st.For.Seconds() < settled*settles {
		return none(0, "the loop takes some %s to forget how it began; a stage of %v is too short for a formula of the long run", said(settles), st.For)
	}
	if f.threads > 1 {
		q := theory.MGC{Rate: rate, Service: mix, Servers: f.threads}
		return f.whole(formula(fmt.Sprintf("M/G/%d (Lee & Longton)", f.threads), "Poisson arrivals at the pool; an approximation", st.From, q.Wait()+f.held.Mean).with(rho, q.Queue()))
	}
	q := theory.MG1{Rate: rate, Service: mix}
	return f.whole(formula("M/G/1 (Pollaczek–Khinchine)", "Poisson arrivals at the loop's one thread, in the order in which they come", st.From, q.Wait()+f.held.Mean).
		with(rho, q.Queue()))
}

// closed is a stage with a number of users.
func (f *facts) closed(st *load.Stage) Prediction {
	n, think := st.UsersFrom, st.Think.Seconds()
	inside := n // requests that hold a slot, at most
	if f.slots > 0 {
		inside = min(n, f.slots)
	}
	computes, wait := f.cpu+f.sending(), f.wait
	if asked := float64(inside) / (wait + think); f.cpu < trifle*wait && theory.Utilisation(asked, computes, f.m.Cores) < idle && asked < idle*f.threaded() {
		computes, wait = 0, f.held.Mean
	}
	if why := f.between(n, think, computes); why != "" {
		return none(0, "%s", why)
	}
	if f.slots > 0 && think > 0 {
		p := f.sources(st)
		if r := p.Response["mean"]; r > f.sc.Timeout.Seconds() {
			return none(0, impatient, said(r), f.sc.Timeout)
		}
		return p
	}
	l, busy, why := f.throughput(st, inside, wait, computes)
	if why != "" {
		return none(0, "%s", why)
	}
	r := theory.ResponseTimeLaw(float64(n), l.rate, think)
	if r > f.sc.Timeout.Seconds() {
		return none(0, impatient, said(r), f.sc.Timeout)
	}
	if f.held.Mean == 0 {
		r = math.NaN() // as little as nothing, and how little isn't known
	}
	p := formula(l.name, l.rests, l.rate, r)
	switch {
	case inside < n:
		p = p.with(1, float64(n-inside))
	case busy:
		p = p.with(1, math.NaN())
	default:
		p = p.with(theory.Utilisation(l.rate, computes, f.m.Cores), 0)
	}
	if !f.random && computes == 0 && !st.ThinkExponential && f.lock == 0 && f.held.Mean > 0 && n%inside == 0 {
		p = p.all(r) // else some wait for one turn more than the others
	}
	return p
}

// throughput is what a stage's users get, of whom so many are inside at a time;
// busy says that what limits it always is. Why says why there is no formula.
func (f *facts) throughput(st *load.Stage, inside int, wait, computes float64) (l limit, busy bool, why string) {
	const threads = "what requests share there are fewer of than cores, and it is never idle"
	n, think, cores := st.UsersFrom, st.Think.Seconds(), f.m.Cores
	irregular := f.random || st.ThinkExponential
	l = limit{"N = X·R", "all users always wait for an answer", float64(inside) / (wait + think)}
	if think > 0 {
		l.rests = "users think and wait for an answer, and nothing holds that up"
	}
	switch {
	case f.lock > 0:
		if f.random {
			return l, false, "requests that differ wait for a lock that all share"
		}
		asked, done := theory.Bounds(inside, think, theory.Station{Servers: inside, Demand: wait - f.lock}, theory.Station{Servers: 1, Demand: f.lock})
		if st.ThinkExponential && (near(asked, done) || asked < done && asked > trifle*done) {
			return l, false, "users meet before the lock"
		}
		l = limit{"asymptotic bounds", "nobody is in another's way until the lock is held all the time", min(asked, done)}
	case f.threads > 0 && f.blocked.Mean > 0:
		asked, done := theory.Bounds(n, think, theory.Station{Servers: f.threads, Demand: f.holds().Mean})
		switch {
		case near(asked, done) || irregular && asked < done && asked > trifle*done:
			return l, false, meeting
		case asked < done:
			l = limit{"asymptotic bounds", "there is always a thread for who wants one", asked}
		default:
			l, busy = limit{"threads/S", "the threads that requests share are never idle", done}, true
		}
	case computes > 0 && f.wait+think == 0:
		l = limit{"cores/D", "the cores do nothing else, and are never idle", theory.Ceiling(cores, computes)}
		each := f.own().Seconds() + f.work
		if inside == n { // who sends computes as well, and nobody answers meanwhile
			each = computes
		}
		if own := theory.Ceiling(inside, each); own < l.rate {
			l, busy = limit{"c/D", threads, own}, true
		}
		if own := f.threaded(); own < l.rate {
			l, busy = limit{"threads/D", threads, own}, true
		}
	case computes > 0:
		l = limit{name: "M/M/c//N", rests: "users meet before the cores alone"}
		l.rate, _, _ = theory.FiniteSource{Users: inside, Think: wait + think, Service: computes, Servers: cores}.Solve()
		switch own := f.threaded(); {
		case near(l.rate, own):
			return l, false, meeting
		case own < l.rate:
			l, busy = limit{"threads/D", threads, own}, true
		}
	case inside < n:
		l.name, l.rests = "c/S", "somebody always waits, so no worker is ever idle"
		if f.pool.each > 0 {
			l.rests = "somebody always waits, so no connection is ever idle"
		}
	}
	return l, busy, ""
}

const meeting = "users meet before the threads that they share"

const impatient = "an answer would take %s, and clients give up after %v"

// near says whether two bounds are so near to each other that neither is
// reached.
func near(a, b float64) bool { return math.Abs(math.Log(a/b)) <= knee }

// between says why n users of a closed stage are in each other's way as no
// formula has it; "" if none are.
func (f *facts) between(n int, think, computes float64) string {
	switch {
	case f.held.Mean+think == 0 && computes == 0:
		return "nothing is known of what a request takes"
	case think == 0 && n <= f.few():
		return "cores are left idle by " + fewUsers
	case f.threads > 0 && (f.blocked.Mean > 0 || f.work > 0) && f.wait > f.blocked.Mean:
		return "requests wait, and then for a thread that they share"
	case f.room() > 0 && n > f.room():
		return fmt.Sprintf("%d users want an answer and %d are let in: the others are turned away at once, and come again", n, f.room())
	case f.places() > 0 && n > f.places():
		return fmt.Sprintf("%d users want a connection and the model keeps %d at a time", n, f.places())
	case f.pools() > 1 && (think > 0 || n < 2*f.slots):
		return "whether a process is sent more users than it has connections to the database is a matter of chance"
	case f.pool.each > 0 && computes > 0 && (f.wait > 0 || f.pool.each*f.pool.processes < f.m.Cores):
		return "requests wait for a core and for a connection to the database: two queues, one behind the other"
	case f.split > 1:
		return "which instance a user is sent to is drawn anew each time"
	}
	return ""
}

const fewUsers = "so few users, and of how long so short a request takes then the network and the scheduler decide"

// few is how many users that don't think leave cores idle: with requests that
// take next to no time, as many as there are cores.
func (f *facts) few() int {
	if f.wait > 0 || f.work > 0 || f.cpu >= unseen.Seconds() {
		return 0
	}
	return f.m.Cores
}

// places is how many connections clients can have at a time; 0 = as many as come.
func (f *facts) places() int {
	n := setting(f.c.Settings, "connections", 0)
	if f.c.Front != nil {
		return 0
	}
	if f.c.Model.Name == "threads" {
		n *= f.c.Settings.Int("workers")
	}
	return n
}

// sources is a closed stage of users who think, before slots.
func (f *facts) sources(st *load.Stage) Prediction {
	if f.lock > 0 {
		return none(0, "users wait for a %s and then for a lock that all share: two queues, one behind the other", f.c.Model.Noun)
	}
	asked, done := theory.Bounds(st.UsersFrom, st.Think.Seconds(), theory.Station{Servers: f.slots, Demand: f.held.Mean})
	if theory.Utilisation(min(asked, done), f.cpu+f.sending(), f.m.Cores) > idle {
		return none(0, "requests wait for a core and for a slot: two queues, one behind the other")
	}
	if regular := !f.random && !st.ThinkExponential; regular && !near(asked, done) {
		x := min(asked, done)
		r := theory.ResponseTimeLaw(float64(st.UsersFrom), x, st.Think.Seconds())
		p := formula("asymptotic bounds", "think and service times are always the same: either nobody waits or the queue is never empty", x, r)
		if asked < done || f.slots == 1 {
			p = p.all(r)
		}
		return p.with(theory.Utilisation(x, f.held.Mean, f.slots), theory.Little(x, r-f.held.Mean))
	}
	if f.held.Mean == 0 {
		return formula("N = X·R", "users think, and an answer takes next to no time", asked, math.NaN()).with(math.NaN(), 0)
	}
	q := theory.FiniteSource{Users: st.UsersFrom, Think: st.Think.Seconds(), Service: f.held.Mean, Servers: f.slots}
	x, r, waits := q.Solve()
	if f.parts() && waits > .05 {
		return none(0, "%s", ownQueues)
	}
	if !(f.memory && st.ThinkExponential) && waits > .05 {
		return none(0, "think and service times are not both exponential, and users meet before the workers")
	}
	return formula(fmt.Sprintf("M/M/%d//N", f.slots), "exponential think and service times", x, r).with(theory.Utilisation(x, f.held.Mean, f.slots), waits)
}
