package latency

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"gatewaylab/servers/wire/http1"
)

// A Server is the service. It keeps connections for as long as its callers do,
// and answers the requests of each in their order.
type Server struct {
	began time.Time

	mu     sync.Mutex
	line   *line
	counts Counts
}

// NewServer returns a service that has done nothing yet.
func NewServer(c Config) *Server { return &Server{began: time.Now(), line: newLine(c)} }

// Serve answers calls until the listener is closed.
func (s *Server) Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			var temporary net.Error
			if !errors.As(err, &temporary) {
				return fmt.Errorf("accept: %w", err)
			}
			time.Sleep(10 * time.Millisecond) // out of files: some will be closed
			continue
		}
		go s.talk(c)
	}
}

// The answers, ready to be sent.
const (
	goodAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n" + Answer
	badAnswer  = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\nfailed\n"
	fullAnswer = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nfull\n"
)

// talk serves a connection.
func (s *Server) talk(c net.Conn) {
	defer c.Close()
	in := http1.NewReader(c, http1.DefaultLimits())
	var req http1.Request
	for {
		if in.ReadRequest(&req, 0) != nil {
			return // it is over, or no HTTP: either way there is nobody to answer
		}
		if req.Framing != http1.NoBody {
			if _, err := io.Copy(io.Discard, in); err != nil {
				return
			}
		}
		if !s.answer(c, &req) || !req.KeepAlive {
			return
		}
	}
}

// answer says whether the connection is to be kept.
func (s *Server) answer(c net.Conn, req *http1.Request) bool {
	if req.Path == CountsPath {
		return s.tell(c)
	}
	f := s.admit()
	if f.outcome != refused {
		time.Sleep(f.ends - time.Since(s.began))
	}
	s.book(f)
	text := goodAnswer
	switch f.outcome {
	case failed:
		text = badAnswer
	case refused:
		text = fullAnswer
	case closed:
		return false
	case answered:
	}
	_, err := io.WriteString(c, text)
	return err == nil
}

func (s *Server) admit() fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Calls++
	return s.line.admit(time.Since(s.began)) // read under the lock: calls come in its order
}

// book counts a call that is about to be answered, so that who has the answer
// finds it counted.
func (s *Server) book(f fate) {
	late := time.Since(s.began) - f.ends
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.counts
	switch f.outcome {
	case answered:
		n.Answered++
	case failed:
		n.Failed++
	case closed:
		n.Closed++
	case refused:
		n.Refused++
	}
	n.Waited += f.begins - f.came
	n.Worked += f.ends - f.begins
	n.Late += late
	n.Lateness[bin(late)]++
}

// Counts are what has been done so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

func (s *Server) tell(c net.Conn) bool {
	b, err := json.Marshal(s.Counts())
	if err != nil {
		return false
	}
	_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(b))+"\r\n\r\n"+string(b))
	return err == nil
}
