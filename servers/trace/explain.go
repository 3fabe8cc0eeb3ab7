package trace

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// explain says of each variable and header field what it is for and where its
// value came from. Nothing is taken on trust: an origin is named only where the
// value there is the one that was recorded here.
func (t *Trace) explain() {
	for i := range t.Hops {
		h := &t.Hops[i]
		o := &origin{hop: t.before(i)}
		o.read()
		for j := range h.Messages {
			m := &h.Messages[j]
			s := h.Stream(m.Stream)
			if s == nil {
				continue
			}
			if s.Forward {
				o.explain(h, m.Fields)
			} else {
				t.answered(i, m.Fields)
			}
		}
	}
}

// before is the hop that led to where hop i begins; nil for the first.
func (t *Trace) before(i int) *Hop {
	for j := i - 1; j >= 0; j-- {
		if t.Hops[j].To == t.Hops[i].From {
			return &t.Hops[j]
		}
	}
	return nil
}

func (h *Hop) name() string { return h.From + " → " + h.To }

// An origin is a hop in which values of the next are looked for.
type origin struct {
	hop                     *Hop
	method, target, version string
	headers                 []Field
	variables               map[string]Field
}

// read reads what the origin's request says.
func (o *origin) read() {
	o.variables = map[string]Field{}
	if o.hop == nil {
		return
	}
	for i := range o.hop.Messages {
		m := &o.hop.Messages[i]
		if s := o.hop.Stream(m.Stream); s == nil || !s.Forward {
			continue
		}
		if o.method == "" {
			o.method, o.target, o.version = find(m.Fields, roleMethod), find(m.Fields, roleTarget), find(m.Fields, roleVersion)
		}
		for _, f := range m.Fields {
			switch f.role {
			case roleHeader:
				o.headers = append(o.headers, f)
			case roleVariable:
				o.variables[f.Name] = f
			}
		}
	}
}

// explain explains the fields of a message that goes inwards.
func (o *origin) explain(h *Hop, fields []Field) {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.role == roleVariable && h.Protocol == "ASGI":
			o.scope(f)
		case f.role == roleVariable:
			o.variable(h, f)
		case f.role == roleHeader && o.hop != nil:
			f.Source = o.forwarded(h, f)
		case f.role == roleHeader:
			f.Source = "the client"
		}
	}
}

// variable explains one CGI variable, or one of those that WSGI added.
func (o *origin) variable(h *Hop, f *Field) {
	know, ok := variables()[f.Name]
	if !ok && strings.HasPrefix(f.Name, "HTTP_") {
		know = variables()["HTTP_"]
	}
	if know.meaning != "" {
		f.Meaning, f.Reference = know.meaning, know.reference
	}
	switch before, has := o.variables[f.Name]; {
	case has && before.Value == f.Value:
		f.Source = fmt.Sprintf("the variable of %s, unchanged", o.hop.name())
	case has:
		f.Source = fmt.Sprintf("%s, which changed it: it was %q in %s", h.From, before.Value, o.hop.name())
	case strings.HasPrefix(f.Name, "HTTP_") && o.method != "":
		f.Source = o.fromField(f.Name, f.Value)
	case know.source != nil && o.method != "":
		f.Source = know.source(o, f.Value)
	}
	if f.Source == "" && know.own != "" {
		f.Source = strings.ReplaceAll(know.own, "SERVER", h.From)
	}
	if f.Source == "" {
		f.Source = h.From + " itself: its configuration or its environment"
	}
}

// forwarded tells where a header field of a request came from that a front has
// sent on.
func (o *origin) forwarded(h *Hop, f *Field) string {
	changed := ""
	for _, before := range o.headers {
		if strings.EqualFold(before.Name, f.Name) {
			if before.Value == f.Value {
				return fmt.Sprintf("the field of %s, unchanged", o.hop.name())
			}
			changed = fmt.Sprintf("%s, which changed it: it was %q in %s", h.From, before.Value, o.hop.name())
		}
	}
	if changed != "" {
		return changed
	}
	if host, _, err := net.SplitHostPort(o.hop.Local); err == nil && strings.Contains(f.Value, host) && strings.HasPrefix(strings.ToLower(f.Name), "x-") {
		return fmt.Sprintf("%s, from the socket: the other end of %s is %s", h.From, o.hop.name(), o.hop.Local)
	}
	return h.From + ", which added it"
}

