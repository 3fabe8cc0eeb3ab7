package scenarios

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// ParseRequest reads a request, such as
// "POST /upload size=10KB chunked weight=5". Every error is a *GrammarError.
func ParseRequest(text string) (Request, error) {
	p := &textParser{text: text}
	f := newRequestForm()
	if err := p.request(f); err != nil {
		return Request{}, err
	}
	return f.request, nil
}

// request reads up to the end.
func (p *textParser) request(f *requestForm) error {
	if c := p.peek(); !strings.HasPrefix(c.text, "/") {
		p.word()
		if c.key = "method"; !slices.Contains(methods, c.text) {
			return c.fail("expected a path that begins with /, or a method before it, found %s%s", found(c.text), hint(c.text, methods...))
		}
		if err := f.take(c); err != nil {
			return err
		}
	}
	path := p.path()
	if err := f.take(path); err != nil {
		return err
	}
	for !p.done() {
		if err := p.option(f); err != nil {
			return err
		}
	}
	return f.finish(path)
}

// path reads up to white space that is not in braces.
func (p *textParser) path() piece {
	p.skip()
	start, braces := p.at, false
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		if !braces && strings.IndexByte(space, c) >= 0 {
			break
		}
		if c == '{' || c == '}' {
			braces = c == '{'
		}
	}
	c := p.from(start)
	c.key = "path"
	return c
}

func (p *textParser) option(f *requestForm) error {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '=' && strings.IndexByte(space, p.text[p.at]) < 0 {
		p.at++
	}
	key := p.from(start)
	value := p.at < len(p.text) && p.text[p.at] == '='
	keys, flags := requestOptions, requestFlags
	switch {
	case value && slices.Contains(flags, key.text):
		return key.fail("%s takes no value", key.text)
	case value && !slices.Contains(keys, key.text):
		return key.fail("a request has no option %q%s", key.text, hint(key.text, append(slices.Clone(keys), flags...)...))
	case value:
		p.at++
		c, err := p.value(key.text)
		if err != nil {
			return err
		}
		if key.text == "header" {
			return f.header(c)
		}
		return f.takeOnce(key, c)
	case slices.Contains(keys, key.text):
		return key.fail("expected %s=VALUE, found %q", key.text, key.text)
	case !slices.Contains(flags, key.text):
		return key.fail("expected an option or a flag, found %q%s", key.text, hint(key.text, append(slices.Clone(keys), flags...)...))
	}
	key.key = key.text
	return f.takeOnce(key, key)
}

var (
	requestOptions = []string{"name", "weight", "size", "body", "header"}
	requestFlags   = []string{"chunked", "stream", "fault"}
	// requestKeys are the parts of a request, as keys of a mapping.
	requestKeys = append(append([]string{"method", "path"}, requestOptions...), requestFlags...)
)

// A requestForm gathers the parts of a request that its text, or a mapping,
// gives.
type requestForm struct {
	request Request
	given   map[string]piece
}

func newRequestForm() *requestForm {
	return &requestForm{request: Request{Method: http.MethodGet}, given: map[string]piece{}}
}

func (f *requestForm) takeOnce(key, c piece) error {
	if _, twice := f.given[key.text]; twice {
		return key.fail("%s is given twice", key.text)
	}
	return f.take(c)
}

// take checks one part and puts it into the request; header fields have a
// function of their own.
func (f *requestForm) take(c piece) (err error) {
	r := &f.request
	f.given[c.key] = c
	switch c.key {
	case "method":
		if !slices.Contains(methods, c.text) {
			return c.fail("no method is called %s%s", found(c.text), servers.Nearest(c.text, methods))
		}
		r.Method = c.text
	case "path":
		r.Path = c.text
		err = checkPath(c)
	case "name":
		r.Name, err = c.named()
	case "weight":
		r.Weight, err = c.weight()
	case "size":
		r.Size, err = c.size()
	case "body":
		if r.Body = c.text; len(r.Body) > maxScenarioFile {
			err = c.fail("expected a body of at most %s, found one of %s", sizeText(maxScenarioFile), sizeText(float64(len(r.Body))))
		}
	case "chunked":
		r.Chunked, err = c.truth()
	case "stream":
		r.Stream, err = c.truth()
	case "fault":
		r.Fault, err = c.truth()
	}
	return err
}

