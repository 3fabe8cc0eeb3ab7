package expect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gatewaylab/scenarios/expect"
)

// known makes an interval of six trials.
func known(low, median, high float64) expect.Value {
	return expect.Value{Low: low, Median: median, High: high, N: 6, Known: true}
}

// measured is an Env of what stands in a map, by quantities as written.
func measured(m map[string]expect.Value) expect.Env {
	return func(q expect.Quantity) expect.Value { return m[q.String()] }
}

func TestEval(t *testing.T) {
	env := measured(map[string]expect.Value{
		"async.goodput":                      known(966, 968, 971),
		"prefork.goodput":                    known(78.9, 79.1, 79.3),
		"prefork.response.p99":               known(0.64, 0.65, 0.7),
		"prefork.response.mean":              known(0.0499, 0.05, 0.0503),
		"prefork.cpu_per_request":            known(40e-6, 52e-6, 60e-6),
		"prefork.memory":                     known(20<<20, 21<<20, 22<<20),
		"prefork.processes":                  known(5, 5, 5),
		"prefork.failed":                     known(0, 0, 0.02),
		`prefork.errors["timeout"]`:          known(0.01, 0.015, 0.02),
		"prefork.restarts":                   known(0, 0, 0),
		"prefork.spoken":                     known(1, 1, 1),
		"cgi.spoken":                         known(0, 0, 0),
		"cgi.goodput":                        {Why: "cgi doesn't speak the protocol (505)"},
		"null.goodput":                       {Absent: true},
		"odd.goodput":                        known(5, 4, 3),
		"wide.goodput":                       known(0, 5, 10),
		"other.goodput":                      known(0, 5, 10),
		`model("prefork:workers=2").goodput`: known(39, 40, 41),
	})
	for _, c := range []struct {
		text   string
		want   expect.Outcome
		detail string
	}{
		{"async.goodput > 10 * prefork.goodput", expect.Held, "968/s [966, 971] v 10 × 79.1/s [78.9, 79.3]"},
		{"async.goodput > 20 * prefork.goodput", expect.NotHeld, "968/s [966, 971] v 20 × 79.1/s [78.9, 79.3]"},
		{"async.goodput > 970/s", expect.Undecided, "968/s [966, 971] v 970/s"},
		{"prefork.response.p99 < 200ms", expect.NotHeld, "650 ms [640, 700] v 200ms"},
		{"prefork.response.p99 < 0.8", expect.Held, "650 ms [640, 700] v 0.8"},
		{"prefork.cpu_per_request < 1ms", expect.Held, "52 µs [40, 60] v 1ms"},
		{"prefork.memory < 16MiB", expect.NotHeld, "21 MiB [20, 22] v 16MiB"},
		{"prefork.processes == 5", expect.Held, "5 v 5"},
		{"prefork.processes != 5", expect.NotHeld, "5 v 5"},
		{"prefork.failed == 0", expect.Undecided, "0 % [0, 2] v 0"},
		{"prefork.failed <= 2%", expect.Held, "0 % [0, 2] v 2%"},
		{`prefork.errors["timeout"] == 0`, expect.NotHeld, "1.5 % [1, 2] v 0"},
		{`prefork.errors.timeout < 5%`, expect.Held, "1.5 % [1, 2] v 5%"},
		{`model("prefork:workers=2").goodput < 50/s`, expect.Held, "40/s [39, 41] v 50/s"},
		{"prefork.spoken", expect.Held, "prefork.spoken: yes"},
		{"!cgi.spoken", expect.Held, "cgi.spoken: no"},
		{"cgi.spoken", expect.NotHeld, "cgi.spoken: no"},

		{"within(prefork.goodput, 4 / prefork.response.mean, 10%)", expect.Held, "79.1/s [78.9, 79.3] v 4 / 50 ms [49.9, 50.3] ± 10%"},
		{"within(async.goodput, prefork.goodput, 10%)", expect.NotHeld, "968/s [966, 971] v 79.1/s [78.9, 79.3] ± 10%"},
		{"between(prefork.goodput, 75, 85)", expect.Held, "79.1/s [78.9, 79.3] v 75 … 85"},
		{"prefork.goodput > 0.9 * (1 + 3) / prefork.response.mean", expect.Held, "79.1/s [78.9, 79.3] v 0.9 × (1 + 3) / 50 ms [49.9, 50.3] = 72/s [71.6, 72.1]"},
		{"prefork.goodput - (1 - 2) > -(1 + 2)", expect.Held, "79.1/s [78.9, 79.3] - (1 - 2) = 80.1/s [79.9, 80.3] v -(1 + 2) = -3"},
		{"max(async.goodput, 2000) > abs(-3)", expect.Held, "max(968/s [966, 971], 2000) v abs(-3) = 3"},

		// Where corners alone would be wrong.
		{"between(wide.goodput, 4, 6)", expect.Undecided, "5/s [0, 10] v 4 … 6"},
		{"within(wide.goodput, 5, 10%)", expect.Undecided, "5/s [0, 10] v 5 ± 10%"},
		{"abs(wide.goodput - 5) > 4", expect.Undecided, "abs(5/s [0, 10] - 5) = 0/s [0, 5] v 4"},
		{"wide.goodput == 5", expect.Undecided, "5/s [0, 10] v 5"},
		{"wide.goodput != 5", expect.Undecided, "5/s [0, 10] v 5"},
		{"1 / (wide.goodput - 5) < 5s", expect.Undecided, "1 / (5/s [0, 10] - 5) (undefined: a divisor may be 0) v 5s"},
		{"4 / wide.goodput > 0.3s", expect.Held, "4 / 5/s [0, 10] v 0.3s"},
		{"wide.goodput / wide.goodput > 0.5", expect.Undecided, "5/s [0, 10] / 5/s [0, 10] (undefined: a divisor may be 0) v 0.5"},

		// The same quantity twice is one quantity.
		{"async.goodput - async.goodput < 1/s", expect.Held, "968/s [966, 971] - 968/s [966, 971] v 1/s"},
		{"wide.goodput < wide.goodput + 1", expect.Held, "5/s [0, 10] v 5/s [0, 10] + 1"},
		{"wide.goodput < other.goodput + 1", expect.Undecided, "5/s [0, 10] v 5/s [0, 10] + 1"},
		{"wide.goodput / (wide.goodput + 10) <= 0.51", expect.Held, "5/s [0, 10] / (5/s [0, 10] + 10) = 0.333 [0, 1] v 0.51"},

		// Logic.
		{"async.goodput > 900 and prefork.goodput > 100", expect.NotHeld, "true: 968/s [966, 971] v 900; false: 79.1/s [78.9, 79.3] v 100"},
		{"async.goodput > 970 or prefork.goodput > 70", expect.Held, "open: 968/s [966, 971] v 970; true: 79.1/s [78.9, 79.3] v 70"},
		{"async.goodput > 970 and prefork.goodput > 70", expect.Undecided, "open: 968/s [966, 971] v 970; true: 79.1/s [78.9, 79.3] v 70"},
		{"not (async.goodput > 970 and prefork.goodput > 100)", expect.Held, "open: 968/s [966, 971] v 970; false: 79.1/s [78.9, 79.3] v 100"},
		{"70 < prefork.goodput < 80", expect.Held, "true: 70 v 79.1/s [78.9, 79.3]; true: 79.1/s [78.9, 79.3] v 80"},

		// What isn't known decides nothing, and may not need to.
		{"cgi.goodput > 5", expect.Unknown, "cgi doesn't speak the protocol (505)"},
		{"cgi.goodput > 5 and prefork.lag.p50 < 1ms", expect.Unknown, "cgi doesn't speak the protocol (505); prefork.lag.p50 is not known"},
		{"cgi.goodput > 5 or not cgi.spoken", expect.Held, "open: unknown v 5; cgi.spoken: no"},
		{"cgi.goodput > 5 and cgi.spoken", expect.NotHeld, "open: unknown v 5; cgi.spoken: no"},
		{"min(cgi.goodput, 1/s) < 2/s", expect.Unknown, "cgi doesn't speak the protocol (505)"},
		{"null.goodput > async.goodput", expect.NotAsked, "null has no part in this comparison"},
		{"null.goodput > cgi.goodput", expect.NotAsked, "null has no part in this comparison"},
		{"odd.goodput > 1", expect.Unknown, "odd.goodput is no interval: 5, 4, 3"},
	} {
		v, err := expect.Eval(c.text, env)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if v.Outcome != c.want || v.Detail != c.detail {
			t.Errorf("%s\n  %s: %s\n  want\n  %s: %s", c.text, v.Outcome, v.Detail, c.want, c.detail)
		}
	}
}

