package trace

import (
	"fmt"
	"sync"
	"time"

	"gatewaylab/servers/trace/recorder"
)

// Limit is how much of one stream is kept: what comes after is passed on and
// counted.
const Limit = recorder.Limit

func gap(where string, from, to int) string { return fmt.Sprintf("%s: bytes %d–%d", where, from, to) }

// A recording is a stream that is being recorded.
type recording struct {
	mu      sync.Mutex
	bytes   []byte
	chunks  []Chunk
	dropped int64
}

// note keeps what has just arrived.
func (r *recording) note(at time.Duration, p []byte) {
	if len(p) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := min(len(p), Limit-len(r.bytes))
	r.bytes = append(r.bytes, p[:keep]...)
	r.dropped += int64(len(p) - keep)
	if keep > 0 {
		r.chunks = append(r.chunks, Chunk{at, keep})
	}
}

// drop counts what was not kept.
func (r *recording) drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped += int64(n)
}

// forget drops what has been recorded so far.
func (r *recording) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes, r.chunks, r.dropped = nil, nil, 0
}

func (r *recording) size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.bytes)) + r.dropped
}

func (r *recording) stream(name string, forward bool) Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stream{Name: name, Forward: forward, Bytes: r.bytes, Chunks: r.chunks, Dropped: r.dropped}
}

// when says when the byte at an offset arrived; past the end, when the last
// one did.
func (s *Stream) when(offset int) time.Duration {
	end := 0
	for _, c := range s.Chunks {
		if end += c.Length; offset < end {
			return c.At
		}
	}
	if len(s.Chunks) == 0 {
		return 0
	}
	return s.Chunks[len(s.Chunks)-1].At
}

// timed fills in when the messages of a stream crossed. A body that came in
// pieces is divided into these, so that each has its time.
func (s *Stream) timed(messages []Message) (all []Message) {
	for _, m := range messages {
		m.Stream = s.Name
		m.At = s.when(m.Offset)
		m.Until = s.when(max(m.Offset, m.Offset+m.Length-1))
		if m.body && m.Until-m.At >= pause {
			all = append(all, s.pieces(m)...)
			continue
		}
		all = append(all, m)
	}
	return all
}

// pause is how far apart the pieces of a body come for them to be told apart.
const pause = time.Millisecond

// pieces divides a body's message.
func (s *Stream) pieces(m Message) (pieces []Message) {
	begin, end := 0, 0
	for _, c := range s.Chunks {
		begin, end = end, end+c.Length
		from, to := max(begin, m.Offset), min(end, m.Offset+m.Length)
		if from >= to {
			continue
		}
		if n := len(pieces); n > 0 && c.At-pieces[n-1].Until < pause {
			pieces[n-1].Length += to - from
			pieces[n-1].Until = c.At
			continue
		}
		pieces = append(pieces, Message{Stream: m.Stream, Short: m.Short, At: c.At, Until: c.At, Offset: from, Length: to - from})
	}
	for i := range pieces {
		p := &pieces[i]
		p.What = fmt.Sprintf("%s, piece %d of %d", m.What, i+1, len(pieces))
		f := m.Fields[0]
		f.Offset, f.Length, f.Value = p.Offset, p.Length, quote(s.Bytes[p.Offset:p.Offset+p.Length])
		p.Fields = []Field{f}
	}
	return pieces
}
