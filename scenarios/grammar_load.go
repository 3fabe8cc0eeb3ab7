package scenarios

import (
	"fmt"
	"strings"

	"gatewaylab/scenarios/load"
)

// ParseLoad reads the stages of a load. A single stage without "over" has the
// length 0, which the caller says; so has a replay, until ReadReplays has read
// its file. Every error is a *GrammarError.
func ParseLoad(text string) ([]load.Stage, error) {
	p := &textParser{text: text}
	var all []load.Stage
	for {
		st, err := p.stage()
		if err != nil {
			return nil, err
		}
		all = append(all, st)
		if lasts := st.For > 0 || st.Shape == load.Replay; !lasts && (len(all) > 1 || !p.done()) {
			return nil, p.need("over", "and a length, such as over 30s (each stage of several has its own)")
		}
		if len(all) > MaxStages {
			return nil, p.fail(p.at, "expected at most %d stages", MaxStages)
		}
		if p.done() {
			return all, nil
		}
		if err := p.need("then", "or the end"); err != nil {
			return nil, err
		}
	}
}

// shapes are the words that begin a stage of an open load.
var shapes = []string{"constant", "ramp", "steps", "spike", "sine", "replay"}

func (p *textParser) stage() (load.Stage, error) {
	f := newStageForm()
	if c, ok := p.name(); ok {
		if err := f.take(c); err != nil {
			return f.stage, err
		}
	}
	if c := p.peek(); c.text == "poisson" {
		p.word()
		c.key = "poisson"
		if err := f.take(c); err != nil {
			return f.stage, err
		}
	}
	if err := p.shape(f); err != nil {
		return f.stage, err
	}
	if c := p.peek(); c.text != "" && c.text != "then" {
		if p.word(); c.text != "over" {
			return f.stage, f.misplaced(c)
		}
		if err := f.take(p.after("over")); err != nil {
			return f.stage, err
		}
	}
	return f.stage, f.finish()
}

// misplaced says what can stand after a shape instead of a word.
func (f *stageForm) misplaced(c piece) error {
	_, thinks := f.given["think"]
	switch users := f.stage.Shape == load.Users; {
	case users && c.text == "in":
		return c.fail("a number of users that changes in steps is a range, such as 1..64 users in 7")
	case users && !thinks:
		return c.fail("expected \"thinking\" and a time, \"over\" and a length, \"then\", or the end, found %q%s",
			c.text, meant(c.text, "thinking", "over", "then"))
	}
	return c.fail("expected \"over\" and a length, \"then\", or the end, found %q%s", c.text, meant(c.text, "over", "then"))
}

func (p *textParser) shape(f *stageForm) error {
	c := p.word()
	switch c.text {
	case "constant", "ramp":
		return f.take(p.after(c.text))
	case "steps":
		return p.parts(f, p.after(c.text), [][3]string{{"in", "and how many steps, such as in 5", "levels"}})
	case "spike":
		return p.parts(f, p.after(c.text), [][3]string{
			{"at", "and the spike's begin, such as at 10s", "at"}, {"for", "and the spike's length, such as for 2s", "lasting"},
		})
	case "sine":
		return p.parts(f, p.after(c.text), [][3]string{{"every", "and the period, such as every 10s", "every"}})
	case "replay":
		p.skip()
		file, err := p.value("replay")
		if err != nil {
			return err
		}
		return f.take(file)
	}
	if c.text != "" && c.text[0] >= '0' && c.text[0] <= '9' && !strings.Contains(c.text, "/") {
		return p.users(f, c)
	}
	if strings.Contains(c.text, "/") {
		return c.fail("expected a shape before the rate, such as constant 200/s or ramp 10/s..500/s, found %q", c.text)
	}
	if p.peek().text == ":" {
		return c.fail("a name and its colon are one word: %s:", c.text)
	}
	return c.fail("expected a shape or a number of users, such as ramp 10/s..500/s or 20 users, found %s%s",
		found(c.text), hint(c.text, append([]string{"poisson"}, shapes...)...))
}

