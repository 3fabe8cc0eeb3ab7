package process

import "time"

// Usage is what a tree of processes has used since it started (CPU, switches)
// and holds now (the rest).
type Usage struct {
	// CPU time, user and system, of the live processes and of all children
	// they have reaped: a CGI child that lives 2 ms is missed by any poll of
	// live processes, and not missed here.
	CPU time.Duration `json:"cpu"`
	// Front is how much of it is that of a part which others stand behind; 0 if
	// there is but one.
	Front time.Duration `json:"front,omitempty"`
	// Partial is set if CPU lacks what some of the ended processes had used: their
	// parent ignores SIGCHLD, so that the system forgets it, and refuses the
	// counter that wouldn't.
	Partial bool `json:"partial,omitempty"`
	// Memory in bytes. Proportional set size where the system has it, since
	// pre-forked workers share pages; else resident set size, which counts
	// shared pages once for each process.
	Memory     int64  `json:"memory"`
	MemoryKind string `json:"memory_kind"` // "pss" or "rss"
	Processes  int    `json:"processes"`
	Threads    int    `json:"threads"`
	Files      int    `json:"files"` // open file descriptors
	// Context switches of the live processes' live threads, and of commands
	// that died and were started again.
	Voluntary   uint64 `json:"voluntary"`
	Involuntary uint64 `json:"involuntary"`
}
