package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// Values asks the responder, on a connection of its own, for the values of
// FCGI_MAX_CONNS, FCGI_MAX_REQS and FCGI_MPXS_CONNS. It answers those that it
// knows; one that knows nothing of the question may not answer at all.
func (c *FastCGI) Values(ctx context.Context) (map[string]string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })() // it may have ended
	values, err := askValues(conn, bufio.NewReaderSize(conn, 4<<10))
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("FastCGI: no answer to GET_VALUES: %w", context.Cause(ctx))
	}
	return values, err
}

// askValues asks on a connection on which nothing else is going on.
func askValues(conn net.Conn, in *bufio.Reader) (map[string]string, error) {
	var content []byte
	for _, name := range []string{MaxConns, MaxReqs, MpxsConns} {
		content = AppendPair(content, name, "")
	}
	if _, err := conn.Write(AppendRecord(nil, GetValues, 0, content)); err != nil {
		return nil, fmt.Errorf("FastCGI: send GET_VALUES: %w", err)
	}
	h, content, err := readSmall(in)
	switch {
	case err != nil:
		return nil, err
	case h.Type != GetValuesResult || h.ID != 0:
		return nil, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v as an answer to %v", h.Type, GetValues)}
	}
	values := map[string]string{}
	for len(content) > 0 {
		name, value, rest, err := ParsePair(content)
		if err != nil {
			return nil, &ProtocolError{Protocol: "FastCGI", Why: "GET_VALUES_RESULT ends in the middle of a pair"}
		}
		values[string(name)] = string(value)
		content = rest
	}
	return values, nil
}

// readSmall reads a record whose content is small.
func readSmall(in *bufio.Reader) (Header, []byte, error) {
	b, err := in.Peek(RecordHeader)
	if err != nil {
		return Header{}, nil, early("FastCGI", "a record's header", err)
	}
	h, err := ParseHeader(b)
	if err != nil {
		return h, nil, err
	}
	if h.Content > maxValues {
		return h, nil, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v of %d bytes; at most %d are taken", h.Type, h.Content, maxValues)}
	}
	all := make([]byte, RecordHeader+h.Content+h.Padding)
	if _, err := io.ReadFull(in, all); err != nil {
		return h, nil, early("FastCGI", "a record", err)
	}
	return h, all[RecordHeader : RecordHeader+h.Content], nil
}

// learn asks the responder once what it takes, if that matters. The others
// wait for the answer. The connection on which it was asked is used for more.
func (c *FastCGI) learn(ctx context.Context) error {
	if c.knows() {
		return nil
	}
	select {
	case c.making <- struct{}{}:
		defer func() { <-c.making }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.knows() {
		return nil
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, sharedBuffer)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) }) // it may have ended
	_ = conn.SetDeadline(time.Now().Add(askGrace))                        // as above
	values, err := askValues(conn, in)
	if !stop() {
		conn.Close()
		return context.Cause(ctx)
	}
	_ = conn.SetDeadline(time.Time{}) // as above
	c.note(values)
	if err != nil {
		// It has not taken the question well, or says nothing. A late answer
		// would be in the way.
		conn.Close()
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		return nil
	}
	c.mu.Lock()
	alone := c.alone
	c.mu.Unlock()
	if alone {
		c.give(&ownConn{conn: conn, in: in})
	} else {
		c.share(conn, in)
	}
	return nil
}

func (c *FastCGI) knows() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// note takes in what the responder takes.
func (c *FastCGI) note(values map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = true
	if values[MpxsConns] == "0" {
		c.alone = true
	}
	conns, _ := strconv.ParseUint(values[MaxConns], 10, 16) // 0 if it doesn't say
	reqs, _ := strconv.ParseUint(values[MaxReqs], 10, 16)
	if conns > 0 {
		c.conns = min(c.conns, int(conns)*c.o.Instances)
	}
	most := reqs
	if c.alone && conns > 0 {
		most = conns
	}
	if most > 0 {
		c.places = make(chan struct{}, int(most)*c.o.Instances)
	}
}
