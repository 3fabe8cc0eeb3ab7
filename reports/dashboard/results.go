package dashboard

import (
	"math"
	"strings"
	"unicode/utf8"
)

// resultLines are the figures of all cells so far: medians over valid trials.
func (m model) resultLines(p *picture) []line {
	if len(p.scenes) == 0 || len(p.models) == 0 {
		return []line{{span{0, m.w, faint, false, "no trial has finished yet"}}}
	}
	if m.compact() {
		return compactResults(p, m.w)
	}
	w := m.body().w
	const p99, p50, good, tail = 0, 11, 22, 18
	right := w - tail
	label := max(10, right-p99-good-12)
	barAt, barWidth := 0, 0
	if longest := longestLabel(p); label > longest+24 {
		label = max(12, longest)
		barAt, barWidth = 2+label+2, min(right-good-10-(2+label+4), 80)
	}
	var lines []line
	for i, sc := range p.scenes {
		if i > 0 {
			lines = append(lines, nil)
		}
		head := line{{0, label, strong, false, sc.name}}
		for _, c := range []struct {
			at   int
			text string
		}{{good, "goodput"}, {p50, "p50"}, {p99, "p99"}} {
			head = append(head, span{right - c.at, 10, faint, true, c.text})
		}
		lines = append(lines, append(head, span{right + 2, tail - 2, faint, false, "valid trials"}))
		top := topGoodput(p, sc)
		labels := shorten(p.models, label)
		for j := range p.models {
			sum := sc.look(j).summary()
			if c := sc.look(j); c.instead != "" {
				lines = append(lines, line{
					{2, label, plain, false, labels[j]},
					{label + 4, w - label - 4, faint, false, c.instead + ": " + c.because},
				})
				continue
			}
			l := line{
				{2, label, plain, false, labels[j]},
				{right - good, 10, strong, true, rate(sum.goodput)},
				{right - p50, 10, plain, true, ms(sum.p50)},
				{right - p99, 10, plain, true, ms(sum.p99)},
			}
			if sc.name == p.now.Scenario && p.models[j].Label == p.now.Model {
				l = append(l, span{0, 1, of(j), false, "▶"})
			}
			if barWidth > 0 && sum.goodput > 0 {
				l = append(l, span{barAt, barWidth, of(j), false, hbar(sum.goodput/top, barWidth)})
			}
			lines = append(lines, append(l, trialsSpan(sum, sc.planned(p), right+2, tail-2)...))
		}
	}
	return lines
}

func longestLabel(p *picture) int {
	n := 0
	for i := range p.models {
		n = max(n, utf8.RuneCountInString(p.models[i].Label))
	}
	return n
}

// trialsSpan says how many trials stand behind a figure, and what is wrong.
func trialsSpan(sum summary, planned, x, w int) line {
	n := whole(sum.valid) + " of " + whole(planned)
	l := line{{x, w, plain, false, n}}
	var bad []string
	if sum.invalid > 0 {
		bad = append(bad, "×"+whole(sum.invalid))
	}
	if sum.failed > 0 {
		bad = append(bad, whole(sum.failed)+" err")
	}
	if sum.restarts > 0 {
		bad = append(bad, "↻"+whole(sum.restarts))
	}
	if len(bad) > 0 {
		l = append(l, span{x + len(n) + 1, w - len(n) - 1, alert, false, strings.Join(bad, " ")})
	}
	return l
}

func topGoodput(p *picture, sc *scene) float64 {
	top := 0.0
	for j := range p.models {
		if g := sc.look(j).summary().goodput; !math.IsNaN(g) {
			top = max(top, g)
		}
	}
	return top
}

// hbar is a bar of at most w cells, in halves.
func hbar(share float64, w int) string {
	n := max(1, int(math.Round(share*float64(2*w))))
	return strings.Repeat("█", n/2) + strings.Repeat("▌", n%2)
}

// compactResults are two lines to a cell.
func compactResults(p *picture, w int) []line {
	var lines []line
	for _, sc := range p.scenes {
		lines = append(lines, line{{0, w, strong, false, sc.name}})
		labels := shorten(p.models, max(8, w-2-18-2))
		for j := range p.models {
			sum := sc.look(j).summary()
			if c := sc.look(j); c.instead != "" {
				lines = append(lines, line{{1, max(8, w-22), plain, false, labels[j]}, {w, 18, faint, true, c.instead}})
				continue
			}
			k := plain
			if sum.invalid > 0 {
				k = alert
			}
			lines = append(lines, line{
				{1, max(8, w-22), plain, false, labels[j]},
				{w - 9, 9, k, true, rate(sum.goodput)},
				{w, 8, plain, true, ms(sum.p50)},
			})
		}
	}
	return lines
}
