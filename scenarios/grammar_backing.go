package scenarios

import (
	"slices"
	"strings"

	"gatewaylab/servers"
)

// ParseBacking reads the settings of a backing service, such as "exponential
// 100ms, rate 500/s, failures 1%" of upstream. Errors about the text are
// *GrammarError.
func ParseBacking(service, text string) (servers.Backing, error) {
	row, err := servers.LookupService(service)
	if err != nil {
		return servers.Backing{}, err
	}
	p := &textParser{text: text}
	f := newBackingForm(row)
	for {
		c, err := p.backing(row, len(f.given) == 0)
		if err == nil {
			err = f.take(c)
		}
		if err != nil {
			return servers.Backing{}, err
		}
		if p.at == len(p.text) {
			break
		}
		p.at++ // the comma
	}
	b, err := servers.NewBacking(service, f.given)
	if err != nil {
		return b, p.fail(0, "%v", err)
	}
	return b, nil
}

// backing reads a setting up to the next comma, which stays. The first may be
// a bare value, of the service's first option.
func (p *textParser) backing(row *servers.Service, first bool) (piece, error) {
	key := p.peek()
	end := strings.IndexByte(p.text[p.at:], ',')
	if end < 0 {
		end = len(p.text) - p.at
	}
	end += p.at
	word, _, _ := strings.Cut(key.text, ",")
	known := optionKeys(row)
	switch {
	case slices.Contains(known, word):
		p.skip()
		p.at += len(word)
		key.key = word
	case word == "":
		return piece{}, p.fail(min(p.at, len(p.text)), "expected a setting of %s, found nothing%s", row.Name, hint("x", known...))
	case first:
		key.key = known[0]
	default:
		return piece{}, key.fail("%s has no setting %s%s", row.Name, found(word), hint(word, known...))
	}
	p.skip()
	start := p.at
	c := piece{
		key:   key.key,
		text:  strings.TrimRight(p.text[min(start, end):end], space),
		wrong: func(at int, msg string) error { return p.fail(start+at, "%s", msg) },
	}
	p.at = end
	return c, nil
}

func optionKeys(row *servers.Service) []string {
	keys := make([]string, len(row.Options))
	for i, o := range row.Options {
		keys[i] = o.Key
	}
	return keys
}

// A backingForm gathers the settings that a text, or a mapping, gives.
type backingForm struct {
	row   *servers.Service
	given []servers.Setting
}

func newBackingForm(row *servers.Service) *backingForm { return &backingForm{row: row} }

func (f *backingForm) take(c piece) error {
	if slices.ContainsFunc(f.given, func(s servers.Setting) bool { return s.Key == c.key }) {
		return c.fail("%s is given twice", c.key)
	}
	for _, o := range f.row.Options {
		if o.Key != c.key {
			continue
		}
		if err := o.Check(c.text); err != nil {
			return c.fail("%s: %v", c.key, err)
		}
	}
	f.given = append(f.given, servers.Setting{Key: c.key, Value: c.text})
	return nil
}
