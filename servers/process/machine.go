package process

import "time"

// Machine is a reading of counters that belong to the whole machine. The
// difference of two readings is what happened between them.
type Machine struct {
	// CPU time of all CPUs together: all of it, the part that was not idle,
	// and the part that the hypervisor gave to somebody else.
	Total, Busy, Steal time.Duration
	// Connections dropped because a listener's accept queue was full, and
	// because of that or any other reason (TcpExt of /proc/net/netstat).
	ListenOverflows, ListenDrops uint64
	// TimeWait is how many sockets are in TIME_WAIT now: each holds a port.
	TimeWait int
}
