package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// A spool keeps hits on disk, in the order in which they ended, until the
// attack is over. Encoding them only then has two reasons: vegeta plot wants
// numbers without a gap in the order of sending, which isn't known before the
// last hit has ended; and gob takes CPU time that belongs to the measurement.
type spool struct {
	file *os.File
	w    *bufio.Writer
	n    uint64
	low  uint64 // the lowest and the highest number added
	high uint64
}

// record is what stands in the spool for each hit; the text of its error
// follows.
type record struct {
	Seq, Bytes    uint64
	Sent, Latency int64
	Code, Text    uint32 // status; bytes of text
	Request       uint32 // its index
}

const (
	recordSize = 8 + 8 + 8 + 8 + 4 + 4 + 4
	maxText    = 64 << 10
)

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "gatewaylab-hits-*")
	if err != nil {
		return nil, fmt.Errorf("spool raw hits: %w", err)
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (s *spool) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

func (s *spool) add(h *Hit) error {
	text := h.Err[:min(len(h.Err), maxText)]
	b, err := binary.Append(s.w.AvailableBuffer(), binary.LittleEndian, &record{
		Seq: h.Seq, Bytes: uint64(h.Bytes), Sent: int64(h.Sent), Latency: int64(h.Latency),
		Code: uint32(h.Code), Text: uint32(len(text)), Request: uint32(h.Request),
	})
	if err != nil {
		return err
	}
	if s.n == 0 || h.Seq < s.low {
		s.low = h.Seq
	}
	s.high = max(s.high, h.Seq)
	s.n++
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	_, err = s.w.WriteString(text)
	return err
}

// encode writes the spooled hits of a to a.Raw.
func (s *spool) encode(a *Attack, began time.Time) error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	gaps, err := s.gaps()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(a.Raw, 64<<10)
	enc := vegeta.NewEncoder(out)
	err = s.each(func(r *record, text string) error {
		before, _ := slices.BinarySearch(gaps, r.Seq)
		req := &a.Requests[r.Request]
		method := req.Method
		if method == "" {
			method = "GET"
		}
		return enc.Encode(&vegeta.Result{
			Attack:    a.Name,
			Seq:       r.Seq - s.low - uint64(before),
			Code:      uint16(r.Code),
			Timestamp: began.Add(time.Duration(r.Sent)),
			Latency:   time.Duration(r.Latency),
			BytesOut:  uint64(req.size()),
			BytesIn:   r.Bytes,
			Error:     text,
			Method:    method,
			URL:       req.URL,
		})
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// gaps returns the numbers between the lowest and the highest that aren't in
// the spool, in order: those of the hits that were cut.
func (s *spool) gaps() (missing []uint64, err error) {
	if s.n == 0 || s.high-s.low+1 == s.n {
		return nil, nil
	}
	seen := make([]uint64, (s.high-s.low)/64+1) // a bit for each
	err = s.each(func(r *record, _ string) error {
		i := r.Seq - s.low
		seen[i/64] |= 1 << (i % 64)
		return nil
	})
	for i := range s.high - s.low {
		if seen[i/64]&(1<<(i%64)) == 0 {
			missing = append(missing, s.low+i)
		}
	}
	return missing, err
}

// each reads the spool from its start.
func (s *spool) each(f func(r *record, text string) error) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.file, 256<<10)
	var b [recordSize]byte
	var text []byte
	for {
		if _, err := io.ReadFull(in, b[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var r record
		if _, err := binary.Decode(b[:], binary.LittleEndian, &r); err != nil {
			return err
		}
		text = slices.Grow(text[:0], int(r.Text))[:r.Text]
		if _, err := io.ReadFull(in, text); err != nil {
			return err
		}
		if err := f(&r, string(text)); err != nil {
			return err
		}
	}
}
