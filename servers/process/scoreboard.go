package process

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Scoreboard is the piece of memory that a server shares with the lab, as
// Apache's scoreboard is shared between its children and mod_status: one slot
// for each unit that can hold a request (a worker process, a CGI child, a
// connection), written by whoever serves with plain atomic stores and read by
// whoever watches. Reading it costs the server nothing, and a server that
// hangs or dies leaves its last state behind to be looked at.
//
// All methods are safe for concurrent use, from several processes too.
type Scoreboard struct {
	head *boardHead
	slot []Slot

	mapped sync.RWMutex // held by Read and Clear, so that Close can't take the memory from under it
	mem    []byte
	last   Status // what the board showed when it was closed
}

const (
	boardMagic = 0x6c616273636f7231 // "labscor1"
	// BoardSlots is how many slots a scoreboard has. Requests that find none
	// free are served all the same and counted in Status.Unslotted.
	BoardSlots = 2048
)

type boardHead struct {
	magic     uint64
	workers   atomic.Int64 // slots the model means to have; 0 = as many as come
	queued    atomic.Int64
	unslotted atomic.Int64
	restarts  atomic.Uint64
	rejected  atomic.Uint64
	children  atomic.Uint64
	childCPU  atomic.Int64
	watcher   atomic.Int64 // process that only watches over the server
	meter     atomic.Int64 // the watcher's descriptor of a meter; -1 = it can have none, 0 = it needs none
	_         [56]byte
}

// A Slot is one unit that can hold one request at a time. It fills a cache
// line of its own, so that workers on different cores don't slow each other.
type Slot struct {
	pid      atomic.Int64 // 0 = free
	busy     atomic.Int64 // 1 = holds a request
	since    atomic.Int64 // machine clock at the last change of busy
	served   atomic.Uint64
	restarts atomic.Uint64
	beat     atomic.Int64 // machine clock at the last sign of life
	queued   atomic.Int64 // requests that wait for the slot's owner
	_        [8]byte
}

const boardSize = int(unsafe.Sizeof(boardHead{})) + BoardSlots*int(unsafe.Sizeof(Slot{}))

// NewScoreboard makes a scoreboard in memory that can be passed to a child
// process as the file it returns. The file has no name on disk.
func NewScoreboard() (*Scoreboard, *os.File, error) {
	f, err := anonymousFile("lab-scoreboard")
	if err != nil {
		return nil, nil, fmt.Errorf("scoreboard: %w", err)
	}
	if err := f.Truncate(int64(boardSize)); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("scoreboard: %w", err)
	}
	b, err := mapBoard(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	b.head.magic = boardMagic
	return b, f, nil
}

// OpenScoreboard maps the scoreboard in an inherited file.
func OpenScoreboard(f *os.File) (*Scoreboard, error) {
	strange := fmt.Errorf("%s is not a scoreboard of this version: start lab and labserver from the same build", f.Name())
	if st, err := f.Stat(); err != nil || st.Size() != int64(boardSize) {
		return nil, errors.Join(strange, err)
	}
	b, err := mapBoard(f)
	if err != nil {
		return nil, err
	}
	if b.head.magic != boardMagic {
		return nil, errors.Join(strange, b.Close())
	}
	return b, nil
}

func mapBoard(f *os.File) (*Scoreboard, error) {
	mem, err := mapShared(f, boardSize)
	if err != nil {
		return nil, fmt.Errorf("scoreboard: map %s: %w", f.Name(), err)
	}
	first := unsafe.Pointer(&mem[0])
	return &Scoreboard{
		mem:  mem,
		head: (*boardHead)(first),
		slot: unsafe.Slice((*Slot)(unsafe.Add(first, unsafe.Sizeof(boardHead{}))), BoardSlots),
	}, nil
}

// Close unmaps the scoreboard. Read goes on showing what was last on it; its
// slots must not be used afterwards.
func (b *Scoreboard) Close() error {
	b.mapped.Lock()
	defer b.mapped.Unlock()
	if b.mem == nil {
		return nil
	}
	b.last = b.read()
	mem := b.mem
	b.mem, b.head, b.slot = nil, nil, nil
	return unmap(mem)
}

