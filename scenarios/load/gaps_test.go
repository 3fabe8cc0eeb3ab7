package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A told reader tells before each read, which is when all it has read before
// has been consumed.
type told struct {
	io.Reader
	tell func()
}

func (r told) Read(p []byte) (int, error) {
	r.tell()
	return r.Reader.Read(p)
}

// streamed does an exchange with a server that writes pieces, each when wait
// has passed since the client consumed the one before it.
func streamed(t *testing.T, wait time.Duration, pieces []string) flight {
	t.Helper()
	consumed := make(chan struct{}, 1)
	url := scripted(t, thenHold(func(t *testing.T, c net.Conn, in *bufio.Reader) {
		if req, _ := takeRequest(t, in); req == nil {
			return
		}
		for i, p := range pieces {
			if i > 0 {
				<-consumed
				time.Sleep(wait)
			}
			// A piece may take several reads: only what follows it is waited for.
			select {
			case <-consumed:
			default:
			}
			_, _ = io.WriteString(c, p)
		}
	}))
	tr := newTransport(t, patient)
	p, err := (&Request{URL: url, Stream: true}).prepare()
	if err != nil {
		t.Fatal(err)
	}
	m, by := p.message(0, 0), tr.deadline(0)
	c, err := tr.dial(background, m, by)
	if err != nil {
		t.Fatal(err)
	}
	began := true
	c.in.src = told{c.in.src, func() {
		if began { // nothing has come yet
			began = false
			return
		}
		select {
		case consumed <- struct{}{}:
		default:
		}
	}}
	var f flight
	if err := c.converse(background, m, by); err != nil {
		t.Fatal(err)
	}
	if c.take(m, &f); f.err != nil {
		t.Fatal(f.err)
	}
	tr.finish(c)
	return f
}

func TestGaps(t *testing.T) {
	t.Parallel()
	const head, length = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
	const a, b, end = "3\r\nabc\r\n", "4\r\ndefg\r\n", "0\r\n\r\n"
	for _, c := range []struct {
		name   string
		pieces []string
		gaps   int
		bytes  int64
		waits  int // between the first byte and the last
	}{
		{"head and pieces apart", []string{head, a, b, a, end}, 2, 10, 4},
		{"head and first piece together", []string{head + a, b, a + end}, 2, 10, 2},
		{"all together", []string{head + a + b + a + end}, 0, 10, 0},
		{"two pieces together", []string{head, a + b, a + end}, 1, 10, 2},
		{"one piece", []string{head, a, end}, 0, 3, 2},
		{"none", []string{head, end}, 0, 0, 1},
		{"head in two parts", []string{head[:9], head[9:] + a, b + end}, 1, 7, 2},
		{"counted", []string{length + "abc", "def", "ghi"}, 2, 9, 2},
		{"counted, head apart", []string{length, "abc", "def", "ghi"}, 2, 9, 3},
		// The pause is between chunks, whatever lies between their reads.
		{"size and content apart", []string{head + a, "4\r\n", "defg\r\n" + end}, 1, 7, 2},
		{"end of chunk apart", []string{head + "3\r\nabc", "\r\n" + b + end}, 1, 7, 1},
		{"a chunk in two parts", []string{head + "3\r\na", "bc\r\n" + b + end}, 0, 7, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const wait = 10 * time.Millisecond
			f := streamed(t, wait, c.pieces)
			if len(f.gaps) != c.gaps || f.bytes != c.bytes {
				t.Errorf("gaps %v in %d bytes, want %d in %d", f.gaps, f.bytes, c.gaps, c.bytes)
			}
			var sum time.Duration
			for _, g := range f.gaps {
				if g < wait {
					t.Errorf("a gap of %v, and the server waited %v", g, wait)
				}
				sum += g
			}
			if took := f.done - f.firstByte; sum > took || took < time.Duration(c.waits)*wait {
				t.Errorf("gaps of %v together in %v", sum, took)
			}
		})
	}
}

// However long the pieces are, n of them have n−1 gaps between them. In time
// that a test makes, the gaps are exact.
func TestGapsOfLongPieces(t *testing.T) {
	for _, size := range []int{1, narrowBuffer - 1, narrowBuffer, narrowBuffer + 1, 3 * wideBuffer} {
		synctest.Test(t, func(t *testing.T) {
			const n, wait = 5, 70 * time.Millisecond
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				for i := range n {
					if i > 0 {
						time.Sleep(wait)
					}
					_, _ = fmt.Fprintf(server, "%x\r\n%s\r\n", size, strings.Repeat("x", size))
				}
				_, _ = io.WriteString(server, "0\r\n\r\n")
			}()
			tr := NewTransport(0)
			defer tr.Close()
			in := reader{src: client, epoch: time.Now(), buf: make([]byte, narrowBuffer), lender: &tr.wide}
			var b body
			b.frame(&in, &head{code: 200, length: -1, chunked: true}, false)
			got, gaps, err := b.timed(nil)
			if err != nil || got != int64(n*size) || len(gaps) != n-1 {
				t.Errorf("%d pieces of %d bytes: %d bytes, gaps %v, %v", n, size, got, gaps, err)
			}
			for _, g := range gaps {
				if g != wait {
					t.Errorf("pieces of %d bytes: a gap of %v, want %v", size, g, wait)
				}
			}
		})
	}
}

// An attack hands the gaps on; another request of it has none.
func TestHitsHaveGaps(t *testing.T) {
	t.Parallel()
	const n = 4
	url := scripted(t, func(t *testing.T, c net.Conn, in *bufio.Reader) {
		for {
			req, _ := takeRequest(t, in)
			if req == nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range n {
				time.Sleep(5 * time.Millisecond)
				_, _ = io.WriteString(c, "2\r\nhi\r\n")
			}
			_, _ = io.WriteString(c, "0\r\n\r\n")
		}
	})
	a := &Attack{
		Stages: arriving(100, 200*time.Millisecond), Timeout: patient,
		Requests: []Request{{Name: "streamed", URL: url, Stream: true}, {Name: "whole", URL: url}},
	}
	var gaps, streams, hits int
	_, err := a.Run(t.Context(), nil, func(h *Hit) {
		if h.Kind != "" || h.Bytes != 2*n || h.FirstByte <= 0 || h.FirstByte > h.Latency || h.Request == 1 && len(h.Gaps) > 0 {
			t.Errorf("%+v", h)
		}
		if len(h.Gaps) > n-1 { // pieces that the client was late for came together
			t.Errorf("%d gaps between %d pieces", len(h.Gaps), n)
		}
		var sum time.Duration
		for _, g := range h.Gaps {
			sum += g
		}
		if sum > h.Latency-h.FirstByte {
			t.Errorf("gaps of %v together in %v", sum, h.Latency-h.FirstByte)
		}
		if h.Request == 0 {
			streams++
			gaps += len(h.Gaps)
		}
		hits++
	})
	if err != nil || streams == 0 || streams == hits || gaps == 0 {
		t.Errorf("%v; %d gaps in %d of %d hits", err, gaps, streams, hits)
	}
}
