package load

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Request is one kind of request that hits send.
type Request struct {
	Name   string  // what results call it
	Weight float64 // how often it is sent, beside the others; 0 is 1
	Method string  // GET if empty
	// URL is http://host:port/path?query; with https for H2 and ws for
	// WebSocket. In the path and the query, a part
	// in braces is drawn anew for each hit, as a whole number:
	//
	//	{exponential 50}   from an exponential distribution with the mean 50
	//	{uniform 10 90}    from 10 to 90, each as likely
	URL    string
	Header http.Header
	Body   []byte
	// Size, if Body is empty, is how many bytes of a fixed pattern the body has.
	Size int64
	// Chunked sends the body in chunks of up to 16 KiB, its length untold.
	Chunked bool
	// Stream has the gaps between the pieces of the response noted.
	Stream bool
	// Fault marks a request that is meant to do harm.
	Fault bool
}

// chunkSent is the size of the chunks of a chunked request body.
const chunkSent = 16 << 10

// size is how long the request's body is.
func (r *Request) size() int64 {
	if len(r.Body) > 0 {
		return int64(len(r.Body))
	}
	return r.Size
}

// body is the request's body.
func (r *Request) body() []byte {
	if len(r.Body) > 0 || r.Size == 0 {
		return r.Body
	}
	const pattern = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	return bytes.Repeat([]byte(pattern), int(r.Size)/len(pattern)+1)[:r.Size]
}

// A prepared request is encoded as far as can be.
type prepared struct {
	request  *Request
	protocol Protocol
	fixed    *message // nil if something is drawn
	parts    []string // of the URL, with a draw between each two
	draws    []draw
	chunks   []byte // the body, if it is chunked
	body     []byte
}

// prepare encodes the attack's requests and sums their weights up.
func (a *Attack) prepare() (all []*prepared, upTo []float64, err error) {
	if len(a.Requests) == 0 {
		return nil, nil, fmt.Errorf("attack sends no request")
	}
	sum := 0.0
	for i := range a.Requests {
		r := &a.Requests[i]
		p, err := r.prepareFor(a.Protocol)
		if err != nil {
			if len(a.Requests) > 1 {
				return nil, nil, fmt.Errorf("request %d: %w", i+1, err)
			}
			return nil, nil, fmt.Errorf("request: %w", err)
		}
		if r.Weight < 0 || math.IsInf(r.Weight, 0) || math.IsNaN(r.Weight) {
			return nil, nil, fmt.Errorf("request %d: weight %v must be above 0", i+1, r.Weight)
		}
		sum += r.weight()
		all, upTo = append(all, p), append(upTo, sum)
	}
	for i := range upTo {
		upTo[i] /= sum
	}
	return all, upTo, nil
}

func (r *Request) weight() float64 {
	if r.Weight == 0 {
		return 1
	}
	return r.Weight
}

func (r *Request) prepare() (*prepared, error) { return r.prepareFor(HTTP1) }

func (r *Request) prepareFor(protocol Protocol) (*prepared, error) {
	if r.Size < 0 {
		return nil, fmt.Errorf("body of %d bytes: it must be 0 or more", r.Size)
	}
	p := &prepared{request: r, protocol: protocol, body: r.body()}
	if r.Chunked {
		p.chunks = chunk(p.body)
	}
	var err error
	if p.parts, p.draws, err = parseDraws(r.URL); err != nil {
		return nil, err
	}
	m, err := p.encode(p.url(rand.New(rand.NewPCG(0, 0)))) // finds what is wrong with the request, drawn or not
	if err != nil {
		return nil, err
	}
	if len(p.draws) == 0 {
		p.fixed = m
	}
	return p, nil
}

// What tells the random numbers of one purpose from those of another.
const (
	drawing = 0x64726177
	mixing  = 0x6d6978
)

// message is what a hit sends; number is the hit's.
func (p *prepared) message(seed, number uint64) *message {
	if p.fixed != nil {
		return p.fixed
	}
	m, err := p.encode(p.url(rand.New(rand.NewPCG(seed, number^drawing))))
	if err != nil {
		panic("load: a number makes the request impossible: " + err.Error()) // prepare has tried one
	}
	return m
}

// pick chooses the request of a hit.
func (r *run) pick(number uint64) int { return pick(r.weights, r.attack.Seed, number) }

// pick chooses the request of a hit by the cumulative weights of all.
func pick(weights []float64, seed, number uint64) int {
	if len(weights) == 1 {
		return 0
	}
	var pcg rand.PCG
	pcg.Seed(seed, number^mixing)
	x := float64(pcg.Uint64()>>11) / (1 << 53)
	for i, upTo := range weights {
		if x < upTo {
			return i
		}
	}
	return len(weights) - 1
}