func TestEvalListsWhatItRead(t *testing.T) {
	env := measured(map[string]expect.Value{"a.goodput": known(1, 2, 3), `b.beside["slow-read"].failed`: known(0, 0, 0)})
	v, err := expect.Eval(`a.goodput > 2 and b.beside["slow-read"].failed == 0 and a.goodput < 9 and c.lag.p50 < 3`, env)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range v.Readings {
		got = append(got, fmt.Sprint(r.Quantity, " ", r.Text))
	}
	if want := `a.goodput 2/s [1, 3]|b.beside["slow-read"].failed 0 %|c.lag.p50 unknown`; strings.Join(got, "|") != want {
		t.Errorf("read %s\nwant %s", strings.Join(got, "|"), want)
	}
}

func TestEvalRefusesWhatCheckRefuses(t *testing.T) {
	if _, err := expect.Eval("async.gooput > 3", measured(nil)); err == nil || err.Error() != expect.Check("async.gooput > 3", nil).Error() {
		t.Errorf("error %v", err)
	}
}

// Whatever the true values within the intervals are, a decided verdict is
// theirs too. Expressions are drawn, monotone or not.
func TestDecidedVerdictsAreSound(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	names := []string{"a.goodput", "b.goodput", "c.goodput"}
	decided := 0
	for range 800 {
		text := draw(rng, names, 3)
		box := map[string]expect.Value{}
		for _, n := range names {
			low := math.Round(rng.Float64()*100) / 10
			box[n] = known(low, low+0.1, low+0.1+rng.Float64()*rng.Float64()*4)
		}
		v, err := expect.Eval(text, measured(box))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if v.Outcome == expect.Undecided {
			continue
		}
		decided++
		for range 20 {
			point := map[string]expect.Value{}
			for n, b := range box {
				x := b.Low + (b.High-b.Low)*rng.Float64()
				point[n] = known(x, x, x)
			}
			at, err := expect.Eval(text, measured(point))
			if err != nil {
				t.Fatal(err)
			}
			// A point may leave a division by 0 open; it may not contradict.
			if at.Outcome != v.Outcome && at.Outcome != expect.Undecided {
				t.Fatalf("%s\n  %s over the intervals %v\n  %s at %v", text, v.Outcome, box, at.Outcome, point)
			}
		}
	}
	if decided < 200 {
		t.Errorf("only %d of 800 were decided: the test shows little", decided)
	}
}

