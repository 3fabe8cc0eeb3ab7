package chart

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
)

// names fits the models' labels into a width: broken after the model's name
// and between options, and if that takes more lines than most (at least 2) or
// an option is too wide, shortened in the middle. No two come out alike.
func (f face) names(labels []string, width vg.Length, most int) [][]string {
	out := make([][]string, len(labels))
	alike := map[string][]int{}
	for i, l := range labels {
		out[i] = f.name(l, width, most)
		text := strings.Join(out[i], "\n")
		alike[text] = append(alike[text], i)
	}
	for _, models := range alike {
		for _, i := range models {
			if len(models) > 1 {
				out[i] = f.numbered(labels[i], i, width, most)
			}
		}
	}
	return out
}

func (f face) name(label string, width vg.Length, most int) []string {
	if f.Width(label) <= width {
		return []string{label}
	}
	var lines []string
	line := ""
	for _, part := range parts(label) {
		part = f.shorten(part, width)
		if line != "" && f.Width(line+part) > width {
			lines = append(lines, line)
			line = ""
		}
		line += part
	}
	lines = append(lines, line)
	if n := len(lines); n > most {
		// The last line that stays takes up the middle of what does not.
		cut := f.shorten(strings.Join(lines[most-2:n-1], ""), width)
		lines = append(lines[:most-2:most-2], cut, lines[n-1])
	}
	return lines
}

// parts splits a model spec after its name and its options.
func parts(label string) (all []string) {
	start := 0
	for i, r := range label {
		if r == ':' || r == ',' || r == '+' {
			all = append(all, label[start:i+1])
			start = i + 1
		}
	}
	return append(all, label[start:])
}

// numbered is the label with the model's position in the run, for labels that
// would otherwise be shortened to the same.
func (f face) numbered(label string, i int, width vg.Length, most int) []string {
	n := fmt.Sprintf(" #%d", i+1)
	lines := f.name(label, width-f.Width(n), most)
	lines[len(lines)-1] += n
	return lines
}

func (f face) widest(lines []string) (w vg.Length) {
	for _, l := range lines {
		w = max(w, f.Width(l))
	}
	return w
}

// A tag is a label that wants to stand at a height.
type tag struct {
	want, height vg.Length // centre and extent
	at           vg.Length // centre, as placed
	model        int
	lines        []string
	note         string // second line, small
	loose        bool   // belongs to no point of the plot
}

// spread moves tags apart, as little as needed and in their order from top to
// bottom, so that none overlaps another and all stay between low and high if
// there is room at all.
func spread(tags []*tag, low, high vg.Length) {
	slices.SortStableFunc(tags, func(a, b *tag) int {
		switch {
		case a.loose != b.loose && b.loose:
			return -1
		case a.loose != b.loose:
			return 1
		case a.want > b.want:
			return -1
		case a.want < b.want:
			return 1
		}
		return 0
	})
	// Tags that touch form a block, which is centred on what its members want.
	type block struct {
		tags        []*tag
		sum, height vg.Length // sum of wanted tops less what stands above in the block
	}
	place := func(b block) (top vg.Length) {
		top = b.sum / vg.Length(len(b.tags))
		return max(min(top, high), low+b.height)
	}
	var blocks []block
	for _, t := range tags {
		b := block{tags: []*tag{t}, sum: t.want + t.height/2, height: t.height}
		for len(blocks) > 0 {
			above := blocks[len(blocks)-1]
			if place(above)-above.height >= place(b) {
				break
			}
			above.sum += b.sum + vg.Length(len(b.tags))*above.height
			above.tags = append(above.tags, b.tags...)
			above.height += b.height
			b = above
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		y := place(b)
		for _, t := range b.tags {
			t.at = y - t.height/2
			y -= t.height
		}
	}
}

// list joins words: "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
