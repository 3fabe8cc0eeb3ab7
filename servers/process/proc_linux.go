package process

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

var pageSize = int64(os.Getpagesize())

// readStat reads /proc/PID/stat (proc_pid_stat(5)); ok is false when the
// process is gone.
func readStat(pid int) (st stat, ok bool) {
	var buf [1024]byte
	b, ok := readProc(buf[:], "/proc/"+strconv.Itoa(pid)+"/stat")
	if !ok {
		return stat{}, false
	}
	return parseStat(b)
}

// parseStat reads the line. The name, in parentheses, may hold anything,
// spaces and parentheses too.
func parseStat(b []byte) (st stat, ok bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open || end+2 >= len(b) {
		return stat{}, false
	}
	st.pid = int(number(b[:open-1]))
	st.name = string(b[open+1 : end])
	b = b[end+2:]
	for field := 3; len(b) > 0 && field <= 24; field++ {
		word, rest, _ := bytes.Cut(b, []byte{' '})
		b = rest
		switch field {
		case 3:
			st.zombie = word[0] == 'Z' || word[0] == 'X'
		case 4:
			st.parent = int(number(word))
		case 6:
			st.session = int(number(word))
		case 16, 17:
			st.childTicks += number(word)
		case 20:
			st.threads = int(number(word))
		case 22:
			st.start = number(word)
		case 24:
			st.resident = int64(number(word)) * pageSize
			ok = true
		}
	}
	return st, ok
}

// number reads the digits at the start of b.
func number(b []byte) (n uint64) {
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// readProc reads what fits into buf of a file in /proc. It goes past package
// os, whose files cost three more system calls and a finaliser.
func readProc(buf []byte, path string) ([]byte, bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, false
		}
		if m == 0 {
			break
		}
		n += m
	}
	return buf[:n], true
}

// field finds "name: value" in the lines of a /proc file.
func field(b []byte, name string) (uint64, bool) {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		b = rest
		if v, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return number(bytes.TrimLeft(v, ": \t")), true
		}
	}
	return 0, false
}