// Slot returns slot i, for a model that assigns slots itself (a pre-fork
// arbiter gives worker i slot i, so that a respawned worker shows up where
// its predecessor was).
func (b *Scoreboard) Slot(i int) *Slot { return &b.slot[i] }

// Claim takes a free slot for pid, or returns nil when all are taken; a nil
// *Slot may be used like any other and counts nothing.
func (b *Scoreboard) Claim(pid int) *Slot {
	for i := range b.slot {
		s := &b.slot[i]
		if s.pid.Load() == 0 && s.pid.CompareAndSwap(0, int64(pid)) {
			s.busy.Store(0)
			s.since.Store(machineNow())
			return s
		}
	}
	return nil
}

// Clear frees all slots and empties the queue, for processes that are dead and
// can't do so. What they have served stays counted.
func (b *Scoreboard) Clear() {
	b.mapped.RLock()
	defer b.mapped.RUnlock()
	if b.mem == nil {
		return
	}
	for i := range b.slot {
		if s := &b.slot[i]; s.PID() != 0 {
			s.Release()
		}
	}
	b.head.queued.Store(0)
	b.head.unslotted.Store(0)
}

// SetWorkers states how many slots the model means to have.
func (b *Scoreboard) SetWorkers(n int) { b.head.workers.Store(int64(n)) }

// Queue adds n (which may be negative) to the requests that wait inside the
// server for a slot. The kernel's listen queue is not seen here.
func (b *Scoreboard) Queue(n int) { b.head.queued.Add(int64(n)) }

// Waiting is what Queue has counted.
func (b *Scoreboard) Waiting() int { return int(b.head.queued.Load()) }

// Queue adds n to the requests that wait within the slot's owner, and are lost
// with it: a process that has several slots, and a queue, counts it on one.
func (s *Slot) Queue(n int) { s.queued.Add(int64(n)) }

// Unslotted adds n to the requests that are being served without a slot.
func (b *Scoreboard) Unslotted(n int) { b.head.unslotted.Add(int64(n)) }

// Watch says that the process pid belongs to the lab and not to what is
// measured: it watches over a server that can't do so itself.
func (b *Scoreboard) Watch(pid int) { b.head.watcher.Store(int64(pid)) }

// watcher is the process given to Watch; 0 = there is none.
func (b *Scoreboard) watcher() int {
	b.mapped.RLock()
	defer b.mapped.RUnlock()
	if b.mem == nil {
		return 0
	}
	return int(b.head.watcher.Load())
}

// Metered says that the watcher has a meter for what it watches over, as a
// descriptor; -1 if it should have one and the system refuses.
func (b *Scoreboard) Metered(fd int) { b.head.meter.Store(int64(fd)) }

// meter is the watcher and its meter; 0 = there is none.
func (b *Scoreboard) meter() (watcher, fd int) {
	b.mapped.RLock()
	defer b.mapped.RUnlock()
	if b.mem == nil {
		return 0, 0
	}
	return int(b.head.watcher.Load()), int(b.head.meter.Load())
}

// Restarted counts a worker that was replaced because it died or was killed.
func (b *Scoreboard) Restarted() { b.head.restarts.Add(1) }

// Rejected counts a request turned away because a queue was full.
func (b *Scoreboard) Rejected() { b.head.rejected.Add(1) }

// Child counts one finished child process and the CPU time it used, from its
// own rusage.
func (b *Scoreboard) Child(cpu time.Duration) {
	b.head.children.Add(1)
	b.head.childCPU.Add(int64(cpu))
}

// Take gives the slot to pid, idle, with its sign of life set to now.
func (s *Slot) Take(pid int) {
	if s == nil {
		return
	}
	now := machineNow()
	s.busy.Store(0)
	s.queued.Store(0)
	s.since.Store(now)
	s.beat.Store(now)
	s.pid.Store(int64(pid))
}

// Release frees the slot. What it served stays counted.
func (s *Slot) Release() {
	if s == nil {
		return
	}
	s.busy.Store(0)
	s.queued.Store(0)
	s.since.Store(machineNow())
	s.pid.Store(0)
}

// Busy marks the start of a request, now.
func (s *Slot) Busy() Moment {
	now := machineNow()
	if s != nil {
		s.since.Store(now)
		s.busy.Store(1)
	}
	return Moment(now)
}