func checkPath(c piece) error {
	if _, err := load.Mean(c.text); err != nil {
		return c.wrong(max(0, strings.IndexByte(c.text, '{')), err.Error())
	}
	depth := 0
	for i, r := range c.text {
		switch {
		case r == '{':
			depth = 1
		case r == '}':
			depth = 0
		case depth == 0 && (r <= ' ' || r >= 0x7f || r == '#' || r == '\\'):
			return c.wrong(i, "expected a path of characters that a URL may hold, found "+strconv.QuoteRune(r)+
				"; write it as %XX, and white space only in braces")
		}
	}
	mean, _ := load.Mean(c.text)
	if u, err := url.ParseRequestURI(mean); err != nil || !strings.HasPrefix(c.text, "/") || u.Host != "" {
		return c.fail("expected a path such as /wait?ms=50, found %s", found(c.text))
	}
	return nil
}

// header takes one field:value.
func (f *requestForm) header(c piece) error {
	key, value, ok := strings.Cut(c.text, ":")
	if !ok {
		return c.fail("expected a header field such as Accept:text/plain, found %s", found(c.text))
	}
	return f.field(c, key, strings.TrimSpace(value))
}

// own are header fields that follow from the rest of the request.
var own = []string{"Content-Length", "Transfer-Encoding", "Connection", "Upgrade"}

// field takes a header field; c is where it stands.
func (f *requestForm) field(c piece, key, value string) error {
	name := http.CanonicalHeaderKey(key)
	switch _, twice := f.request.Header[name]; {
	case !httpguts.ValidHeaderFieldName(key) || !httpguts.ValidHeaderFieldValue(value):
		return c.fail("expected a header field such as Accept: text/plain, found %q: %q", key, value)
	case slices.Contains(own, name):
		return c.fail("header %s follows from the request and its load; leave it out", name)
	case twice:
		return c.fail("header %s is given twice", name)
	}
	if f.request.Header == nil {
		f.request.Header = map[string]string{}
	}
	f.request.Header[name] = value
	return nil
}

// finish checks what the parts say together; at is where the request stands.
func (f *requestForm) finish(at piece) error {
	if f.request.Path == "" {
		return at.fail("request lacks path")
	}
	if c, ok := f.given["size"]; ok && f.request.Body != "" {
		return c.fail("a request has either a body or, with size, a made-up one, not both")
	}
	return nil
}

// RequestText is the text form of a request, from which ParseRequest makes
// the same again.
func RequestText(r Request) string {
	var b strings.Builder
	if r.Method != "" {
		b.WriteString(r.Method + " ")
	}
	b.WriteString(r.Path)
	add := func(key, value string) { b.WriteString(" " + key + "=" + value) }
	if r.Name != "" {
		add("name", r.Name)
	}
	if r.Weight != 0 {
		add("weight", numberText(r.Weight))
	}
	if r.Size != 0 {
		add("size", sizeText(float64(r.Size)))
	}
	if r.Body != "" {
		add("body", valueText(r.Body))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Header)) {
		add("header", valueText(k+":"+r.Header[k]))
	}
	for _, flag := range []struct {
		name string
		on   bool
	}{{"chunked", r.Chunked}, {"stream", r.Stream}, {"fault", r.Fault}} {
		if flag.on {
			b.WriteString(" " + flag.name)
		}
	}
	return b.String()
}

// ParseEntry reads a model of a scenario: its spec, or "NAME = SPEC". The
// name is an identifier, so that expectations can use it as it stands. Its
// errors are those of servers.Resolve or *GrammarError.
func ParseEntry(text string) (Entry, error) {
	e := Entry{Spec: strings.Trim(text, space)}
	if name, spec, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(name, ":+") {
		p := &textParser{text: text}
		c := piece{text: strings.Trim(name, space), wrong: func(_ int, msg string) error { return p.fail(0, "%s", msg) }}
		var err error
		if e.As, err = c.identifier(); err != nil {
			return Entry{}, err
		}
		e.Spec = strings.Trim(spec, space)
	}
	_, err := servers.Resolve(e.Spec)
	return e, err
}

func (c piece) identifier() (string, error) {
	for i, r := range c.text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return "", c.fail("expected a name of letters, digits and _ that doesn't begin with a digit, as in two = prefork:workers=2, found %q", c.text)
		}
	}
	if c.text == "" || len(c.text) > maxName {
		return "", c.fail("expected a name of 1 to %d letters, digits and _, found %q", maxName, c.text)
	}
	return c.text, nil
}
