package http1

// A Body decodes a request's body as it comes. The zero value is an empty one.
type Body struct {
	state bodyState
	left  int64 // bytes of the body, or of the chunk, that are still to come
	room  int64 // bytes that the body may still have; < 0 = as many as come

	digits     int   // of the chunk's size
	size       int64 // of the chunk
	extension  int   // bytes of extensions of this chunk
	extensions int   // and of all
	trailers   int   // bytes of trailer fields
	err        error // of a body that failed
}

type bodyState uint8

const (
	ended bodyState = iota
	counted
	chunkSize
	chunkExtension // up to CR
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart
	trailerName
	trailerValue
	trailerLF
	endLF
	failed
)

// Body returns the decoder of the body that follows the head. One that has
// more than limit bytes is refused with 413, at once if its length says so;
// limit ≤ 0 sets none.
func (r *Request) Body(limit int64) Body {
	b := Body{room: -1}
	if limit > 0 {
		b.room = limit
	}
	switch r.Framing {
	case Counted:
		if b.left = r.Length; b.left > 0 {
			b.state = counted
		}
	case Chunked:
		b.state = chunkSize
	case NoBody:
	}
	return b
}

// Ended says whether the whole body has been read, trailer fields included.
func (b *Body) Ended() bool { return b.state == ended }

// Left is how many bytes are still to come at least: of a counted body all, of a
// chunked one those of the chunk.
func (b *Body) Left() int64 { return b.left }

// Next takes what it can from the bytes that have come: n of them are used up,
// and data, a part of them, belongs to the body. Call it again with the rest
// until n is 0: then it needs more, or the body has ended. Trailer fields are
// checked and dropped. The error is an *Error, and the same one from then on.
func (b *Body) Next(in []byte) (data []byte, n int, err error) {
	for n < len(in) {
		switch b.state {
		case ended:
			return nil, n, nil
		case failed:
			return nil, n, b.err
		case counted, chunkData:
			return b.take(in, n)
		default:
			if err := b.step(in[n]); err != nil {
				b.state, b.err = failed, err
				return nil, n, err
			}
			n++
		}
	}
	return nil, n, nil
}

// take hands out what there is of the body in in[n:].
func (b *Body) take(in []byte, n int) ([]byte, int, error) {
	if b.room >= 0 && b.left > b.room {
		return nil, n, errLarge()
	}
	k := int(min(b.left, int64(len(in)-n)))
	b.left -= int64(k)
	if b.room >= 0 {
		b.room -= int64(k)
	}
	switch {
	case b.left > 0:
	case b.state == counted:
		b.state = ended
	default:
		b.state = chunkDataCR
	}
	return in[n : n+k], n + k, nil
}

func errChunk() *Error { return refuse(400, "the body's chunks are malformed") }

// step takes one byte of what is around the chunks (RFC 9112 §7.1).
func (b *Body) step(c byte) error {
	switch b.state {
	case chunkSize:
		return b.sizeDigit(c)
	case chunkExtension:
		return b.extend(c)
	case chunkSizeLF:
		return b.expect(c, '\n', b.chunkBegins())
	case chunkDataCR:
		return b.expect(c, '\r', chunkDataLF)
	case chunkDataLF:
		b.digits, b.size, b.extension = 0, 0, 0
		return b.expect(c, '\n', chunkSize)
	case endLF:
		return b.expect(c, '\n', ended)
	default:
		return b.trailer(c)
	}
}

func (b *Body) expect(c, want byte, next bodyState) error {
	if c != want {
		return errChunk()
	}
	b.state = next
	return nil
}

func (b *Body) chunkBegins() bodyState {
	b.left = b.size
	if b.size == 0 {
		return trailerStart
	}
	return chunkData
}

func (b *Body) sizeDigit(c byte) error {
	if v, ok := unhex(c); ok {
		// Sixteen digits hold any size, and as many zeros as one may put
		// before it.
		if b.digits++; b.digits > 16 || b.size > (1<<63-1)>>4 {
			return errChunk()
		}
		b.size = b.size<<4 | int64(v)
		return nil
	}
	switch {
	case b.digits == 0:
		return errChunk()
	case c == '\r':
		b.state = chunkSizeLF
	case c == ';':
		b.state = chunkExtension
	default:
		return errChunk()
	}
	return nil
}

// extend skips extensions, which nobody has a use for. They can't hold an end
// of line, not even between quotes. The white space that RFC 9112 §7.1.1 has
// recipients bear with before the ";" is refused, as net/http refuses it.
func (b *Body) extend(c byte) error {
	b.extension++
	b.extensions++
	switch {
	case b.extension > maxExtension || b.extensions > maxExtended:
		return refuse(400, "the chunks' extensions are too long")
	case c == '\r':
		b.state = chunkSizeLF
	case !isText(c):
		return errChunk()
	}
	return nil
}

// trailer takes a byte of the fields after the last chunk.
func (b *Body) trailer(c byte) error {
	if b.trailers++; b.trailers > maxTrailers {
		return refuse(431, "the body's trailer fields are too long")
	}
	switch {
	case b.state == trailerStart && c == '\r':
		b.state = endLF
	case b.state == trailerStart && isToken(c):
		b.state = trailerName
	case b.state == trailerName && c == ':':
		b.state = trailerValue
	case b.state == trailerName && isToken(c):
	case b.state == trailerValue && c == '\r':
		b.state = trailerLF
	case b.state == trailerValue && isText(c):
	case b.state == trailerLF && c == '\n':
		b.state = trailerStart
	default:
		return refuse(400, "the body's trailer fields are malformed")
	}
	return nil
}