// Idle marks the end of a request, which is counted before the slot is seen to
// be free.
func (s *Slot) Idle() {
	if s == nil {
		return
	}
	s.since.Store(machineNow())
	s.served.Add(1)
	s.busy.Store(0)
}

// Drop marks the end of a connection that brought no request.
func (s *Slot) Drop() {
	if s == nil {
		return
	}
	s.since.Store(machineNow())
	s.busy.Store(0)
}

// Beat says that the slot's owner is alive, now.
func (s *Slot) Beat() Moment {
	now := machineNow()
	if s != nil {
		s.beat.Store(now)
	}
	return Moment(now)
}

// LastBeat is when the owner last said it was alive; the zero time if nobody
// ever did.
func (s *Slot) LastBeat() time.Time {
	beat := s.beat.Load()
	if beat == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(beat - machineNow()))
}

// Holds says whether the slot holds a request.
func (s *Slot) Holds() bool { return s.busy.Load() != 0 }

// PID is the process that holds the slot, 0 when it is free.
func (s *Slot) PID() int { return int(s.pid.Load()) }

// Restarted counts a replacement of the slot's owner.
func (s *Slot) Restarted() { s.restarts.Add(1) }

// A Moment is a time on the machine's clock, which slots are marked with: whoever
// marks one needn't read the clock a second time.
type Moment int64

// Now is this moment.
func Now() Moment { return Moment(machineNow()) }

// After is how long the moment is after another.
func (m Moment) After(other Moment) time.Duration { return time.Duration(m - other) }

// Status is what a scoreboard showed at one moment.
type Status struct {
	Workers   int           `json:"workers"`   // slots the model means to have; 0 = unbounded
	Slots     []SlotStatus  `json:"slots"`     // taken slots only, in slot order
	Queued    int           `json:"queued"`    // requests waiting inside the server
	Unslotted int           `json:"unslotted"` // requests served without a slot
	Served    uint64        `json:"served"`    // requests ended since the start
	Restarts  uint64        `json:"restarts"`  // workers replaced because they died or were killed
	Rejected  uint64        `json:"rejected"`  // requests turned away by a full queue
	Children  uint64        `json:"children"`  // child processes finished (CGI)
	ChildCPU  time.Duration `json:"child_cpu"` // CPU time of those children, from their rusage
}

// SlotStatus is one slot at one moment.
type SlotStatus struct {
	Index    int           `json:"index"`
	PID      int           `json:"pid"`
	Busy     bool          `json:"busy"`
	Since    time.Duration `json:"since"` // how long it has been busy or idle
	Served   uint64        `json:"served"`
	Restarts uint64        `json:"restarts"`
}

// Busy is how many requests are being served.
func (s Status) Busy() int {
	n := s.Unslotted
	for _, sl := range s.Slots {
		if sl.Busy {
			n++
		}
	}
	return n
}

// Read takes a picture of the scoreboard. Each field is consistent in itself;
// the picture as a whole is not taken at one instant.
func (b *Scoreboard) Read() Status {
	b.mapped.RLock()
	defer b.mapped.RUnlock()
	if b.mem == nil {
		return b.last
	}
	return b.read()
}

func (b *Scoreboard) read() Status {
	h := b.head
	st := Status{
		Workers:   int(h.workers.Load()),
		Queued:    int(h.queued.Load()),
		Unslotted: int(h.unslotted.Load()),
		Restarts:  h.restarts.Load(),
		Rejected:  h.rejected.Load(),
		Children:  h.children.Load(),
		ChildCPU:  time.Duration(h.childCPU.Load()),
	}
	now := machineNow()
	for i := range b.slot {
		s := &b.slot[i]
		busy := s.busy.Load() != 0 // before what is counted first
		served := s.served.Load()
		st.Served += served
		pid := s.pid.Load()
		if pid == 0 {
			continue
		}
		st.Queued += int(max(0, s.queued.Load()))
		st.Slots = append(st.Slots, SlotStatus{
			Index:    i,
			PID:      int(pid),
			Busy:     busy,
			Since:    time.Duration(max(0, now-s.since.Load())),
			Served:   served,
			Restarts: s.restarts.Load(),
		})
	}
	return st
}
