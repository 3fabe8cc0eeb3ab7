package load

import (
	"io"
	"net/http"
	"time"
)

// framing is how the end of a body is told (RFC 9112 section 6.3).
type framing int

const (
	counted    framing = iota // by its length, which may be 0
	chunked                   // by a last chunk
	untilClose                // by the end of the connection
)

// A body takes the content of one response from a reader.
type body struct {
	*reader
	framing framing
	left    int64 // counted: of the body; chunked: of the chunk
	begun   bool  // chunked: there has been a chunk
	ended   bool
	toHEAD  bool
	trailer http.Header // nil, or where trailers go
}

// frame prepares for the body that follows h on r.
func (b *body) frame(r *reader, h *head, toHEAD bool) {
	*b = body{reader: r, toHEAD: toHEAD}
	switch {
	case h.bodyless(toHEAD):
	case h.chunked:
		b.framing = chunked
	case h.length < 0:
		b.framing = untilClose
	default:
		b.left = h.length
	}
	b.ended = b.framing == counted && b.left == 0
}

// next returns the next bytes of content, which are good until the next call,
// or io.EOF after the last.
func (b *body) next() ([]byte, error) {
	if b.ended {
		return nil, io.EOF
	}
	switch b.framing {
	case chunked:
		return b.nextOfChunk()
	case untilClose:
		p, err := b.some(1 << 62)
		b.ended = err == io.EOF
		return p, err
	}
	p, err := b.some(b.left)
	if err != nil {
		return nil, unexpected(err)
	}
	b.left -= int64(len(p))
	b.ended = b.left == 0
	return p, nil
}

func (b *body) nextOfChunk() ([]byte, error) {
	if b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return nil, err
		}
		if b.left == 0 {
			return nil, b.readTrailer()
		}
	}
	p, err := b.some(b.left)
	if err != nil {
		return nil, unexpected(err)
	}
	b.left -= int64(len(p))
	return p, nil
}

// nextChunk reads the line that starts a chunk: its size in hexadecimal and
// perhaps extensions, which mean nothing to us (RFC 9112 section 7.1).
func (b *body) nextChunk() error {
	if b.begun {
		end, err := b.line(maxChunkLine)
		if err != nil {
			return err
		}
		if len(end) > 0 {
			return malformed("chunk longer than its size: %q", clip(end))
		}
	}
	b.begun = true
	line, err := b.line(maxChunkLine)
	if err != nil {
		return err
	}
	b.left, err = chunkSize(line)
	return err
}

func chunkSize(line []byte) (n int64, err error) {
	digits := 0
	for ; digits < len(line); digits++ {
		c := line[digits]
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			if digits == 0 || c != ';' && c != ' ' && c != '\t' {
				return 0, malformed("chunk size %q", clip(line))
			}
			return n, afterSize(line, digits)
		}
		if digits == 15 { // 15 digits are what surely fits
			return 0, malformed("chunk size %q", clip(line))
		}
		n = n<<4 | int64(c)
	}
	if digits == 0 {
		return 0, malformed("chunk size %q", clip(line))
	}
	return n, nil
}

// afterSize checks that what follows a chunk's size is white space or an
// extension.
func afterSize(line []byte, i int) error {
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	if i < len(line) && line[i] != ';' {
		return malformed("chunk size %q", clip(line))
	}
	return nil
}

// readTrailer reads the trailer section, through its empty line.
func (b *body) readTrailer() error {
	lines, _, err := b.block("")
	if err != nil {
		return unexpected(err)
	}
	err = eachField(lines, func(name, value []byte) error {
		if b.trailer != nil {
			b.trailer.Add(string(name), string(value))
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.ended = true
	return io.EOF
}

// discard reads the rest of the body and returns how long it was.
func (b *body) discard() (n int64, err error) {
	for {
		p, err := b.next()
		n += int64(len(p))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// timed is discard that appends to gaps the pauses between the pieces in which
// the body came, each from the last byte of one to the first of the next. A
// piece is a chunk, which is what a server that flushes sends; of a body that
// isn't chunked it is what one read gives. Pieces that arrive together count
// as one.
func (b *body) timed(gaps []time.Duration) (n int64, _ []time.Duration, err error) {
	last := b.at
	for {
		begins := b.framing != chunked || b.left == 0
		p, err := b.next()
		if n > 0 && len(p) > 0 && begins && b.at != last {
			gaps = append(gaps, b.at-last)
		}
		if n += int64(len(p)); len(p) > 0 {
			last = b.at
		}
		if err == io.EOF {
			return n, gaps, nil
		}
		if err != nil {
			return n, gaps, err
		}
	}
}
