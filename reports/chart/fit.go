package chart

import (
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
)

// A slot is a stretch of an axis that wants to be called something.
type slot struct {
	from, to vg.Length
	text     string
}

func (s slot) middle() vg.Length { return (s.from + s.to) / 2 }

// fit finds what can be written in the middle of each slot so that nothing
// touches: its text, or the beginning of that, or its number; where that would
// leave little to read, numbers at regular distances.
func (f face) fit(slots []slot) []string {
	const apart = 5
	out := make([]string, len(slots))
	for i, s := range slots {
		if f.Width(s.text)+apart <= s.to-s.from {
			out[i] = s.text
		}
	}
	lost := 0
	for i, s := range slots {
		if out[i] != "" {
			continue
		}
		room := f.room(slots, out, i, apart)
		switch text := f.begin(s.text, room); {
		case text == s.text || len([]rune(text)) >= 5:
			out[i] = text
		default:
			lost++
			if n := setting(float64(i + 1)); f.Width(n) <= room {
				out[i] = n
			}
		}
	}
	if 3*lost > len(slots) {
		f.number(slots, out, apart)
	}
	return out
}

// room is how wide text in the middle of slot i can be: its own width, or what
// its neighbours leave where they have their text already.
func (f face) room(slots []slot, out []string, i int, apart vg.Length) vg.Length {
	at := slots[i].middle()
	low, high := slots[0].from-apart/2, slots[len(slots)-1].to+apart/2
	if i > 0 {
		low = slots[i-1].to - apart/2
		if out[i-1] != "" {
			low = slots[i-1].middle() + f.Width(out[i-1])/2
		}
	}
	if i < len(slots)-1 {
		high = slots[i+1].from + apart/2
		if out[i+1] != "" {
			high = slots[i+1].middle() - f.Width(out[i+1])/2
		}
	}
	return 2 * (min(at-low, high-at) - apart)
}

// begin cuts the end of s off until it fits.
func (f face) begin(s string, width vg.Length) string {
	if f.Width(s) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n > 0; n-- {
		if t := strings.TrimRight(string(r[:n]), " ,") + "…"; f.Width(t) <= width {
			return t
		}
	}
	return ""
}

// number writes the numbers of slots, of so many only that they stay apart.
func (f face) number(slots []slot, out []string, apart vg.Length) {
	for _, every := range []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000} {
		last, ok := vg.Length(math.Inf(-1)), true
		for i, s := range slots {
			out[i] = ""
			if (i+1)%every != 0 {
				continue
			}
			text := setting(float64(i + 1))
			from := s.middle() - f.Width(text)/2
			ok = ok && from > last+apart
			last = from + f.Width(text)
			out[i] = text
		}
		if ok {
			return
		}
	}
	clear(out)
}
