package reports

import (
	"cmp"
	"slices"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
	"gatewaylab/servers"
)

// parts are the cell's scenario, nil if the run lacks either, and its model.
func (c *Cell) parts(res *scenarios.Result) (*scenarios.Scenario, *servers.Configured, error) {
	i := slices.IndexFunc(res.Scenarios, func(s *scenarios.Scenario) bool { return s.Name == c.Scenario })
	k := slices.IndexFunc(res.Models, func(m scenarios.ModelInfo) bool { return m.Label == c.Model })
	if i < 0 || k < 0 {
		return nil, nil, nil
	}
	configured, err := servers.Resolve(res.Models[k].Spec)
	return res.Scenarios[i], configured, err
}

// priced is the machine and what a request costs on it, as measured.
func (c *Cell) priced(res *scenarios.Result, sc *scenarios.Scenario) (predict.Machine, predict.Costs) {
	m := predict.Machine{Cores: max(1, res.Environment.Cores), Shared: !res.Pinned}
	for _, t := range res.Measured {
		if t.Scenario == c.Scenario && t.Model == c.Model && t.Machine.ServerCores > 0 {
			m.Cores, m.Shared = t.Machine.ServerCores, t.Machine.ServerCores >= t.Machine.Cores
			break
		}
	}
	costs := predict.Costs{Source: "as measured", Late: res.Environment.Late, Known: c.CPUPerRequest.Known(), Own: c.CPUPerRequest.Known()}
	perAnswer := 1.0
	if n := float64(c.Samples) + float64(c.Failed); n > 0 {
		perAnswer = float64(c.Samples) / n
	}
	cpu := time.Duration(c.CPUPerRequest.Median * perAnswer * float64(time.Millisecond))
	if units := unitsOf(sc); units > 0 {
		costs.Unit = time.Duration(float64(cpu) / units)
	} else {
		costs.Request = cpu
	}
	if c.Goodput.Median > 0 {
		costs.Sending = time.Duration(c.GeneratorCPU.Median / c.Goodput.Median * perAnswer * float64(time.Second))
	}
	costs.Front = c.frontsPart(res, costs.Request)
	return m, costs
}

// frontsPart is how much of what requests cost was the front's, as measured.
func (c *Cell) frontsPart(res *scenarios.Result, of time.Duration) time.Duration {
	var front, all time.Duration
	for _, t := range res.Measured {
		if t.Scenario == c.Scenario && t.Model == c.Model && t.Valid() {
			front, all = front+t.Server.Front, all+t.Server.CPU
		}
	}
	if all <= 0 {
		return 0
	}
	return time.Duration(float64(of) * min(1, float64(front)/float64(all)))
}

// unitsOf is how many units of work a request takes on average.
func unitsOf(sc *scenarios.Scenario) float64 {
	var sum, units float64
	for i, d := range sc.Demands() {
		r := &sc.Requests[i]
		if r.Fault {
			continue
		}
		w := cmp.Or(r.Weight, 1)
		sum, units = sum+w, units+w*float64(d.Units)
	}
	if sum == 0 {
		return 0
	}
	return units / sum
}