// parts takes the shape's own value and then each part behind its word.
func (p *textParser) parts(f *stageForm, shape piece, parts [][3]string) error {
	if err := f.take(shape); err != nil {
		return err
	}
	for _, part := range parts {
		if err := p.need(part[0], part[1]); err != nil {
			return err
		}
		if err := f.take(p.after(part[2])); err != nil {
			return err
		}
	}
	return nil
}

func (p *textParser) users(f *stageForm, c piece) error {
	c.key = "users"
	if err := f.take(c); err != nil {
		return err
	}
	if w := p.word(); w.text != "users" && w.text != "user" {
		return w.fail("expected \"users\" after %s, found %s%s", c.text, found(w.text), meant(w.text, "users"))
	}
	if f.stage.UsersTo > 0 {
		if err := p.need("in", "and how many steps, such as in 7"); err != nil {
			return err
		}
		if err := f.take(p.after("levels")); err != nil {
			return err
		}
	}
	if !p.keyword("thinking") {
		return nil
	}
	think := p.after("think")
	if think.text == "about" {
		d := p.word()
		think.text, think.wrong = "about "+d.text, func(at int, msg string) error { return d.wrong(max(0, at-len("about ")), msg) }
	}
	return f.take(think)
}

// A stageForm gathers the parts of a stage that its text, or a mapping, gives.
type stageForm struct {
	stage load.Stage
	shape piece // that said the shape
	given map[string]piece
}

func newStageForm() *stageForm { return &stageForm{given: map[string]piece{}} }

// stageKeys are the parts of a stage, as keys of a mapping.
var stageKeys = []string{
	"name", "constant", "ramp", "steps", "spike", "sine", "replay", "users",
	"open", "closed", // the old names of constant and users
	"over", "levels", "at", "lasting", "every", "think", "poisson",
}

// take checks one part and puts it into the stage.
func (f *stageForm) take(c piece) (err error) {
	s := &f.stage
	f.given[c.key] = c
	switch c.key {
	case "name":
		s.Name, err = c.named()
	case "over":
		s.For, err = c.duration(minLength)
	case "levels":
		s.Levels, err = c.count("a number of steps", 2, MaxLevels)
	case "at":
		s.At, err = c.duration(0)
	case "lasting":
		s.Lasting, err = c.duration(minLength)
	case "every":
		s.Every, err = c.duration(minLength)
	case "poisson":
		s.Poisson, err = c.truth()
	case "think":
		err = f.think(c)
	default:
		err = f.takeShape(c)
	}
	return err
}

func (f *stageForm) takeShape(c piece) (err error) {
	s := &f.stage
	if f.shape.key != "" {
		return c.fail("a stage has one shape, and this one is %s already; several stages stand in a list", f.shape.key)
	}
	f.shape = c
	switch c.key {
	case "constant", "open":
		s.Shape = load.Constant
		s.From, err = c.rate(false)
	case "replay":
		s.Shape, s.File = load.Replay, c.text
		if c.text == "" {
			err = c.fail("expected a file of arrivals, found nothing")
		}
	case "users", "closed":
		s.Shape = load.Users
		err = f.takeUsers(c)
	default:
		s.Shape = load.Shape(c.key)
		s.From, s.To, err = c.rates()
	}
	return err
}

func (f *stageForm) takeUsers(c piece) (err error) {
	what := "a number of users"
	if c.key == "closed" {
		what = "a number of clients"
	}
	from, to, several := c.ends()
	if f.stage.UsersFrom, err = from.count(what, 1, MaxClients); err != nil || !several {
		return err
	}
	f.stage.UsersTo, err = to.count(what, 1, MaxClients)
	return err
}

func (f *stageForm) think(c piece) (err error) {
	d := c
	text, about := strings.CutPrefix(c.text, "about")
	if about {
		d.text = strings.TrimLeft(text, space)
		skipped := len(c.text) - len(d.text)
		d.wrong = func(at int, msg string) error { return c.wrong(skipped+at, msg) }
	}
	f.stage.Think, err = d.duration(0)
	f.stage.ThinkExponential = about && f.stage.Think > 0
	return err
}

