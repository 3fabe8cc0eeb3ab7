package load

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"time"
)

// beat is about how often a slow client sends or reads a piece; if a piece
// would then be less than a byte, it is a byte, and that less often.
const beat = 50 * time.Millisecond

// A pace keeps to a number of bytes per second.
type pace struct {
	rate float64
	next time.Time // when more bytes may go
}

// piece is how many bytes go at once, at most.
func (p *pace) piece() int { return int(math.Ceil(min(p.rate*beat.Seconds(), 1<<30))) }

// spend puts next off by the time that n bytes take. What was missed is made
// up for, but no more than a beat of it: a burst would not be slow.
func (p *pace) spend(n int) {
	if earliest := time.Now().Add(-beat); p.next.Before(earliest) {
		p.next = earliest
	}
	// More than a day is as good as for ever, and doesn't overflow.
	p.next = p.next.Add(time.Duration(min(float64(n)/p.rate, 86400) * float64(time.Second)))
}

// A sipper reads at a pace from a connection that may stall for so long.
type sipper struct {
	net.Conn
	pace  *pace // nil: as fast as it comes
	stall time.Duration
	ctx   context.Context
}

func (s *sipper) Read(b []byte) (int, error) {
	if s.pace != nil {
		if !pause(s.ctx, time.Until(s.pace.next)) {
			return 0, errCut
		}
		b = b[:min(len(b), s.pace.piece())]
	}
	if err := s.SetReadDeadline(time.Now().Add(s.stall)); err != nil {
		return 0, err
	}
	n, err := s.Conn.Read(b)
	if s.pace != nil && n > 0 {
		s.pace.spend(n)
	}
	return n, err
}

// write writes all of b, as long as the connection takes some of it.
func (s *sipper) write(b []byte) error {
	for len(b) > 0 {
		if err := s.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
			return err
		}
		n, err := s.Conn.Write(b)
		b = b[n:]
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	return nil
}

// dialSlow opens a connection for one exchange, read through a sipper.
func (c *clients) dialSlow(m *message, now time.Duration, p *pace) (*conn, *sipper, error) {
	cn, err := c.t.dial(background, m, c.t.deadline(now))
	if err != nil {
		return nil, nil, err
	}
	s := &sipper{cn.nc, p, c.t.timeout, c.run.beside}
	cn.in.src, cn.served, cn.last, cn.silent = s, 1, true, true
	return cn, s, nil
}

func (c *clients) slowRead(m *message, f *flight, now time.Duration) (rest time.Duration) {
	p := &pace{rate: c.Rate, next: time.Now()}
	cn, _, err := c.dialSlow(m, now, p)
	if err != nil {
		f.err = err
		return 0
	}
	defer c.t.drop(cn)
	if f.err = cn.converse(background, m, c.t.deadline(now)); f.err != nil {
		return 0
	}
	cn.take(m, f)
	return time.Until(p.next) // the last piece has taken no time yet
}

func (c *clients) slowSend(m *message, f *flight, now time.Duration) (rest time.Duration) {
	cn, s, err := c.dialSlow(m, now, nil)
	if err != nil {
		f.err = err
		return 0
	}
	defer c.t.drop(cn)
	head := len(m.last) - len(c.request.content())
	answered, sendErr := cn.drip(s, &pace{rate: c.Rate, next: time.Now()}, m, head)
	if sendErr != nil {
		s.stall = patience // for an answer that is there already
	}
	if !answered {
		if err := cn.receive(m.toHEAD); err != nil {
			if f.err = err; sendErr != nil && cn.silent {
				f.err = sendErr
			}
			return 0
		}
	}
	cn.take(m, f)
	if answered || sendErr != nil {
		return respite
	}
	return 0
}

// drip sends the request's head and then, at a pace, its body. It stops when
// an answer comes.
func (c *conn) drip(s *sipper, p *pace, m *message, head int) (answered bool, err error) {
	err = s.write(m.last[:head])
	for body := m.last[head:]; err == nil && len(body) > 0; {
		piece := body[:min(len(body), p.piece())]
		p.spend(len(piece))
		if answered, err = c.answeredBy(p.next, s, m.toHEAD); answered || err != nil {
			return answered, err
		}
		err = s.write(piece)
		body = body[len(piece):]
	}
	return false, err
}

// answeredBy waits, and says whether the head of a final answer came meanwhile.
func (c *conn) answeredBy(then time.Time, s *sipper, toHEAD bool) (bool, error) {
	for {
		for c.in.buffered() > 0 {
			if final, err := c.receiveHead(toHEAD); final || err != nil {
				return final, err
			}
		}
		if err := s.SetReadDeadline(then); err != nil {
			return false, err
		}
		c.in.src = s.Conn
		err := c.in.fill()
		c.in.src = s
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}
