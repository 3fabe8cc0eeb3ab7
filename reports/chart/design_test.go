package chart

import (
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lucasb-eyer/go-colorful"
	"gonum.org/v1/plot/vg"
)

func luminance(c color.NRGBA) float64 {
	k := colorful.Color{R: float64(c.R) / 255, G: float64(c.G) / 255, B: float64(c.B) / 255}
	r, g, b := k.LinearRgb()
	return 0.2126*r + 0.7152*g + 0.0722*b
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrast(t *testing.T) {
	for _, name := range []string{"light", "dark"} {
		th, err := themeNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		grounds := []color.NRGBA{th.back, th.shade}
		for _, g := range grounds {
			for what, c := range map[string]color.NRGBA{"ink": th.ink, "muted": th.muted} {
				if r := contrast(c, g); r < 4.5 {
					t.Errorf("%s: %s text has a contrast of %.2f, want 4.5", name, what, r)
				}
			}
		}
		for what, c := range map[string]color.NRGBA{"axis": th.axis} {
			if r := contrast(c, th.back); r < 3 {
				t.Errorf("%s: %s has a contrast of %.2f, want 3", name, what, r)
			}
		}
		for i, c := range th.series {
			if r := contrast(c, th.back); r < 3 {
				t.Errorf("%s: colour %d has a contrast of %.2f, want 3", name, i, r)
			}
			if r := contrast(th.ink, blend(th.back, c, 0.38)); r < 4.5 {
				t.Errorf("%s: whiskers and dots on bar %d have a contrast of %.2f, want 4.5", name, i, r)
			}
		}
	}
}

// TestColoursSurviveColourBlindness simulates the three dichromacies (Machado,
// Oliveira and Fernandes 2009, severity 1) and asks for a distance in CIELAB
// that is plainly visible between any two colours.
func TestColoursSurviveColourBlindness(t *testing.T) {
	kinds := map[string][3][3]float64{
		"normal sight": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
		"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	}
	for _, name := range []string{"light", "dark"} {
		th, _ := themeNamed(name)
		for kind, m := range kinds {
			seen := func(c color.NRGBA) colorful.Color {
				r, g, b := colorful.Color{R: float64(c.R) / 255, G: float64(c.G) / 255, B: float64(c.B) / 255}.LinearRgb()
				row := func(i int) float64 { return min(1, max(0, m[i][0]*r+m[i][1]*g+m[i][2]*b)) }
				return colorful.LinearRgb(row(0), row(1), row(2))
			}
			for i, a := range th.series {
				for j, b := range th.series[:i] {
					if d := 100 * seen(a).DistanceLab(seen(b)); d < 9 {
						t.Errorf("%s, %s: colours %d and %d are %.1f apart, want 9", name, kind, j, i, d)
					}
				}
			}
		}
	}
}

func TestTwelveModelsDifferWithoutColour(t *testing.T) {
	seen := map[[2]int]bool{}
	for i := range 12 {
		mark := [2]int{i % shapes, i / shapes % 2}
		if seen[mark] {
			t.Errorf("model %d has the marker of another", i)
		}
		seen[mark] = true
	}
	th, _ := themeNamed("light")
	p := &pen{theme: th}
	for i := range 36 {
		for j := range i {
			if i%shapes == j%shapes && i/shapes%2 == j/shapes%2 && p.colour(i) == p.colour(j) {
				t.Errorf("models %d and %d look the same", j, i)
			}
		}
	}
}

func TestLogTicksAreReadable(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0.9, 1100, "1 3 10 30 100 300 1,000"},
		{45, 800, "50 100 200 500"},
		{40, 90, "40 45 50 60 70 80 90"},
		{0.0009, 0.0011, "0.0009 0.001"},
		{0.4, 25000, "1 10 100 1,000 10,000"},
		{1e-9, 1e9, "0.000000001 0.000001 0.001 1 1,000 1,000,000 1,000,000,000"},
	} {
		var got []string
		for _, tick := range (decades{n: 8}).Ticks(c.low, c.high) {
			if !tick.IsMinor() {
				got = append(got, tick.Label)
			}
		}
		if joined := strings.Join(got, " "); joined != c.want {
			t.Errorf("ticks from %v to %v: %s, want %s", c.low, c.high, joined, c.want)
		}
	}
}

