package models

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	bodyInMemory = 64 << 10 // bytes of a body that are kept in memory
	maxBody      = 1 << 30  // bytes of a body that are taken at all
)

// spooled is a request's body, taken in completely.
type spooled struct {
	size   int64 // -1: the request has none
	memory []byte
	file   *os.File // holds all of it when it is too large for memory; has no name
}

func noBody() *spooled { return &spooled{size: -1} }

// spool takes in a body, undoing its transfer coding. It is read here, and
// not by the child, because CGI has no way to say "as long as it comes".
func spool(w http.ResponseWriter, r *http.Request, stall time.Duration) (*spooled, error) {
	if r.Body == http.NoBody && len(r.Header["Content-Length"]) == 0 {
		return noBody(), nil
	}
	src := &stallLimit{
		body:  http.MaxBytesReader(w, r.Body, maxBody),
		w:     w,
		stall: newPatience(stall),
	}
	s := &spooled{}
	if r.ContentLength > 0 && r.ContentLength <= bodyInMemory {
		s.memory = make([]byte, 0, r.ContentLength+bytes.MinRead)
	}
	head := bytes.NewBuffer(s.memory)
	n, err := io.CopyN(head, src, bodyInMemory+1)
	s.size, s.memory = n, head.Bytes()
	if err == io.EOF {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.toFile(src); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *spooled) toFile(rest io.Reader) (err error) {
	s.file, err = os.CreateTemp("", "gatewaylab-body-")
	if err != nil {
		return fmt.Errorf("keep a large body: %w", err)
	}
	if err := os.Remove(s.file.Name()); err != nil {
		return fmt.Errorf("keep a large body: %w", err)
	}
	if _, err := s.file.Write(s.memory); err != nil {
		return fmt.Errorf("keep a large body: %w", err)
	}
	s.memory = nil
	n, err := io.Copy(s.file, rest)
	s.size += n
	return err
}

// stdin is the body from its start as what a child may inherit; null, where
// there is none, is /dev/null. What is in memory is fed to it.
func (s *spooled) stdin(null *os.File) (file *os.File, f feed, err error) {
	switch {
	case s.file != nil:
		_, err = s.file.Seek(0, io.SeekStart)
		return s.file, f, err
	case len(s.memory) > 0:
		f.body = s.memory
		f.from, f.to, err = os.Pipe()
		return f.from, f, err
	}
	return null, f, nil
}

// A feed is a pipe through which a body in memory goes to a child's stdin.
// The zero value has nothing to feed.
type feed struct {
	body     []byte
	from, to *os.File
}

// begin writes the body once the child has the other end. A child that wants
// only some of it is in its rights.
func (f feed) begin() {
	if f.to == nil {
		return
	}
	f.from.Close()
	go func() {
		_, _ = f.to.Write(f.body)
		f.to.Close()
	}()
}

// Close is for a feed that has not begun.
func (f feed) Close() error {
	if f.to == nil {
		return nil
	}
	return errors.Join(f.from.Close(), f.to.Close())
}

// Close gives the room back.
func (s *spooled) Close() {
	if s.file != nil {
		s.file.Close()
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