// belongs says which shapes a part is for.
var belongs = []struct {
	key    string
	shapes []load.Shape
	needed bool
	such   string
}{
	{"levels", []load.Shape{load.Steps, load.Users}, false, "levels: 5"},
	{"at", []load.Shape{load.Spike}, true, "at: 10s"},
	{"lasting", []load.Shape{load.Spike}, true, "lasting: 2s"},
	{"every", []load.Shape{load.Sine}, true, "every: 10s"},
	{"think", []load.Shape{load.Users}, false, ""},
	{"poisson", []load.Shape{load.Constant, load.Ramp, load.Steps, load.Spike, load.Sine}, false, ""},
}

// finish checks what the parts say together.
func (f *stageForm) finish() error {
	s := &f.stage
	for _, b := range belongs {
		c, given := f.given[b.key]
		mine := false
		for _, shape := range b.shapes {
			mine = mine || shape == s.Shape
		}
		switch {
		case given && !mine:
			return c.fail("%s is no part of %s; it belongs to %s", b.key, s.Shape, shapeWords(b.shapes))
		case !given && mine && b.needed:
			return f.shape.fail("%s lacks %s, such as %s", s.Shape, b.key, b.such)
		}
	}
	switch _, levels := f.given["levels"]; {
	case s.Shape == load.Steps && !levels:
		return f.shape.fail("steps lacks levels, such as levels: 5")
	case s.Shape == load.Users && levels != (s.UsersTo > 0):
		return f.shape.fail("a number of users that changes takes both a range and levels, such as users: 1..64 with levels: 7")
	case s.Shape == load.Spike && s.For > 0 && s.At+s.Lasting > s.For:
		return f.given["lasting"].fail("the spike from %s to %s must lie within its stage of %s",
			durationText(s.At), durationText(s.At+s.Lasting), durationText(s.For))
	}
	return nil
}

func shapeWords(shapes []load.Shape) string {
	words := make([]string, len(shapes))
	for i, s := range shapes {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// StageText is the text form of a stage, from which ParseLoad makes the same
// again; a replay's arrivals are its file's.
func StageText(s load.Stage) string {
	var b strings.Builder
	if s.Name != "" {
		b.WriteString(s.Name + ": ")
	}
	if s.Poisson {
		b.WriteString("poisson ")
	}
	levels := func() {
		if s.Levels > 0 {
			fmt.Fprintf(&b, " in %d", s.Levels)
		}
	}
	switch s.Shape {
	case load.Constant:
		b.WriteString("constant " + rateText(s.From))
	case load.Replay:
		b.WriteString("replay " + valueText(s.File))
	case load.Users:
		switch {
		case s.UsersTo > 0:
			fmt.Fprintf(&b, "%d..%d users", s.UsersFrom, s.UsersTo)
		case s.UsersFrom == 1:
			b.WriteString("1 user")
		default:
			fmt.Fprintf(&b, "%d users", s.UsersFrom)
		}
		levels()
	default:
		fmt.Fprintf(&b, "%s %s..%s", s.Shape, rateText(s.From), rateText(s.To))
		levels()
	}
	if s.Shape == load.Spike {
		fmt.Fprintf(&b, " at %s for %s", durationText(s.At), durationText(s.Lasting))
	}
	if s.Shape == load.Sine {
		b.WriteString(" every " + durationText(s.Every))
	}
	b.WriteString(thinkText(s))
	if s.For > 0 {
		b.WriteString(" over " + durationText(s.For))
	}
	return b.String()
}

func thinkText(s load.Stage) string {
	switch {
	case s.Think == 0:
		return ""
	case s.ThinkExponential:
		return " thinking about " + durationText(s.Think)
	}
	return " thinking " + durationText(s.Think)
}

// LoadText is the text form of a load.
func LoadText(stages []load.Stage) string {
	texts := make([]string, len(stages))
	for i, s := range stages {
		texts[i] = StageText(s)
	}
	return strings.Join(texts, " then ")
}