func TestScalesSurviveAnything(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, values := range [][]float64{
		nil, {0}, {nan, inf, -inf, -3, 0}, {5}, {5, 5.001}, {1e-300, 1e300}, {math.SmallestNonzeroFloat64, math.MaxFloat64},
	} {
		low, high := logRange(values)
		if !loggable(low) || !loggable(high) || high < 3.99*low {
			t.Errorf("logRange(%v) = %v, %v", values, low, high)
		}
		if n := len((decades{n: 8}).Ticks(low, high)); n > 100 {
			t.Errorf("logRange(%v): %d ticks", values, n)
		}
	}
	for _, r := range [][2]float64{{0, 0}, {0, nan}, {0, inf}, {-inf, inf}, {3, 1}, {0, 1e300}, {0, 1e-300}} {
		(linear{n: 5}).Ticks(r[0], r[1])
		(decades{n: 5}).Ticks(r[0], r[1])
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 79.12: "79.1", 970: "970", 14930.4: "14,930", 1234567: "1,234,567", 0.0791: "0.0791", 9.999: "10.0",
		1.5: "1.50", 99.96: "100", 0.9999: "1.00", -1234: "−1,234", math.Inf(1): "–",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	for _, c := range []struct {
		v, step float64
		want    string
	}{{0, .5, "0"}, {1, .5, "1.0"}, {20000, 5000, "20,000"}, {.02, .01, "0.02"}, {-.5, .5, "−0.5"}} {
		if got := tickText(c.v, c.step); got != c.want {
			t.Errorf("tickText(%v, %v) = %q, want %q", c.v, c.step, got, c.want)
		}
	}
}

func TestLongNamesStayUnambiguous(t *testing.T) {
	th, _ := themeNamed("light")
	f := (&pen{theme: th}).face(sizeLabel, true, th.ink)
	labels := []string{
		"prefork:workers=8,timeout=30s", "prefork:workers=9,timeout=30s", "async",
		strings.Repeat("x", 80) + "1" + strings.Repeat("x", 80), strings.Repeat("x", 80) + "2" + strings.Repeat("x", 80),
	}
	for _, width := range []vg.Length{60, 100, 200} {
		for _, most := range []int{2, 3} {
			names := f.names(labels, width, most)
			for i, a := range names {
				if len(a) > most || f.widest(a) > width+0.01 {
					t.Errorf("%q is %d lines, %v wide, for %v", a, len(a), f.widest(a), width)
				}
				for _, b := range names[:i] {
					if slices.Equal(a, b) {
						t.Errorf("two models are called %q at a width of %v", a, width)
					}
				}
			}
		}
	}
}

func TestLabelsSpread(t *testing.T) {
	tags := []*tag{
		{want: 10, height: 20, model: 0}, {want: 12, height: 20, model: 1}, {want: 11, height: 20, model: 2},
		{want: 190, height: 20, model: 3}, {want: 0, height: 20, model: 4, loose: true},
	}
	spread(tags, 0, 200)
	for i, a := range tags {
		if a.at-a.height/2 < -1e-9 || a.at+a.height/2 > 200+1e-9 {
			t.Errorf("label %d at %v is out of bounds", a.model, a.at)
		}
		if i > 0 && tags[i-1].at-a.at < 20-1e-9 {
			t.Errorf("labels %d and %d overlap", tags[i-1].model, a.model)
		}
	}
	if order := []int{tags[0].model, tags[1].model, tags[2].model, tags[3].model, tags[4].model}; !slices.Equal(order, []int{3, 1, 2, 0, 4}) {
		t.Errorf("order %v", order)
	}
	if tags[0].at != 190 {
		t.Errorf("a label that is free was moved to %v", tags[0].at)
	}
}
