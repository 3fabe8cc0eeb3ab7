package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios/load"
)

// crowdKinds are the words that say what a crowd does, and keys of its mapping.
var crowdKinds = []string{string(load.SlowSend), string(load.SlowRead), string(load.Idle), string(load.Periodic)}

// ParseCrowd reads clients beside the load, such as
// "4 slow-send at 100B/s POST /upload size=10KB". Every error is a
// *GrammarError.
func ParseCrowd(text string) (Crowd, error) {
	p := &textParser{text: text}
	f := newCrowdForm()
	if c, ok := p.name(); ok {
		if err := f.take(c); err != nil {
			return Crowd{}, err
		}
	}
	clients, kind := p.word(), p.word()
	if _, err := clients.count("a number of clients", 1, MaxClients); err != nil {
		return Crowd{}, err
	}
	if !slices.Contains(crowdKinds, kind.text) {
		return Crowd{}, kind.fail("expected what the clients do, found %s%s", found(kind.text), hint(kind.text, crowdKinds...))
	}
	clients.key = kind.text
	if err := f.take(clients); err != nil {
		return Crowd{}, err
	}
	for _, part := range [][2]string{{"at", "rate"}, {"every", "every"}} {
		if p.keyword(part[0]) {
			if err := f.take(p.after(part[1])); err != nil {
				return Crowd{}, err
			}
		}
	}
	if c := p.peek(); c.text != "" {
		if c.text[0] != '/' && !slices.Contains(methods, c.text) {
			return Crowd{}, c.fail("expected at BYTES/s, every DURATION or a request such as GET /hello, found %q%s",
				c.text, hint(c.text, append([]string{"at", "every"}, methods...)...))
		}
		f.asks, f.requested = newRequestForm(), c
		if err := p.request(f.asks); err != nil {
			return Crowd{}, err
		}
	}
	if err := f.finish(); err != nil {
		return Crowd{}, err
	}
	return f.crowd, nil
}

// A crowdForm gathers the parts of a crowd that its text, or a mapping, gives.
type crowdForm struct {
	crowd     Crowd
	kind      piece // that said the kind
	given     map[string]piece
	asks      *requestForm // nil: no request was given
	requested piece        // where
}

func newCrowdForm() *crowdForm { return &crowdForm{given: map[string]piece{}} }

// crowdKeys are the parts of a crowd, as keys of a mapping, besides request.
var crowdKeys = append([]string{"name", "rate", "every"}, crowdKinds...)

func (f *crowdForm) take(c piece) (err error) {
	f.given[c.key] = c
	switch c.key {
	case "name":
		f.crowd.Name, err = c.named()
	case "rate":
		f.crowd.Rate, err = c.byteRate()
	case "every":
		f.crowd.Every, err = c.duration(minLength)
	default:
		if f.kind.key != "" {
			return c.fail("clients do one thing, and these are %s already; several crowds stand in a list", f.kind.key)
		}
		f.kind, f.crowd.Kind = c, load.CrowdKind(c.key)
		f.crowd.Clients, err = c.count("a number of clients", 1, MaxClients)
	}
	return err
}

// idlePause is how soon a client opens an idle connection anew that the
// server has closed, if nothing else is said.
const idlePause = time.Second

// finish checks what the parts say together.
func (f *crowdForm) finish() error {
	c := &f.crowd
	slow := c.Kind == load.SlowSend || c.Kind == load.SlowRead
	if rate, ok := f.given["rate"]; ok && !slow {
		return rate.fail("%s clients have no rate; it belongs to slow-send, slow-read", c.Kind)
	}
	if every, ok := f.given["every"]; ok && slow {
		return every.fail("%s clients go on without a pause; every belongs to idle, periodic", c.Kind)
	}
	switch {
	case slow && c.Rate == 0:
		return f.kind.fail("%s lacks the rate of each client, such as 100B/s", c.Kind)
	case c.Kind == load.Periodic && c.Every == 0:
		return f.kind.fail("periodic lacks how often each client sends, such as every 5s")
	case c.Kind == load.SlowRead && f.asks == nil:
		return f.kind.fail("slow-read lacks a request with a long answer, such as GET /bytes?n=100000")
	case c.Kind == load.SlowSend && f.asks == nil:
		return f.kind.fail("slow-send lacks a request with a body, such as POST /upload size=10KB")
	case c.Kind == load.Idle && c.Every == 0:
		c.Every = idlePause
	}
	if f.asks == nil {
		c.Request = Request{Method: http.MethodGet, Path: "/hello"}
		return nil
	}
	c.Request = f.asks.request
	for _, key := range []string{"name", "weight", "stream", "fault"} {
		if no, ok := f.asks.given[key]; ok {
			return no.fail("the request of a crowd has no %s", key)
		}
	}
	if c.Kind == load.SlowSend && c.Request.Size == 0 && c.Request.Body == "" {
		return f.requested.fail("slow-send needs a request with a body, such as POST /upload size=10KB")
	}
	return nil
}

// CrowdText is the text form of a crowd, from which ParseCrowd makes the same
// again.
func CrowdText(c Crowd) string {
	var b strings.Builder
	if c.Name != "" {
		b.WriteString(c.Name + ": ")
	}
	fmt.Fprintf(&b, "%d %s", c.Clients, c.Kind)
	if c.Rate > 0 {
		b.WriteString(" at " + sizeText(c.Rate) + "/s")
	}
	if c.Every > 0 {
		b.WriteString(" every " + durationText(c.Every))
	}
	if c.Request.Path != "" {
		b.WriteString(" " + RequestText(c.Request))
	}
	return b.String()
}
