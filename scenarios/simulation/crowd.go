package simulation

import (
	"time"

	"gatewaylab/scenarios/load"
)

// respite is how long a client of a crowd waits after a failure, and reopen how
// long an idle one until it connects again, as in package load.
const (
	respite = int64(200 * time.Millisecond)
	reopen  = int64(time.Second)
)

// A crowd is clients that do something of their own beside the load.
type crowd struct {
	*load.Crowd
	sent uint64
}

// beside has the crowds begin.
func (s *sim) beside() {
	for i := range s.Attack.Beside {
		c := &s.Attack.Beside[i]
		s.crowds = append(s.crowds, crowd{Crowd: c})
		for k := range c.Clients {
			at := int64(0)
			if c.Kind == load.Periodic {
				at = int64(c.Every) * int64(k) / int64(c.Clients)
			}
			s.events.push(event{at: at, of: int32(i), generation: uint32(k), what: crowding})
		}
	}
}

// crowdSends has a client of a crowd send.
func (s *sim) crowdSends(of, client int) {
	if s.now >= s.length {
		return
	}
	c := &s.crowds[of]
	if c.Kind == load.Periodic {
		s.events.push(event{at: s.now + int64(c.Every), of: int32(of), generation: uint32(client), what: crowding})
	}
	r := s.fresh()
	q := &s.requests[r]
	q.due, q.sent, q.crowd, q.user, q.number = s.now, s.now, int32(of), int32(client), c.sent
	c.sent++
	d := s.Aside(of)
	s.ask(q, &d)
	s.enter(r)
}

// crowdEnded tells of an exchange of a crowd, and has the client go on.
func (s *sim) crowdEnded(r int32, o outcome) {
	q := &s.requests[r]
	of, client := q.crowd, q.user
	c := &s.crowds[of]
	latency := s.now - q.sent
	rest := int64(0)
	if c.Kind == load.Idle {
		if rest = int64(c.Every); rest == 0 {
			rest = reopen
		}
		if s.Server.Keeps && o.kind == "" {
			return // it sits there until the end
		}
	}
	if s.Beside != nil {
		s.hit = load.Hit{
			Seq: q.number, Code: o.code, Kind: o.kind, Err: o.kind, Cut: o.cut,
			Due: time.Duration(q.due), Sent: time.Duration(q.sent), Latency: time.Duration(latency),
		}
		s.Beside(int(of), &s.hit)
	}
	if c.Kind == load.Periodic {
		return
	}
	if o.kind != "" {
		rest = max(rest, respite)
	}
	s.events.push(event{at: s.now + rest, of: of, generation: uint32(client), what: crowding})
}
