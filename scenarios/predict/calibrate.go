package predict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/app"
)

// A Calibration is what requests cost on one machine, as it was measured there
// once: CPU times, which no theory knows. With a process for each request that
// is its start, above all.
type Calibration struct {
	Machine string           `json:"machine"` // that it is of; another's is worth nothing
	Unit    time.Duration    `json:"unit"`    // CPU time of a unit of work
	Late    time.Duration    `json:"late"`    // by which a sleep takes longer than it was meant to
	Date    time.Time        `json:"date"`    // of the unit
	Models  map[string]Price `json:"models"`  // by what decides of them, see priceOf
	cores   int
}

// A Price is what a request for the least there is (/hello, or a message's echo)
// costs with one model, asked for as a scenario's clients ask.
type Price struct {
	Server    time.Duration `json:"server"`
	Front     time.Duration `json:"front,omitempty"` // of Server, the front's
	Generator time.Duration `json:"generator"`
	Date      time.Time     `json:"date"`
}

// calibrationFile is where it is kept.
func calibrationFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the calibration: %w", err)
	}
	return filepath.Join(dir, "gatewaylab", "calibration.json"), nil
}

// LoadCalibration reads what was measured here before; nothing, if nothing was,
// or the machine is another.
func LoadCalibration(here scenarios.Environment) (*Calibration, error) {
	c := &Calibration{Machine: fmt.Sprintf("%s, %d cores, %s", here.CPU, here.Cores, runtime.Version()), Models: map[string]Price{}, cores: here.Cores}
	name, err := calibrationFile()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the calibration: %w", err)
	}
	var kept Calibration
	if json.Unmarshal(b, &kept) != nil || kept.Machine != c.Machine || kept.Models == nil {
		return c, nil // it can be measured again
	}
	kept.cores = here.Cores
	return &kept, nil
}

// Save keeps it for the next time.
func (c *Calibration) Save() error {
	name, err := calibrationFile()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o755)
	}
	if err == nil {
		err = os.WriteFile(name+".new", append(b, '\n'), 0o644)
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("keep the calibration: %w", err)
	}
	return nil
}

// priceOf names what a price is of: front and model with what makes them other
// programs, which is not how many of something there are or for how long, and
// how clients come.
func priceOf(sc *scenarios.Scenario, c *servers.Configured) string {
	name := c.Model.Name + kind(c.Settings)
	if c.Front != nil {
		name = c.Front.Name + kind(c.FrontSettings) + "+" + name
	}
	if sc.Protocol != "" && sc.Protocol != load.HTTP1 {
		name += fmt.Sprintf(" over %s, %d streams", sc.Protocol, sc.Streams)
	}
	if sc.PerConnection > 0 {
		name += fmt.Sprintf(", %d requests a connection", sc.PerConnection)
	}
	return name
}

// kind is the settings that are words, and how often what is dear at first is
// used again.
func kind(s servers.Settings) string {
	var words []string
	for key, value := range s {
		_, notNumber := strconv.Atoi(value)
		_, notTime := time.ParseDuration(value)
		if key == "keepalive" || key == "max_requests" || notNumber != nil && notTime != nil {
			words = append(words, key+"="+value)
		}
	}
	if words == nil {
		return ""
	}
	slices.Sort(words)
	return ":" + strings.Join(words, ",")
}

// Lacks says whether a model's price for how a scenario's clients come is still
// to be found out. There is none of a model that doesn't speak their protocol.
func (c *Calibration) Lacks(sc *scenarios.Scenario, m *servers.Configured) bool {
	p, ok := c.Models[priceOf(sc, m)]
	ok = ok && (m.Front == nil || p.Front > 0)
	return spoken(sc, m) && !(ok && c.Unit > 0 && c.Late > 0)
}

// Forget leaves nothing of what was measured.
func (c *Calibration) Forget() {
	c.Unit, c.Late = 0, 0
	clear(c.Models)
}

// calibrating is the traffic by which prices are found: as many users as keep
// the cores busy, since an idle server's CPU time is mostly its clock's. They come
// as a scenario's clients do.
func calibrating(sc *scenarios.Scenario) *scenarios.Scenario {
	s := scenarios.Custom()
	s.Name, s.Stages = "calibrate", []load.Stage{{Shape: load.Users, UsersFrom: 16, For: 300 * time.Millisecond}}
	s.Warmup = 150 * time.Millisecond
	s.Protocol, s.Streams, s.PerConnection = sc.Protocol, sc.Streams, sc.PerConnection
	if s.Protocol == load.WebSocket {
		s.Requests = []scenarios.Request{{Path: "/ws", Body: "hello, world"}}
	}
	return s
}

// Measure finds out what a model's requests cost here: three short trials, of
// which the median counts.
func (c *Calibration) Measure(ctx context.Context, p servers.Programs, sc *scenarios.Scenario, m *scenarios.Contestant) error {
	if c.Unit == 0 {
		c.Unit, c.Date = unit(), time.Now().UTC()
	}
	if c.Late == 0 {
		c.Late = scenarios.Lateness()
	}
	plan, err := scenarios.NewPlan([]*scenarios.Scenario{calibrating(sc)}, []*scenarios.Contestant{m}, 3)
	if err != nil {
		return err
	}
	plan.Name, plan.Programs = "calibrate", p
	res, err := scenarios.Run(ctx, plan, func(scenarios.Event) {})
	if err != nil {
		return fmt.Errorf("measure what %s costs: %w", m.Spec, err)
	}
	var server, front, generator []time.Duration
	for _, t := range res.Measured {
		if n := time.Duration(t.Succeeded); n > 0 {
			server, front, generator = append(server, t.Server.CPU/n), append(front, t.Server.Front/n), append(generator, t.Generator.CPU/n)
		}
	}
	if len(server) == 0 {
		return fmt.Errorf("measure what %s costs: no request succeeded", m.Spec)
	}
	price := Price{Server: median(server), Generator: median(generator), Date: time.Now().UTC()}
	if m.Front != nil { // which costs something, however little was seen of it
		price.Front = min(max(1, median(front)), price.Server)
	}
	c.Models[priceOf(sc, m.Configured)] = price
	return nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// unit is how long a unit of work takes when nothing else does: the shortest of
// several, for all that disturbs makes it longer.
func unit() time.Duration {
	best := time.Duration(0)
	for range 15 {
		const units = 20
		began := time.Now()
		app.Work(units)
		if d := time.Since(began) / units; best == 0 || d < best {
			best = d
		}
	}
	return best
}

// Costs are those of a model where clients come as a scenario's do, with the
// unit alone where its price isn't known.
func (c *Calibration) Costs(sc *scenarios.Scenario, m *servers.Configured) Costs {
	p, ok := c.Models[priceOf(sc, m)]
	costs := Costs{Unit: c.Unit, Late: c.Late, Request: p.Server, Front: p.Front, Sending: p.Generator, Known: ok}
	if ok {
		costs.Source, costs.Cores = "calibrated here on "+p.Date.Format(time.DateOnly), c.cores
	}
	return costs
}
