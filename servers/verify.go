package servers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"gatewaylab/servers/app"
)

// A Probe is a request that every model must answer with the same bytes. Two
// models that do different work can't be compared, so probes go to each
// before anything is measured.
type Probe struct {
	Method, Target string
	Header         [][2]string
	Body           string
	Chunked        bool // send the body without a Content-Length
}

func (p Probe) String() string { return p.Method + " " + p.Target }

// Probes returns the standard probes.
func Probes() []Probe {
	big := strings.Repeat("0123456789abcdef", 4096) // 64 KiB: more than any buffer on the way
	return []Probe{
		{Method: "GET", Target: "/hello"},
		{Method: "HEAD", Target: "/hello"},
		{Method: "GET", Target: "/wait?ms=1"},
		{Method: "GET", Target: "/cpu?units=2"},
		{Method: "GET", Target: "/mixed?ms=1&units=1"},
		{Method: "GET", Target: "/locked?wait=1&hold=1"},
		{Method: "GET", Target: "/block?ms=1"},
		{Method: "GET", Target: "/upstream?timeout=30000"},
		{Method: "GET", Target: "/db?op=select&key=1000000"},
		{Method: "GET", Target: "/db?op=update&key=7&hold=1"},
		{Method: "GET", Target: "/db?op=update&key=7"},
		{Method: "GET", Target: "/db?key=7"},
		{Method: "GET", Target: "/db?op=slow&ms=1&rows=100"},
		{Method: "GET", Target: "/db?op=drop"},
		{Method: "GET", Target: "/echo?a=1&b=two%20words&a=3", Header: [][2]string{{"X-Lab", "one"}, {"X-Lab", "two"}, {"Accept", "text/plain"}}},
		{Method: "POST", Target: "/echo", Header: [][2]string{{"Content-Type", "text/x-probe"}}, Body: "name=value"},
		{Method: "PUT", Target: "/upload", Body: big},
		{Method: "POST", Target: "/upload", Body: big, Chunked: true},
		{Method: "GET", Target: "/stream?chunks=3&every=1"},
		{Method: "GET", Target: "/bytes?n=100000"},
		{Method: "GET", Target: "/static/style.css"},
		{Method: "GET", Target: "/static/../hello"},
		{Method: "GET", Target: "/ws"},
		{Method: "GET", Target: "/nowhere"},
		{Method: "GET", Target: "/wait?ms=soon"},
	}
}

// Verify sends every probe and compares each answer with what the application
// itself says when it is called directly. The error names the first
// difference. Backing services of the instance must be set up as Verifying
// says.
func (i *Instance) Verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	transport := &http.Transport{DisableCompression: true, TLSClientConfig: unseen()}
	defer transport.CloseIdleConnections()
	for _, p := range Probes() {
		if i.configured.Unserved(p.Target) != "" || i.configured.Model.Interface == "none" && p.Method == "POST" {
			continue
		}
		want, err := i.expected(p)
		if err != nil {
			return fmt.Errorf("probe %s: the application failed: %w", p, err)
		}
		got, err := i.ask(ctx, transport, p)
		if err != nil {
			return fmt.Errorf("probe %s: %w", p, err)
		}
		err = got.differsFrom(want)
		for _, other := range i.allowed(p) {
			if err == nil {
				break
			}
			if want, oerr := expected(other, i.probeHost()); oerr == nil && got.differsFrom(want) == nil {
				err = nil
			}
		}
		if err != nil && !i.ofService(p, got) {
			return fmt.Errorf("probe %s: %w", p, err)
		}
	}
	return nil
}

// ofService says whether a target answered as the application does that has a
// backing service: whether it has one is not known.
func (i *Instance) ofService(p Probe, got *answer) bool {
	if i.configured.Target == nil {
		return false
	}
	path, _, _ := strings.Cut(p.Target, "?")
	for _, s := range Services() {
		if path == s.Route && s.App != nil && got.status == http.StatusOK {
			return true // how many updates there were, for one, is not known either
		}
		if path == s.Route && got.differsFrom(&answer{http.StatusOK, "text/plain; charset=utf-8", []byte(s.Says)}) == nil {
			return true
		}
	}
	return false
}

