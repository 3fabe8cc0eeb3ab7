//go:build !linux

package process

import "errors"

// ReadMachine reads the machine's counters, on Linux.
func ReadMachine() (Machine, error) {
	return Machine{}, errors.New("only Linux tells steal time, listen drops and sockets in TIME_WAIT")
}

// ListenQueue is how many connections wait to be accepted on a port, on Linux.
func ListenQueue(int) (waiting int, ok bool) { return 0, false }