// answered tells where the header fields of an answer came from: from further
// in, or from the party that gave it.
func (t *Trace) answered(i int, fields []Field) {
	h := &t.Hops[i]
	for k := range fields {
		f := &fields[k]
		if f.role != roleHeader {
			continue
		}
		f.Source = h.To
		for j := range t.Hops {
			in := &t.Hops[j]
			if in.From != h.To {
				continue
			}
			if v, ok := in.answer(f.Name); ok && v == f.Value {
				f.Source = fmt.Sprintf("the field of %s, unchanged", in.name())
			} else if ok {
				f.Source = fmt.Sprintf("%s, which changed it: it was %q in %s", h.To, v, in.name())
			}
		}
	}
}

// answer finds a field of a hop's answer.
func (h *Hop) answer(name string) (string, bool) {
	for i := range h.Messages {
		m := &h.Messages[i]
		if s := h.Stream(m.Stream); s == nil || s.Forward {
			continue
		}
		for _, f := range m.Fields {
			if f.role == roleHeader && strings.EqualFold(f.Name, name) {
				return f.Value, true
			}
		}
	}
	return "", false
}

// Sources. Each names the place in an HTTP request, or the socket, that a value
// came from, and is empty where the value isn't the one that is there.

func (o *origin) at(what string) string { return what + " of " + o.hop.name() }

func (o *origin) fromMethod(v string) string {
	if v != o.method {
		return ""
	}
	return o.at("the method in the request line")
}

func (o *origin) fromVersion(v string) string {
	if v != o.version {
		return ""
	}
	return o.at("the version in the request line")
}

func (o *origin) fromTarget(v string) string {
	if v != o.target {
		return ""
	}
	return o.at("the target in the request line") + ", as it was sent"
}

func (o *origin) fromQuery(v string) string {
	_, query, has := strings.Cut(o.target, "?")
	switch {
	case v != query:
		return ""
	case !has:
		return o.at("the target") + ": it has no ?, so this is empty"
	}
	return o.at("what follows the ? in the target")
}

func (o *origin) fromPath(v string) string {
	path, _, _ := strings.Cut(o.target, "?")
	decoded, err := url.PathUnescape(path)
	switch {
	case v == path && (err != nil || v == decoded):
		return o.at("the path in the target")
	case v == path:
		return o.at("the path in the target") + ", as it was sent"
	case err == nil && (v == decoded || v == value([]byte(decoded))):
		return o.at("the path in the target") + ", percent-decoded"
	case err == nil && v != "" && strings.HasSuffix(decoded, v):
		return o.at("the path in the target") + ", percent-decoded, without SCRIPT_NAME"
	}
	return ""
}

// field names a header field and its place.
func (o *origin) field(name, v string) string {
	var values []string
	var first Field
	for _, f := range o.headers {
		if strings.EqualFold(f.Name, name) {
			if len(values) == 0 {
				first = f
			}
			values = append(values, f.Value)
		}
	}
	switch {
	case len(values) == 1 && values[0] == v:
		return fmt.Sprintf("the field %s of %s, bytes %d–%d", first.Name, o.hop.name(), first.Offset, first.Offset+first.Length-1)
	case len(values) > 1 && (strings.Join(values, ", ") == v || strings.Join(values, "; ") == v):
		return fmt.Sprintf("the %d fields %s of %s, merged", len(values), first.Name, o.hop.name())
	}
	return ""
}

// fromField looks for the header field that an HTTP_ variable was made of.
func (o *origin) fromField(variable, v string) string {
	for _, f := range o.headers {
		if "HTTP_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) == variable {
			return o.field(f.Name, v)
		}
	}
	return ""
}

func (o *origin) fromHost(v string) string {
	host := header(o.headers, "Host")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if v != host || v == "" {
		return ""
	}
	return o.at("the name in the field Host")
}

func (o *origin) fromServerPort(v string) string {
	if _, port, err := net.SplitHostPort(o.hop.Address); err != nil || port != v {
		return ""
	}
	return o.at("the socket") + ": the port that was connected to"
}

func (o *origin) fromServerAddr(v string) string {
	if host, _, err := net.SplitHostPort(o.hop.Address); err != nil || host != v {
		return ""
	}
	return o.at("the socket") + ": the address that was connected to"
}

func (o *origin) fromClientAddr(v string) string {
	if host, _, err := net.SplitHostPort(o.hop.Local); err != nil || host != v {
		return ""
	}
	return o.at("the socket") + ": the address of its other end"
}

func (o *origin) fromClientPort(v string) string {
	if _, port, err := net.SplitHostPort(o.hop.Local); err != nil || port != v {
		return ""
	}
	return o.at("the socket") + ": the port of its other end"
}

func (o *origin) fromLength(v string) string {
	if from := o.field("Content-Length", v); from != "" {
		return from
	}
	if header(o.headers, "Transfer-Encoding") != "" {
		return "counted: the body came in chunks, and this is its size without their framing"
	}
	return ""
}
