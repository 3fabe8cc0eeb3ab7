package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/servers"
)

// A Suite holds models against what they are models of. Each of its pairs, a
// built-in model and a real server that is set up like it, is put into the same
// situations, and in each the two are compared in the aspects that it names:
// not in how fast they are, which says what they are written in, but in how
// they behave.
type Suite struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Question string `json:"question"`
	Pairs    []Pair `json:"pairs"`
	// Situations are ordinary scenarios with something to Compare.
	Situations []*Scenario `json:"-"`
	// Trials of each cell if the command says nothing else.
	Trials int `json:"-"`
}

// A Pair is a model and its twin. It goes by the model's label.
type Pair struct {
	Model Entry `json:"model"`
	Twin  Entry `json:"twin"`
}

// Name is what the pair goes by.
func (p Pair) Name() string { return p.Model.Label() }

// An Aspect is something in which a model and its twin can be the same or not.
type Aspect string

// The aspects. Those of a load of several stages hold the last stage, a crowd,
// against the first, which is one client alone.
const (
	// Ceiling is goodput as a share of what c slots can finish, c/S with S the
	// demanded wait, or of what the clients can ask for where slots are many.
	Ceiling Aspect = "ceiling"
	// Growth is how many times as long as alone an answer takes in the crowd.
	Growth Aspect = "growth"
	// SpeedUp is how many times as much as alone gets done in the crowd.
	SpeedUp Aspect = "speed-up"
	// Speed is goodput itself.
	Speed Aspect = "speed"
	// InTime is the share of the requests due that succeeded before the client
	// gave up.
	InTime Aspect = "in-time"
	// Unharmed is the share of requests that do no harm themselves and that
	// neither failed nor were slow (see Scenario.Hurt).
	Unharmed Aspect = "unharmed"
	// Recovery is the mean time from a harmful request to the next success of
	// another that was sent after it.
	Recovery Aspect = "recovery"
)

// Aspects are all there are.
var Aspects = [...]Aspect{Ceiling, Growth, SpeedUp, Speed, InTime, Unharmed, Recovery}

// checkCompare says which aspects the scenario can't show.
func (s *Scenario) checkCompare() *ConflictError {
	for i, a := range s.Compare {
		switch {
		case slices.Contains(s.Compare[:i], a):
			return conflict("compare", i, "%s is given twice", a)
		case (a == Growth || a == SpeedUp) && len(s.Stages) < 2:
			return conflict("compare", i, "%s holds the load's last stage against its first, and there is one alone", a)
		case (a == Unharmed || a == Recovery) && !s.Faulty():
			return conflict("compare", i, "%s is of what requests that do harm do to others; mark one as fault", a)
		case a == Ceiling && s.demand().Wait == 0 && s.demand().Block == 0:
			return conflict("compare", i, "%s is c/S with S the demanded wait, and the requests demand none", a)
		}
	}
	return nil
}

// NewSuitePlan puts the suite's pairs, or those that are named, into all of its
// situations. A pair one of whose programs isn't installed is left out whole,
// and the rest goes on.
func NewSuitePlan(s *Suite, named []string, trials int) (*Plan, error) {
	if trials < 1 {
		return nil, fmt.Errorf("expected at least 1 trial, found %d", trials)
	}
	chosen, err := s.choose(named)
	if err != nil {
		return nil, err
	}
	suite := *s
	suite.Pairs = nil
	p := &Plan{Name: s.Name, Trials: trials, suite: &suite}
	var missing error
	var sides [][]*Contestant
	for _, pair := range chosen {
		both, err := contestants([]Entry{pair.Model, pair.Twin})
		if err != nil {
			return nil, fmt.Errorf("suite %s: %w", s.Name, err)
		}
		if absent := absence(both); absent != nil {
			missing = absent
			p.leftOut = append(p.leftOut, fmt.Sprintf("%s goes without the pair %s: %v", s.Name, pair.Name(), absent))
			continue
		}
		suite.Pairs, sides = append(suite.Pairs, pair), append(sides, both)
	}
	if len(sides) == 0 {
		return nil, fmt.Errorf("suite %s: none of its pairs can run here: %w", s.Name, missing)
	}
	for _, sc := range s.Situations {
		for _, both := range sides {
			p.Cells = append(p.Cells, Cell{sc, both[0]}, Cell{sc, both[1]})
		}
	}
	return p, nil
}

// absence says which of the two can't run here; nil if both can.
func absence(both []*Contestant) error {
	for _, c := range both {
		if err := c.Available(); err != nil {
			return fmt.Errorf("%s: %w", c.Label, err)
		}
	}
	return nil
}

// choose returns the pairs that are meant by the names of either side, or of
// the programs in them; all if none is named.
func (s *Suite) choose(named []string) ([]Pair, error) {
	if len(named) == 0 {
		return s.Pairs, nil
	}
	wanted := make([]bool, len(s.Pairs))
	var known []string
	for _, n := range named {
		found := false
		for i, p := range s.Pairs {
			names, err := p.names()
			if err != nil {
				return nil, err
			}
			known = append(known, names...)
			if slices.Contains(names, n) {
				wanted[i], found = true, true
			}
		}
		if !found {
			slices.Sort(known)
			return nil, fmt.Errorf("suite %s compares pairs of its own, and none of them is called %q%s", s.Name, n, servers.Nearest(n, slices.Compact(known)))
		}
	}
	var chosen []Pair
	for i, p := range s.Pairs {
		if wanted[i] {
			chosen = append(chosen, p)
		}
	}
	return chosen, nil
}

// names are what the pair can be chosen by: the labels and, where it is no
// other pair's as well, what the sides are made of.
func (p Pair) names() ([]string, error) {
	names := []string{p.Model.Label(), p.Twin.Label()}
	for _, e := range []Entry{p.Model, p.Twin} {
		spec, err := servers.ParseSpec(e.Spec)
		if err != nil {
			return nil, err
		}
		if spec.Front != nil { // what is compared is the front
			names = append(names, spec.Front.Name)
			continue
		}
		names = append(names, spec.Model.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Labels are the pairs' names.
func (s *Suite) Labels() string {
	var all []string
	for _, p := range s.Pairs {
		all = append(all, p.Name()+" v "+p.Twin.Label())
	}
	return strings.Join(all, ", ")
}
