package models

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	stderrKept  = 8 << 10               // bytes of what a child says there
	stderrQuiet = 20 * time.Millisecond // after which somebody begins to listen
	stderrDelay = 200 * time.Millisecond
)

// complaints are what a child says on stderr. The first few kilobytes are
// kept and the rest is dropped: the first complaint is the one that explains.
//
// Most children end soon and say nothing, or no more than a pipe holds. So
// nobody reads the pipe before the child has ended, unless it runs for long
// enough to fill it and to be kept waiting by that.
type complaints struct {
	fd        int
	listening *time.Timer

	mu      sync.Mutex // over what follows
	file    *os.File   // fd, once somebody listens
	heard   chan struct{}
	text    []byte
	dropped int
	over    bool
}

func newComplaints(fd int) *complaints {
	c := &complaints{fd: fd}
	c.listening = time.AfterFunc(stderrQuiet, c.listen)
	return c
}

// listen reads for as long as the child runs.
func (c *complaints) listen() {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	file := os.NewFile(uintptr(c.fd), "a child's complaints")
	c.file, c.heard = file, make(chan struct{})
	c.mu.Unlock()
	defer close(c.heard)
	block := make([]byte, 4<<10)
	for {
		n, err := file.Read(block)
		c.keep(block[:n])
		if err != nil {
			return // the end, or finish's deadline
		}
	}
}

func (c *complaints) keep(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := min(len(p), stderrKept-len(c.text))
	c.text = append(c.text, p[:keep]...)
	c.dropped += len(p) - keep
}

// finish takes what is left once the child has ended, and words all of it for
// one line of the log. A process that escaped from the child's group may hold
// the other end open for ever; it isn't waited for.
func (c *complaints) finish() string {
	c.listening.Stop()
	c.mu.Lock()
	c.over = true
	file, heard := c.file, c.heard
	c.mu.Unlock()
	if file == nil {
		c.rest()
		_ = syscall.Close(c.fd) // only read from
	} else {
		_ = file.SetReadDeadline(time.Now().Add(stderrDelay)) // fails if it has been closed, and then nobody waits
		<-heard
		file.Close()
	}
	switch {
	case len(c.text) == 0:
		return ""
	case c.dropped > 0:
		return fmt.Sprintf("; stderr: %q and %d bytes more", c.text, c.dropped)
	}
	return fmt.Sprintf("; stderr: %q", c.text)
}

// rest reads what is in the pipe, which doesn't block.
func (c *complaints) rest() {
	var block [1 << 10]byte
	for {
		n, err := syscall.Read(c.fd, block[:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		c.keep(block[:n])
	}
}