// Where each quantity occurs once and goes one way, the verdict is that of all
// corners together.
func TestMonotoneVerdictsAreThoseOfTheCorners(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	texts := []string{
		"a.goodput > 2 * b.goodput", "a.goodput + b.goodput <= c.goodput", "min(a.goodput, b.goodput) > c.goodput - 1",
		"a.goodput / b.goodput < 3", "max(a.goodput, 5) >= b.goodput * c.goodput / 4 * 1s", "a.goodput > 3 and b.goodput < c.goodput",
	}
	names := []string{"a.goodput", "b.goodput", "c.goodput"}
	for range 2000 {
		text := texts[rng.IntN(len(texts))]
		box := map[string]expect.Value{}
		for _, n := range names {
			low := 0.5 + rng.Float64()*9
			box[n] = known(low, low, low+rng.Float64()*2)
		}
		held := 0
		for corner := range 8 {
			point := map[string]expect.Value{}
			for i, n := range names {
				x := box[n].Low
				if corner>>i&1 == 1 {
					x = box[n].High
				}
				point[n] = known(x, x, x)
			}
			if v, _ := expect.Eval(text, measured(point)); v.Outcome == expect.Held {
				held++
			}
		}
		want := expect.Undecided
		switch held {
		case 8:
			want = expect.Held
		case 0:
			want = expect.NotHeld
		}
		v, err := expect.Eval(text, measured(box))
		// A conjunction that no corner fulfils may fail for another reason at
		// each; then nothing is certain.
		if err != nil || v.Outcome != want && !(strings.Contains(text, "and") && v.Outcome == expect.Undecided) {
			t.Fatalf("%s: %v, %v; the corners say %s of %v", text, v.Outcome, err, want, box)
		}
	}
}

// draw makes an expression of at most the given depth.
func draw(rng *rand.Rand, names []string, depth int) string {
	arith := func() string { return drawNumber(rng, names, depth) }
	switch rng.IntN(7) {
	case 0:
		if depth > 1 {
			return "(" + draw(rng, names, depth-1) + []string{") and (", ") or ("}[rng.IntN(2)] + draw(rng, names, depth-1) + ")"
		}
	case 1:
		return "not (" + draw(rng, names, max(depth-1, 1)) + ")"
	case 2:
		return fmt.Sprintf("between(a.goodput, %s, %s)", pure(rng, names), pure(rng, names))
	case 3:
		return fmt.Sprintf("within(%s, %s, %d%%)", pure(rng, names), names[rng.IntN(len(names))], rng.IntN(60))
	}
	return arith() + []string{" < ", " <= ", " > ", " >= ", " == ", " != "}[rng.IntN(6)] + fmt.Sprintf("%d", rng.IntN(20)) + " + " + names[rng.IntN(len(names))] + " * 1s"
}

func pure(rng *rand.Rand, names []string) string {
	return fmt.Sprintf("(%s + %d)", names[rng.IntN(len(names))], rng.IntN(10))
}

// drawNumber makes arithmetic without a unit.
func drawNumber(rng *rand.Rand, names []string, depth int) string {
	if depth == 0 || rng.IntN(4) == 0 {
		if rng.IntN(3) == 0 {
			return fmt.Sprint(rng.IntN(12))
		}
		return names[rng.IntN(len(names))] + " * 1s"
	}
	a, b := drawNumber(rng, names, depth-1), drawNumber(rng, names, depth-1)
	switch rng.IntN(8) {
	case 0:
		return "abs(" + a + ")"
	case 1:
		return "min(" + a + ", " + b + ")"
	case 2:
		return "max(" + a + ", " + b + ")"
	case 3:
		return "-(" + a + ")"
	}
	return "(" + a + ")" + []string{" + ", " - ", " * ", " / "}[rng.IntN(4)] + "(" + b + ")"
}
