package scenarios

import (
	"context"
	"slices"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

// A watcher samples the server, the generator and the machine while traffic
// flows, reads them exactly at both ends of the window, and ends the trial if
// the server dies.
type watcher struct {
	runner    *runner
	job       job
	inst      *servers.Instance
	gauge     *load.Gauge
	collector *collector
	began     time.Time
	cancel    context.CancelFunc
	died      chan error // buffered

	start, end *reading // at the ends of the window
	last       reading
	cost       ServerCost
	// servicesErr is why the backing services could not be read.
	servicesErr error
	busySum     float64
	busyN       int
}

// sampling is how often the picture is taken. Ten times a second costs the
// generator about one per cent of a core.
const sampling = 100 * time.Millisecond

// fullEvery is how many samples go to one that also reads what is dear.
const fullEvery = 5

// A reading is the state of all counters at one moment.
type reading struct {
	at        time.Time
	full      bool
	usage     process.Usage
	status    process.Status
	generator time.Duration
	traffic   load.Reading

	machine      process.Machine
	machineKnown bool
	services     []servers.ServiceReading // at the window's ends only
}

// read takes a reading; a full one has proportional memory, open files and
// context switches too, and costs some tenths of a millisecond a process.
// What the window's figures are computed from is read first, close together.
func (w *watcher) read(full bool) reading {
	r := reading{
		at: time.Now(), full: full,
		status: w.inst.Status(), generator: process.SelfCPU(), traffic: w.gauge.Read(),
	}
	var err error
	r.machine, err = process.ReadMachine()
	r.machineKnown = err == nil
	if w.target() != nil {
		return r
	}
	if r.usage, err = w.inst.Sample(); err != nil {
		r.usage = w.last.usage // the tree is going away; Done tells
	}
	dear := w.last.usage
	if full {
		if dear, err = w.inst.Usage(); err != nil {
			dear = w.last.usage
		}
	}
	if full || !w.perProcess() {
		r.usage.Memory, r.usage.MemoryKind, r.usage.Files = dear.Memory, dear.MemoryKind, dear.Files
		r.usage.Voluntary, r.usage.Involuntary = dear.Voluntary, dear.Involuntary
	}
	return r
}

func (w *watcher) watch(stop <-chan struct{}) {
	s := w.job.cell.Scenario
	from, to := w.began.Add(s.Warmup), w.began.Add(s.Warmup+s.For())
	w.last = w.read(true)
	w.runner.phase(w.job.Ref, Warming)
	next, ticks := w.began, 0
	for {
		next = next.Add(sampling)
		due, at, phase := &w.start, from, Measuring
		if w.start != nil {
			due, at, phase = &w.end, to, Draining
		}
		edge := *due == nil && !at.After(next)
		if edge {
			next = at
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-stop:
			timer.Stop()
			return
		case <-w.inst.Done():
			timer.Stop()
			w.died <- w.inst.Err()
			w.cancel()
			<-stop
			return
		case <-timer.C:
		}
		ticks++
		r := w.read(w.full(edge, ticks))
		if edge {
			r.services = w.readServices()
			*due = &r
			w.runner.phase(w.job.Ref, phase)
		}
		w.sample(r)
	}
}

// target is the server that is watched, if it isn't the lab's own.
func (w *watcher) target() *servers.Target { return w.job.cell.Contestant.Target }

func (w *watcher) perProcess() bool { return w.job.cell.Contestant.Model.PerRequest == "process" }

// full says whether a reading may be dear. With a process for each request
// there are so many to look at that it would delay requests, so then it is
// taken at the end of the window alone.
func (w *watcher) full(edge bool, ticks int) bool {
	if w.perProcess() {
		return edge && w.start != nil
	}
	return edge || ticks%fullEvery == 0
}

// sample books a reading and shows it.
func (w *watcher) sample(r reading) {
	elapsed := r.at.Sub(w.last.at)
	if elapsed < time.Millisecond {
		return // an edge of the window just before or after a tick
	}
	queued := r.status.Queued
	if n, ok := process.ListenQueue(port(w.inst)); ok {
		queued += n
	} else if r.status.Workers == 0 {
		queued = -1
	}
	seen := Interval{
		InFlight: r.traffic.InFlight, Busy: r.status.Busy(), Queued: queued,
		CPU:    (r.usage.CPU - w.last.usage.CPU).Seconds() / elapsed.Seconds(),
		Memory: r.usage.Memory,
	}
	if w.target() != nil {
		seen.Queued, seen.CPU, seen.Memory = -1, -1, -1
	}
	observed := w.inst.Observed()
	if !observed {
		seen.Busy = -1
	}
	phase := Warming
	if w.start != nil && w.end == nil {
		phase = Measuring
		if observed {
			w.busySum += float64(r.status.Busy())
			w.busyN++
		}
		w.peaks(r)
	} else if w.end != nil {
		phase = Draining
	}
	shown := w.collector.latest(r.at.Sub(w.began), seen)
	w.runner.emit(Sample{
		Ref: w.job.Ref, Phase: phase, Interval: shown, Left: w.runner.left + w.left(r.at),
		Status: r.status, Usage: r.usage,
		GeneratorCPU: (r.generator - w.last.generator).Seconds() / elapsed.Seconds(),
	})
	w.last = r
}

func (w *watcher) left(at time.Time) time.Duration {
	return max(0, w.runner.planned(w.job.cell)-at.Sub(w.began))
}

func (w *watcher) peaks(r reading) {
	c := &w.cost
	if r.full {
		c.PeakMemory = max(c.PeakMemory, r.usage.Memory)
		c.MemoryKind = r.usage.MemoryKind
		c.Files = max(c.Files, r.usage.Files)
	}
	c.Processes = max(c.Processes, r.usage.Processes)
	c.Threads = max(c.Threads, r.usage.Threads)
}

// finish writes what was observed into the trial.
func (w *watcher) finish(t *Trial) {
	if w.start == nil {
		t.Server.Unknown = w.target() != nil
		return // cut off before the window began
	}
	if w.end == nil {
		r := w.read(true)
		r.services = w.readServices()
		w.end = &r
	}
	a, b := w.start, w.end
	w.peaks(*a)
	w.peaks(*b)
	c := w.cost
	c.CPU, c.Front = b.usage.CPU-a.usage.CPU, b.usage.Front-a.usage.Front
	c.Partial = a.usage.Partial || b.usage.Partial
	c.Voluntary = b.usage.Voluntary - min(a.usage.Voluntary, b.usage.Voluntary)
	c.Involuntary = b.usage.Involuntary - min(a.usage.Involuntary, b.usage.Involuntary)
	c.Children = b.status.Children - a.status.Children
	c.ChildCPU = b.status.ChildCPU - a.status.ChildCPU
	c.Restarts = b.status.Restarts - a.status.Restarts
	c.Rejected = b.status.Rejected - a.status.Rejected
	c.MeanBusy = -1
	if w.busyN > 0 {
		c.MeanBusy = w.busySum / float64(w.busyN)
	}
	if w.target() != nil {
		c = ServerCost{Unknown: true, MeanBusy: -1}
		for i := range t.Series {
			t.Series[i].CPU, t.Series[i].Memory = -1, -1
		}
	}
	t.Server = c
	t.Generator.CPU = b.generator - a.generator
	t.Generator.Connections = b.traffic.Connections - a.traffic.Connections
	t.MeanInFlight = b.traffic.MeanInFlight(a.traffic)
	t.Machine = MachineState{
		Cores: len(process.Cores()), ServerCores: len(process.Cores()), Steal: -1, Others: -1, ListenDrops: -1,
	}
	if r := w.runner; r.generator != nil {
		t.Machine.Cores = len(r.generator) + len(r.server)
		t.Machine.ServerCores = len(r.server)
	}
	if a.machineKnown && b.machineKnown {
		t.Machine.Steal = stealShare(a.machine, b.machine)
		ours := t.Server.CPU + t.Generator.CPU
		for i := range b.services {
			ours += b.services[i].CPU - a.services[i].CPU
		}
		if all := b.machine.Total - a.machine.Total; all > 0 {
			t.Machine.Others = max(0, float64(b.machine.Busy-a.machine.Busy-ours)/float64(all))
		}
		t.Machine.ListenDrops = int64(b.machine.ListenOverflows - a.machine.ListenOverflows)
	}
	if slices.ContainsFunc(w.job.cell.Scenario.Backing, servers.Backing.Foreign) {
		t.Machine.Others = -1 // its own work can't be told from theirs, if it is here
	}
	if target := w.target(); target != nil && target.Local {
		t.Machine.Others = -1 // nor can the target's
	} else if target != nil {
		t.Machine.ListenDrops = -1
	}
}

// stealShare is the part of all CPU time between two readings that the
// hypervisor gave to somebody else; -1 if there was none to share.
func stealShare(a, b process.Machine) float64 {
	if b.Total <= a.Total {
		return -1
	}
	return float64(b.Steal-a.Steal) / float64(b.Total-a.Total)
}
