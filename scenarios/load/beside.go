package load

import (
	"fmt"
	"time"
)

// CrowdKind is what the clients of a crowd do.
type CrowdKind string

const (
	// SlowSend sends a request whose body comes at Rate bytes/s, reads the
	// answer, and begins again on a new connection.
	SlowSend CrowdKind = "slow-send"
	// SlowRead sends a request at once and takes its answer at Rate bytes/s,
	// with a small receive buffer, then begins again on a new connection.
	SlowRead CrowdKind = "slow-read"
	// Idle sends a request, reads the answer, and then keeps the connection
	// and sends nothing more. One that the server closes is opened again
	// after a pause of Every.
	Idle CrowdKind = "idle"
	// Periodic sends a request once in Every, whether or not the last was
	// answered.
	Periodic CrowdKind = "periodic"
)

// A Crowd is a number of clients that do something of their own while the
// load goes on, and are measured apart: one hit for each exchange, or for the
// life of each idle connection.
type Crowd struct {
	Name    string // what results call it
	Kind    CrowdKind
	Clients int
	Rate    float64       // bytes/s of each client
	Every   time.Duration // periodic, idle
	Request Request
}

// Check says what is wrong with a crowd.
func (c *Crowd) Check() error {
	switch c.Kind {
	case SlowSend, SlowRead:
		if !(c.Rate > 0) {
			return fmt.Errorf("%s at %v bytes/s: it must be above 0", c.Kind, c.Rate)
		}
	case Idle, Periodic:
		if c.Every <= 0 {
			return fmt.Errorf("%s every %v: it must be longer than 0s", c.Kind, c.Every)
		}
	default:
		return fmt.Errorf("%q of clients beside the load is not known", c.Kind)
	}
	if c.Clients < 1 {
		return fmt.Errorf("%s: %d clients; there must be at least 1", c.Kind, c.Clients)
	}
	_, err := c.Request.prepare()
	return err
}

// crowd runs the clients of one crowd until sending ends.
func (r *run) crowd(index int) {
	<-r.stop.Done()
}
