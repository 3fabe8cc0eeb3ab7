package dashboard

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// A screen is a grid of characters with an ink each. Whatever is drawn on it
// is clipped to it, so that no frame is ever wider or higher than the terminal.
type screen struct {
	w, h  int
	cells []glyph
	wide  *runewidth.Condition
}

type glyph struct {
	r   rune // 0 = right half of a wide character
	ink ink
}

// area is a rectangle of a screen.
type area struct{ x, y, w, h int }

func newScreen(w, h int) *screen {
	s := &screen{w: w, h: h, cells: make([]glyph, w*h), wide: &runewidth.Condition{StrictEmojiNeutral: true}}
	for i := range s.cells {
		s.cells[i].r = ' '
	}
	return s
}

func (s *screen) area() area { return area{0, 0, s.w, s.h} }

// at is the character at (x, y).
func (s *screen) at(x, y int) rune {
	if x < 0 || y < 0 || x >= s.w || y >= s.h {
		return 0
	}
	return s.cells[y*s.w+x].r
}

// set puts a character one cell wide.
func (s *screen) set(x, y int, k ink, r rune) {
	if x < 0 || y < 0 || x >= s.w || y >= s.h {
		return
	}
	row := s.cells[y*s.w : (y+1)*s.w]
	if row[x].r == 0 && x > 0 { // half of a wide character can't stay
		row[x-1].r = ' '
	}
	if x+1 < s.w && row[x+1].r == 0 {
		row[x+1].r = ' '
	}
	row[x] = glyph{r, k}
}

// text writes str from (x, y) in at most w cells, the last of which says
// where it was cut, and returns the x after it. Characters that would move the
// cursor are shown as spaces.
func (s *screen) text(x, y, w int, k ink, str string) int {
	end := min(x+w, s.w)
	fits := s.width(str) <= end-x
	for _, r := range str {
		n := s.runeWidth(r)
		switch {
		case n == 0:
			continue
		case !fits && x+n > end-1:
			if x < end {
				s.set(x, y, k, '…')
				x++
			}
			return x
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			r = ' '
		}
		s.set(x, y, k, r)
		if n == 2 {
			s.set(x+1, y, k, ' ')
			s.cells[y*s.w+x+1].r = 0
		}
		x += n
	}
	return x
}

// right writes str so that it ends before x.
func (s *screen) right(x, y, w int, k ink, str string) {
	n := min(s.width(str), w)
	s.text(x-n, y, n, k, str)
}

func (s *screen) width(str string) int {
	n := 0
	for _, r := range str {
		n += s.runeWidth(r)
	}
	return n
}

func (s *screen) runeWidth(r rune) int {
	if r < 0x300 || r >= 0x2000 && r < 0x2100 && r != 0x200b && r != 0x200d || r >= 0x2190 && r < 0x2600 {
		return 1 // most of what is drawn here; controls become spaces
	}
	return s.wide.RuneWidth(r)
}

// render is the frame as bubbletea wants it.
func (s *screen) render(t *theme) string {
	var b strings.Builder
	b.Grow(len(s.cells) * 2)
	for y := range s.h {
		if y > 0 {
			b.WriteByte('\n')
		}
		row := s.cells[y*s.w : (y+1)*s.w]
		for len(row) > 0 && row[len(row)-1] == (glyph{' ', plain}) {
			row = row[:len(row)-1]
		}
		now := plain
		for _, g := range row {
			if g.r == 0 {
				continue
			}
			if g.ink != now {
				b.WriteString(t.close[now])
				b.WriteString(t.open[g.ink])
				now = g.ink
			}
			b.WriteRune(g.r)
		}
		b.WriteString(t.close[now])
	}
	return b.String()
}