// allowed are the probes whose answers are as good for p, since the servers on
// the way change the request before the application sees it: one that takes the
// dot segments out of a path, and one that keeps but one of several fields.
func (i *Instance) allowed(p Probe) (others []Probe) {
	m, front := i.configured.Model, i.configured.Front
	if m.Normalises || front != nil && front.Normalises {
		rawPath, query, has := strings.Cut(p.Target, "?")
		other := p
		other.Target = path.Clean(rawPath)
		if strings.HasSuffix(rawPath, "/") && other.Target != "/" {
			other.Target += "/"
		}
		if has {
			other.Target += "?" + query
		}
		others = append(others, other)
	}
	if m.KeepsOne && (front != nil || i.configured.Target != nil) {
		first, last := p, p
		first.Header, last.Header = nil, nil
		for n, h := range p.Header {
			if n == 0 || p.Header[n-1][0] != h[0] {
				first.Header = append(first.Header, h)
			}
			if n+1 == len(p.Header) || p.Header[n+1][0] != h[0] {
				last.Header = append(last.Header, h)
			}
		}
		others = append(others, first, last)
	}
	return others
}

// answer is what must be the same for every model.
type answer struct {
	status      int
	contentType string
	body        []byte
}

const probeHost, probeAgent = "lab.test", "lab-probe"

// probeHost is what probes ask for: of a target its own name, by which whoever
// stands before several may tell them apart.
func (i *Instance) probeHost() string {
	if t := i.configured.Target; t != nil {
		return t.Host
	}
	return probeHost
}

func (i *Instance) ask(ctx context.Context, t http.RoundTripper, p Probe) (*answer, error) {
	var body io.Reader
	if p.Body != "" {
		body = strings.NewReader(p.Body)
		if p.Chunked {
			body = struct{ io.Reader }{body} // hides the length
		}
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, i.URL()+p.Target, body)
	if err != nil {
		return nil, err
	}
	req.Host = i.probeHost()
	req.Header.Set("User-Agent", probeAgent)
	for _, h := range p.Header {
		req.Header.Add(h[0], h[1])
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &answer{resp.StatusCode, resp.Header.Get("Content-Type"), b}, nil
}

func (a *answer) differsFrom(want *answer) error {
	switch {
	case a.status != want.status:
		return fmt.Errorf("answered status %d, the application says %d", a.status, want.status)
	case a.contentType != want.contentType:
		return fmt.Errorf("answered Content-Type %q, the application says %q", a.contentType, want.contentType)
	case !bytes.Equal(a.body, want.body):
		at := 0
		for at < min(len(a.body), len(want.body)) && a.body[at] == want.body[at] {
			at++
		}
		return fmt.Errorf("the bodies (%d and %d bytes) differ at byte %d: answered %q, the application says %q",
			len(a.body), len(want.body), at, excerpt(a.body, at), excerpt(want.body, at))
	}
	return nil
}

func excerpt(b []byte, at int) []byte { return b[max(0, at-20):min(len(b), at+40)] }

// expected is what the application says. With a backing service there is but one
// good answer to a call of it; without, the application's, as to all else.
func (i *Instance) expected(p Probe) (*answer, error) {
	for _, r := range i.services {
		if path, _, _ := strings.Cut(p.Target, "?"); path == r.row.Route {
			if r.app != nil {
				return saidBy(r.app, p, i.probeHost())
			}
			return &answer{http.StatusOK, "text/plain; charset=utf-8", []byte(r.row.Says)}, nil
		}
	}
	return expected(p, i.probeHost())
}

// expected calls the application directly.
func expected(p Probe, host string) (*answer, error) { return saidBy(app.New(), p, host) }

func saidBy(a *app.App, p Probe, host string) (*answer, error) {
	target, query, _ := strings.Cut(p.Target, "?")
	req := &app.Request{
		Method: p.Method,
		Path:   target,
		Query:  query,
		Body:   strings.NewReader(p.Body),
		Length: int64(len(p.Body)),
	}
	merged := map[string]string{"Host": host, "User-Agent": probeAgent}
	order := []string{"Host", "User-Agent"}
	for _, h := range p.Header {
		if have, ok := merged[h[0]]; ok {
			merged[h[0]] = have + ", " + h[1]
			continue
		}
		merged[h[0]] = h[1]
		order = append(order, h[0])
	}
	for _, name := range order {
		req.Header = append(req.Header, app.Field{Name: name, Value: merged[name]})
	}
	var rec recorder
	if err := a.Serve(&rec, req); err != nil {
		return nil, err
	}
	if p.Method == http.MethodHead {
		rec.body = nil
	}
	return &rec.answer, nil
}

// recorder is the app.Response that keeps the answer.
type recorder struct{ answer }

func (r *recorder) Start(status int, header []app.Field) error {
	r.status = status
	for _, f := range header {
		if f.Name == "Content-Type" {
			r.contentType = f.Value
		}
	}
	return nil
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

func (r *recorder) Flush() error { return nil }
