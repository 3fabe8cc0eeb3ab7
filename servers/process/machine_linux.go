package process

import (
	"bytes"
	"errors"
	"time"
)

// ReadMachine reads the machine's counters. What can't be read stays zero and
// is named in the error.
func ReadMachine() (Machine, error) {
	var m Machine
	return m, errors.Join(m.readCPU(), m.readListen(), m.readSockets())
}

// readCPU reads the first line of /proc/stat (proc_stat(5)): user, nice,
// system, idle, iowait, irq, softirq, steal; guest time is within user time.
func (m *Machine) readCPU() error {
	buf := make([]byte, 512)
	b, ok := readProc(buf, "/proc/stat")
	if !ok {
		return errors.New("CPU time: /proc/stat can't be read")
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	words := bytes.Fields(line)
	if len(words) < 9 {
		return errors.New("CPU time: /proc/stat has no steal column")
	}
	for i, w := range words[1:9] {
		d := time.Duration(number(w)) * clockTick
		m.Total += d
		switch i {
		case 3, 4: // idle, iowait
		case 7:
			m.Steal += d
		default:
			m.Busy += d
		}
	}
	return nil
}

func (m *Machine) readListen() error {
	buf := make([]byte, 16<<10)
	b, ok := readProc(buf, "/proc/net/netstat")
	if !ok {
		return errors.New("listen drops: /proc/net/netstat can't be read")
	}
	names, values := pairOfLines(b, "TcpExt:")
	for i, name := range names {
		if i >= len(values) {
			break
		}
		switch string(name) {
		case "ListenOverflows":
			m.ListenOverflows = number(values[i])
		case "ListenDrops":
			m.ListenDrops = number(values[i])
		}
	}
	return nil
}

// pairOfLines returns the words of the two lines that start with a prefix: the
// names and the values.
func pairOfLines(b []byte, prefix string) (names, values [][]byte) {
	for line := range bytes.Lines(b) {
		if !bytes.HasPrefix(line, []byte(prefix)) {
			continue
		}
		if names != nil {
			return names, bytes.Fields(line)
		}
		names = bytes.Fields(line)
	}
	return names, nil
}

// readSockets finds "TCP: inuse 9 orphan 0 tw 17 …".
func (m *Machine) readSockets() error {
	buf := make([]byte, 1024)
	b, ok := readProc(buf, "/proc/net/sockstat")
	if !ok {
		return errors.New("sockets in TIME_WAIT: /proc/net/sockstat can't be read")
	}
	for line := range bytes.Lines(b) {
		words := bytes.Fields(line)
		for i := 1; i+1 < len(words) && string(words[0]) == "TCP:"; i++ {
			if string(words[i]) == "tw" {
				m.TimeWait = int(number(words[i+1]))
			}
		}
	}
	return nil
}