// encode makes the message of one URL.
func (p *prepared) encode(url string) (*message, error) {
	req, err := http.NewRequest(p.request.Method, url, nil)
	if err != nil {
		return nil, err
	}
	if p.request.Header != nil {
		req.Header = p.request.Header.Clone()
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	length := int64(len(p.body))
	if p.request.Chunked {
		length = -1
	}
	if length != 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(nil)), length
	}
	m := &message{
		of: p, req: req, url: req.URL,
		toHEAD: req.Method == http.MethodHead, replay: Idempotent(req.Method), gaps: p.request.Stream,
	}
	if err := m.setAddr(req.URL, p.protocol); err != nil {
		return nil, err
	}
	for _, wire := range []*[]byte{&m.wire, &m.last} {
		head, err := encodeHead(req, length)
		if err != nil {
			return nil, err
		}
		*wire = append(head, p.content()...)
		req.Close = true
	}
	req.Close = false
	if _, given := req.Header["User-Agent"]; !given {
		req.Header.Set("User-Agent", userAgent)
	}
	return m, nil
}

// content is what follows the head.
func (p *prepared) content() []byte {
	if p.request.Chunked {
		return p.chunks
	}
	return p.body
}

// chunk encodes a body in chunks (RFC 9112 section 7.1).
func chunk(body []byte) []byte {
	var b bytes.Buffer
	for len(body) > 0 {
		n := min(len(body), chunkSent)
		b.WriteString(strconv.FormatInt(int64(n), 16) + "\r\n")
		b.Write(body[:n])
		b.WriteString("\r\n")
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// A draw is a number that each hit has one of its own of.
type draw struct {
	exponential bool
	a, b        float64 // the mean; or from a to b
}

func (d draw) from(rng *rand.Rand) int64 {
	if d.exponential {
		return int64(math.Round(rng.ExpFloat64() * d.a))
	}
	return int64(d.a) + rng.Int64N(int64(d.b)-int64(d.a)+1)
}

// parseDraws splits a URL at its draws.
func parseDraws(url string) (parts []string, draws []draw, err error) {
	for {
		before, rest, found := strings.Cut(url, "{")
		parts = append(parts, before)
		if !found {
			return parts, draws, nil
		}
		text, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, nil, fmt.Errorf("%q has a { without a }", url)
		}
		d, err := parseDraw(text)
		if err != nil {
			return nil, nil, err
		}
		draws, url = append(draws, d), after
	}
}

func parseDraw(text string) (d draw, err error) {
	bad := fmt.Errorf("expected {exponential MEAN} or {uniform LOW HIGH}, found {%s}", text)
	words := strings.Fields(text)
	numbers := make([]float64, max(0, len(words)-1))
	for i := range numbers {
		if numbers[i], err = strconv.ParseFloat(words[i+1], 64); err != nil || !(numbers[i] >= 0) || numbers[i] > 1e9 {
			return d, bad
		}
	}
	switch {
	case len(words) == 2 && words[0] == "exponential" && numbers[0] > 0:
		return draw{exponential: true, a: numbers[0]}, nil
	case len(words) == 3 && words[0] == "uniform" && (numbers[0] != math.Trunc(numbers[0]) || numbers[1] != math.Trunc(numbers[1])):
		return d, fmt.Errorf("expected whole numbers, found {%s}", text)
	case len(words) == 3 && words[0] == "uniform" && numbers[0] <= numbers[1]:
		return draw{a: numbers[0], b: numbers[1]}, nil
	}
	return d, bad
}

// Mean is a URL, or a path, with the mean of each draw in its place.
func Mean(url string) (string, error) {
	p := &prepared{}
	var err error
	if p.parts, p.draws, err = parseDraws(url); err != nil {
		return "", err
	}
	var b strings.Builder
	for i, d := range p.draws {
		b.WriteString(p.parts[i])
		mean := d.a
		if !d.exponential {
			mean = (d.a + d.b) / 2
		}
		b.WriteString(strconv.FormatFloat(math.Round(mean), 'f', -1, 64))
	}
	b.WriteString(p.parts[len(p.parts)-1])
	return b.String(), nil
}

// url puts drawn numbers into the URL.
func (p *prepared) url(rng *rand.Rand) string {
	return p.filled(func(_ int, d draw) int64 { return d.from(rng) })
}

// filled is the URL with numbers in the place of its draws.
func (p *prepared) filled(number func(int, draw) int64) string {
	if len(p.draws) == 0 {
		return p.parts[0]
	}
	var b strings.Builder
	for i, d := range p.draws {
		b.WriteString(p.parts[i])
		b.WriteString(strconv.FormatInt(number(i, d), 10))
	}
	b.WriteString(p.parts[len(p.parts)-1])
	return b.String()
}

// call implements caller.
func (t *Transport) call(m *message, f *flight, now time.Duration) {
	var c *conn
	if c, f.err = t.exchange(background, m, t.deadline(now)); f.err == nil {
		if c.take(m, f); f.err == nil {
			t.finish(c)
		} else {
			t.drop(c)
		}
	}
	if f.err != nil {
		f.done = time.Since(t.epoch)
		f.cut = t.ctx.Err() != nil
	}
}

// take reads the answer whose head has come, and notes it in f.
func (c *conn) take(m *message, f *flight) {
	f.code, f.firstByte, f.reused = c.head.code, c.first, c.reused
	if kindOfCode(f.code) != "" {
		f.status = c.head.reason()
	}
	if m.gaps {
		f.bytes, f.gaps, f.err = c.body.timed(f.gaps)
	} else {
		f.bytes, f.err = c.body.discard()
	}
	f.done = c.in.at
}
