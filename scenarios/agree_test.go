package scenarios_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// The text form, the mapping and the list of a scenario file, and the plan
// itself say the same, whatever the plan.

// a pair is a key of a mapping, in a set order, and its value.
type pair struct {
	key   string
	value any
}

// mapping is a YAML mapping in flow style.
type mapping []pair

func (m mapping) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, p := range m {
		v, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%c%q: %s", "{,"[min(i, 1)], p.key, v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// maker makes valid parts of scenarios.
type maker struct {
	*rand.Rand
	n int // names made
}

func (m *maker) coin() bool { return m.IntN(2) == 0 }

func (m *maker) duration(low, high time.Duration) time.Duration {
	unit := []time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Second, time.Minute}[m.IntN(5)]
	return max(low, (low + time.Duration(m.Int64N(int64(high-low)+1))).Truncate(unit))
}

func (m *maker) rate(zero bool) float64 {
	switch m.IntN(4) {
	case 0:
		if zero {
			return 0
		}
		return scenarios.MaxRate
	case 1:
		return float64(1 + m.IntN(1000))
	case 2:
		return m.Float64() * 1e-6
	}
	return (1 - m.Float64()) * scenarios.MaxRate
}

func (m *maker) name() string {
	if m.coin() {
		return ""
	}
	m.n++
	return fmt.Sprintf("%c%s%d", "aZ"[m.IntN(2)], strings.Repeat("-_x", m.IntN(4)), m.n)
}

var everyShape = []load.Shape{load.Constant, load.Ramp, load.Steps, load.Spike, load.Sine, load.Replay, load.Users}

func (m *maker) stage(shape load.Shape, file string) (s load.Stage, yaml mapping) {
	s = load.Stage{Name: m.name(), Shape: shape, For: m.duration(scenarios.MinWindow, time.Minute)}
	add := func(key string, value any) { yaml = append(yaml, pair{key, value}) }
	if s.Name != "" {
		add("name", s.Name)
	}
	if s.Open() && shape != load.Replay && m.coin() {
		s.Poisson = true
		add("poisson", true)
	}
	switch shape {
	case load.Constant:
		s.From = m.rate(false)
		add([]string{"constant", "open"}[m.IntN(2)], s.From)
	case load.Replay:
		s.File = file
		add("replay", file)
	case load.Users:
		s.UsersFrom = 1 + m.IntN(scenarios.MaxClients)
		if m.coin() {
			s.UsersTo, s.Levels = 1+m.IntN(scenarios.MaxClients), 2+m.IntN(scenarios.MaxLevels-1)
			add("users", fmt.Sprintf("%d..%d", s.UsersFrom, s.UsersTo))
			add("levels", s.Levels)
		} else {
			add([]string{"users", "closed"}[m.IntN(2)], s.UsersFrom)
		}
		if m.coin() {
			s.Think, s.ThinkExponential = m.duration(1, time.Hour), m.coin()
			add("think", map[bool]string{true: "about "}[s.ThinkExponential]+s.Think.String())
		}
	default:
		s.From, s.To = m.rate(true), m.rate(false)
		if m.coin() {
			s.From, s.To = s.To, s.From
		}
		add(string(shape), fmt.Sprintf("%v..%v/s", s.From, s.To))
	}
	switch shape {
	case load.Steps:
		s.Levels = 2 + m.IntN(scenarios.MaxLevels-1)
		add("levels", s.Levels)
	case load.Spike:
		s.Lasting = m.duration(time.Millisecond, s.For)
		s.At = m.duration(0, s.For-s.Lasting)
		add("at", s.At.String())
		add("lasting", s.Lasting.String())
	case load.Sine:
		s.Every = m.duration(time.Millisecond, time.Hour)
		add("every", s.Every.String())
	}
	add("over", s.For.String())
	m.Shuffle(len(yaml), func(i, j int) { yaml[i], yaml[j] = yaml[j], yaml[i] })
	return s, yaml
}

func (m *maker) text() string {
	words := []string{"a", "=", `"`, `\`, " ", "\n", "\t", "é", "{", "}", ":", "#", "'", "0", "over", "-"}
	var b strings.Builder
	for range 1 + m.IntN(6) {
		b.WriteString(words[m.IntN(len(words))])
	}
	return b.String()
}

func (m *maker) request(crowd bool) (r scenarios.Request, yaml mapping) {
	add := func(key string, value any) { yaml = append(yaml, pair{key, value}) }
	flag := func(to *bool, key string) {
		if *to = m.IntN(4) == 0; *to {
			add(key, true)
		}
	}
	m.n++
	r.Method = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}[m.IntN(7)]
	r.Path = fmt.Sprintf("/%d?q=%s", m.n, []string{"", "a=b&c", "{exponential 50}", "{uniform 10 90}x{ uniform  1 2 }", "%20"}[m.IntN(5)])
	if r.Method != "GET" || m.coin() {
		add("method", r.Method)
	}
	add("path", r.Path)
	switch m.IntN(3) {
	case 0:
		r.Body = m.text()
		add("body", r.Body)
	case 1:
		r.Size = int64(1 + m.IntN(scenarios.MaxBody>>m.IntN(26)))
		add("size", r.Size)
	default:
		if crowd {
			r.Size = 10_000
			add("size", "10KB")
		}
	}
	if m.coin() {
		r.Header = map[string]string{"X-A": "a b: c", "Accept": "*/*"}
		add("header", mapping{{"x-a", "a b: c"}, {"Accept", "*/*"}})
	}
	flag(&r.Chunked, "chunked")
	if crowd {
		return r, yaml
	}
	flag(&r.Stream, "stream")
	flag(&r.Fault, "fault")
	if r.Name = m.name(); r.Name != "" {
		add("name", r.Name)
	}
	if m.coin() {
		r.Weight = (1 - m.Float64()) * 100
		add("weight", r.Weight)
	}
	m.Shuffle(len(yaml), func(i, j int) { yaml[i], yaml[j] = yaml[j], yaml[i] })
	return r, yaml
}

func (m *maker) crowd(kind load.CrowdKind) (c scenarios.Crowd, yaml mapping) {
	c = scenarios.Crowd{Name: m.name(), Kind: kind, Clients: 1 + m.IntN(100)}
	add := func(key string, value any) { yaml = append(yaml, pair{key, value}) }
	if c.Name != "" {
		add("name", c.Name)
	}
	add(string(kind), c.Clients)
	switch kind {
	case load.SlowSend, load.SlowRead:
		c.Rate = []float64{1, 1.5, 1000, 1 << 10, 1 + m.Float64()*1e6}[m.IntN(5)]
		add("rate", fmt.Sprintf("%vB/s", c.Rate))
	default:
		c.Every = m.duration(time.Millisecond, time.Hour)
		add("every", c.Every.String())
	}
	var request mapping
	c.Request, request = m.request(true)
	if m.coin() {
		add("request", scenarios.RequestText(c.Request))
	} else {
		add("request", request)
	}
	return c, yaml
}

// head is the part of a scenario file that doesn't matter here.
const head = "name: a\ntitle: a\nquestion: a\ntext: {load: a, queue: a, service: a, bottleneck: a}\n"

// file makes a scenario file of values in flow style.
func file(t *testing.T, values mapping) string {
	b := strings.Builder{}
	b.WriteString(head)
	for _, p := range values {
		var v strings.Builder
		enc := json.NewEncoder(&v)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(p.value); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %s", p.key, v.String())
	}
	return b.String()
}

func TestFormsAgree(t *testing.T) {
	dir := t.TempDir()
	const arrivals = "my arrivals.txt"
	if err := os.WriteFile(filepath.Join(dir, arrivals), []byte("0\n0.01\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	times := []time.Duration{0, 10 * time.Millisecond}
	m := &maker{Rand: rand.New(rand.NewPCG(1, 2))}
	kinds := []load.CrowdKind{load.SlowSend, load.SlowRead, load.Idle, load.Periodic}
	for round := range 400 {
		var stages []load.Stage
		var stageMaps, stageMix []any
		for _, i := range m.Perm(len(everyShape)) {
			s, yaml := m.stage(everyShape[i], arrivals)
			got, err := scenarios.ParseLoad(scenarios.StageText(s))
			same(t, []load.Stage{s}, got, err)
			if s.Shape == load.Replay {
				s.Times = times
			}
			stages, stageMaps = append(stages, s), append(stageMaps, yaml)
			stageMix = append(stageMix, []any{yaml, scenarios.StageText(s)}[m.IntN(2)])
		}
		var requests []scenarios.Request
		var requestMaps, requestTexts []any
		for range 1 + m.IntN(5) {
			r, yaml := m.request(false)
			got, err := scenarios.ParseRequest(scenarios.RequestText(r))
			same(t, r, got, err)
			requests, requestMaps = append(requests, r), append(requestMaps, yaml)
			requestTexts = append(requestTexts, scenarios.RequestText(r))
		}
		var crowds []scenarios.Crowd
		var crowdMaps, crowdTexts []any
		for _, i := range m.Perm(len(kinds)) {
			c, yaml := m.crowd(kinds[i])
			got, err := scenarios.ParseCrowd(scenarios.CrowdText(c))
			same(t, c, got, err)
			crowds, crowdMaps = append(crowds, c), append(crowdMaps, yaml)
			crowdTexts = append(crowdTexts, scenarios.CrowdText(c))
		}
		for _, src := range []string{
			file(t, mapping{{"load", stageMaps}, {"requests", requestMaps}, {"beside", crowdMaps}}),
			file(t, mapping{{"load", stageMix}, {"requests", requestTexts}, {"beside", crowdTexts}}),
			file(t, mapping{{"load", scenarios.LoadText(stages)}, {"requests", requestMaps}, {"beside", crowdMaps}}),
		} {
			got, err := scenarios.Parse(filepath.Join(dir, "scenario.yaml"), strings.NewReader(src))
			if err != nil {
				t.Fatalf("round %d: %v\n%s", round, err, src)
			}
			if !reflect.DeepEqual(got.Stages, stages) || !reflect.DeepEqual(got.Requests, requests) || !reflect.DeepEqual(got.Beside, crowds) {
				t.Fatalf("round %d: read as\n%+v\n%+v\n%+v\nwant\n%+v\n%+v\n%+v\n%s", round,
					got.Stages, got.Requests, got.Beside, stages, requests, crowds, src)
			}
		}
	}
}
