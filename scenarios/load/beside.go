package load

import (
	"fmt"
	"math"
	"time"
)

// CrowdKind is what the clients of a crowd do.
type CrowdKind string

const (
	// SlowSend sends a request whose body comes at Rate bytes/s, reads the
	// answer, and begins again on a new connection.
	SlowSend CrowdKind = "slow-send"
	// SlowRead sends a request at once and takes its answer, head and body, at
	// Rate bytes/s, with a small receive buffer, then begins again on a new
	// connection.
	SlowRead CrowdKind = "slow-read"
	// Idle sends a request, reads the answer, and then keeps the connection
	// and sends nothing more. One that the server closes is opened again
	// after a pause of Every. Servers may close idle connections, and have a
	// keep-alive timeout for it: that is the end of the hit and no error.
	Idle CrowdKind = "idle"
	// Periodic sends a request once in Every, whether or not the last was
	// answered. The clients take turns at even distances.
	Periodic CrowdKind = "periodic"
)

// A Crowd is a number of clients that do something of their own while the
// load goes on, over HTTP/1.1, and are measured apart: one hit for each
// exchange, or for the life of each idle connection, whose Latency is that
// life. Seq counts the hits of the crowd; Stage and Request mean nothing.
//
// The clients begin with the attack and are cut when sending ends, whatever
// they are doing. After a failure each waits a little, so that a dead server
// isn't stormed.
//
// The attack's timeout holds for periodic requests and the first one of an
// idle connection. Slow clients take as long as they take; for them it is how
// long the server may neither take nor give a byte.
type Crowd struct {
	Name    string // what results call it
	Kind    CrowdKind
	Clients int
	Rate    float64       // bytes/s of each slow client
	Every   time.Duration // periodic, idle; 0 is 1 s for idle
	Request Request
}

// Check says what is wrong with a crowd.
func (c *Crowd) Check() error {
	switch c.Kind {
	case SlowSend, SlowRead:
		if !(c.Rate > 0) || math.IsInf(c.Rate, 0) {
			return fmt.Errorf("%s at %v bytes/s: it must be above 0", c.Kind, c.Rate)
		}
	case Idle:
		if c.Every < 0 {
			return fmt.Errorf("idle every %v: it must be 0s (1 s) or longer", c.Every)
		}
	case Periodic:
		if c.Every <= 0 {
			return fmt.Errorf("periodic every %v: it must be longer than 0s", c.Every)
		}
	default:
		return fmt.Errorf("%q of clients beside the load is not known", c.Kind)
	}
	if c.Clients < 1 {
		return fmt.Errorf("%s: %d clients; there must be at least 1", c.Kind, c.Clients)
	}
	p, err := c.Request.prepare()
	if err != nil {
		return fmt.Errorf("%s: request: %w", c.Kind, err)
	}
	if c.Kind == SlowSend && len(p.body) == 0 {
		return fmt.Errorf("slow-send of a request without a body: give it a body, or a size")
	}
	return nil
}

// atOnce is the most connections that the crowd has open at once, if none is
// open for longer than life.
func (c *Crowd) atOnce(life time.Duration) int {
	if c.Kind != Periodic {
		return c.Clients
	}
	return c.Clients * int(1+life/c.Every)
}
