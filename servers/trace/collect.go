package trace

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"

	"gatewaylab/servers/trace/recorder"
)

// A collector is whom the recorders tell.
type collector struct {
	path     string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	events []recorder.Event
	conns  []net.Conn
	open   map[callID]bool // calls and programs that have begun and not ended
}

// A callID tells one call or program from all others.
type callID struct {
	process int
	call    int64
}

func newCollector(dir string) (*collector, error) {
	path := filepath.Join(dir, "events.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for recorders: %w", err)
	}
	c := &collector{path: path, listener: l, open: map[callID]bool{}}
	c.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			c.running.Go(func() { c.listen(conn) })
		}
	})
	return c, nil
}

func (c *collector) listen(conn net.Conn) {
	defer conn.Close()
	for in := json.NewDecoder(conn); ; {
		var e recorder.Event
		if in.Decode(&e) != nil {
			return // its process has ended, perhaps in the middle of telling
		}
		id := callID{e.Process, e.Call}
		c.mu.Lock()
		c.events = append(c.events, e)
		switch {
		case e.Begins():
			c.open[id] = true
		case e.Kind == recorder.Returned || e.Kind == recorder.ProgramEnd:
			delete(c.open, id)
		}
		c.mu.Unlock()
		if e.Begins() {
			if _, err := conn.Write([]byte{0}); err != nil {
				return // its process has ended
			}
		}
	}
}

// count is how much has been told, and how many calls are still under way.
func (c *collector) count() (events, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events), len(c.open)
}

// forget drops what has been told so far.
func (c *collector) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = nil
}

// calls are the events, apart by what they belong to, in the order in which
// that began.
func (c *collector) calls() [][]recorder.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all [][]recorder.Event
	index := map[callID]int{}
	events := slices.Clone(c.events)
	slices.SortStableFunc(events, func(a, b recorder.Event) int { return int(a.At - b.At) })
	for _, e := range events {
		id := callID{e.Process, e.Call}
		i, ok := index[id]
		if !ok && !e.Begins() {
			continue // the rest of what began before the request
		}
		if !ok {
			i = len(all)
			index[id] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], e)
	}
	return all
}

func (c *collector) close() {
	c.listener.Close()
	c.mu.Lock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.running.Wait()
}
