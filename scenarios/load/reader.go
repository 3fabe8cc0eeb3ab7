package load

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	narrowBuffer = 4 << 10  // what each connection keeps
	wideBuffer   = 64 << 10 // what is lent to one that fills its own
	maxHead      = 64 << 10 // bytes of a response's head, and of its trailers
	maxChunkLine = 4 << 10  // bytes of a chunk's size and extensions
)

// A reader buffers what a connection receives, and knows when it came.
type reader struct {
	src   io.Reader
	epoch time.Time
	buf   []byte
	r, w  int           // buf[r:w] is received and not yet consumed
	at    time.Duration // when the last bytes came, from the epoch

	lender *sync.Pool        // of *[wideBuffer]byte
	loan   *[wideBuffer]byte // what buf is, if lent
	own    []byte            // what buf was before
	full   bool              // the last read filled the buffer: a wider one would have saved reads
}

func (rd *reader) buffered() int { return rd.w - rd.r }

// fill reads once, into whatever room there is; the caller sees to it that
// there is some.
func (rd *reader) fill() error {
	if rd.r == rd.w {
		rd.r, rd.w = 0, 0
	}
	n, err := rd.src.Read(rd.buf[rd.w:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	rd.w += n
	rd.full = rd.w == len(rd.buf)
	rd.at = time.Since(rd.epoch)
	return nil
}

// more makes room and reads, so that buffered grows, up to most.
func (rd *reader) more(most int) error {
	if rd.buffered() >= most {
		return errTooLong
	}
	if rd.w == len(rd.buf) {
		if rd.r > 0 {
			rd.w = copy(rd.buf, rd.buf[rd.r:rd.w])
			rd.r = 0
		} else {
			rd.buf = append(rd.buf, make([]byte, len(rd.buf))...)
		}
	}
	return rd.fill()
}

var errTooLong = malformed("too long")

// widen borrows a wide buffer; there is nothing buffered.
func (rd *reader) widen() {
	rd.loan, _ = rd.lender.Get().(*[wideBuffer]byte)
	if rd.loan == nil {
		rd.loan = new([wideBuffer]byte)
	}
	rd.own, rd.buf = rd.buf, rd.loan[:]
	rd.r, rd.w = 0, 0
}

// narrow gives a borrowed buffer back, and forgets what was buffered in it.
func (rd *reader) narrow() {
	rd.full = false
	if rd.loan == nil {
		return
	}
	rd.lender.Put(rd.loan)
	rd.buf, rd.own, rd.loan = rd.own, nil, nil
	rd.r, rd.w = 0, 0
}

// block consumes and returns everything through the first empty line: a head,
// or trailers. It refers to the buffer and is good until the next read. first
// is when its first byte came. What doesn't start with prefix is refused
// before it is whole.
func (rd *reader) block(prefix string) (b []byte, first time.Duration, err error) {
	if rd.buffered() > 0 {
		first = rd.at
	}
	for scanned := 0; ; {
		had := rd.buffered()
		if had >= len(prefix) && string(rd.buf[rd.r:rd.r+len(prefix)]) != prefix {
			return nil, first, malformed("starts with %q, not with %q", clip(rd.buf[rd.r:rd.w]), prefix)
		}
		n, next := endOfBlock(rd.buf[rd.r:rd.w], scanned)
		if n > 0 {
			b = rd.buf[rd.r : rd.r+n]
			rd.r += n
			return b, first, nil
		}
		scanned = next
		err := rd.more(maxHead)
		switch {
		case err == errTooLong:
			return nil, first, malformed("head longer than %d KiB", maxHead>>10)
		case err == io.EOF && had > 0:
			return nil, first, io.ErrUnexpectedEOF
		case err != nil:
			return nil, first, err
		}
		if had == 0 {
			first = rd.at
		}
	}
}

// endOfBlock returns the length of the block at the start of b if it is whole:
// if an empty line stands at its start or follows a line end at or after
// from. Otherwise next is where to look from when there is more.
func endOfBlock(b []byte, from int) (n, next int) {
	if from == 0 {
		if n := lineEnd(b); n > 0 || len(b) < 2 {
			return n, 0
		}
	}
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, len(b)
		}
		after := from + i + 1
		if n := lineEnd(b[after:]); n > 0 {
			return after + n, 0
		}
		if len(b)-after < 2 {
			return 0, from + i
		}
		from = after
	}
}

// lineEnd returns the length of the line end that b starts with, 0 if none.
func lineEnd(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// line consumes one line that must end with CRLF and returns it without.
func (rd *reader) line(most int) ([]byte, error) {
	for scanned := 0; ; {
		b := rd.buf[rd.r:rd.w]
		if i := bytes.IndexByte(b[scanned:], '\n'); i >= 0 {
			end := scanned + i
			rd.r += end + 1
			if end == 0 || b[end-1] != '\r' {
				return nil, malformed("line %q ends with a bare LF", clip(b[:end]))
			}
			return b[:end-1], nil
		}
		scanned = len(b)
		if err := rd.more(most); err == errTooLong {
			return nil, malformed("line longer than %d bytes", most)
		} else if err != nil {
			return nil, unexpected(err)
		}
	}
}

// some consumes and returns up to most bytes, at least one.
func (rd *reader) some(most int64) ([]byte, error) {
	if rd.buffered() == 0 {
		if rd.full && rd.loan == nil {
			rd.widen()
		}
		if err := rd.fill(); err != nil {
			return nil, err
		}
	}
	n := int(min(most, int64(rd.buffered())))
	b := rd.buf[rd.r : rd.r+n]
	rd.r += n
	return b, nil
}

// unexpected turns an end of file into one in the middle of something.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
