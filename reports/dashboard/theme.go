package dashboard

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// An ink is what a character is drawn with. Nothing is said by ink alone:
// whoever sees no colours loses no information.
type ink uint8

const (
	plain  ink = iota
	strong     // headings and figures that matter
	faint      // scales, marks, what is past
	alert      // what needs attention
	badge      // reversed
	series     // the first model's; the next ones follow
)

const seriesInks = 6

// of is the ink of the model in row i.
func of(i int) ink { return series + ink(i%seriesInks) }

const inks = int(series) + seriesInks

// A theme turns inks into the escape sequences of one terminal.
type theme struct{ open, close [inks]string }

// themeOf mixes the inks for a terminal. The models' colours are those of the
// plots, in the same order: Okabe and Ito's (Color Universal Design, 2008),
// which people with any kind of colour vision tell apart, the palest
// exchanged.
func themeOf(r *lipgloss.Renderer) *theme {
	adapt := func(light, dark string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	styles := [inks]lipgloss.Style{
		strong: r.NewStyle().Bold(true),
		faint:  adapt("#6C6C6C", "#949494"),
		alert:  adapt("#B34700", "#F5793A").Bold(true),
		badge:  r.NewStyle().Bold(true).Reverse(true),

		series + 0: adapt("#0072B2", "#56B4E9"), // blue
		series + 1: adapt("#D55E00", "#E8781E"), // vermillion
		series + 2: adapt("#009E73", "#1FBF92"), // bluish green
		series + 3: adapt("#333333", "#F2F2F2"), // black or white
		series + 4: adapt("#882255", "#C76BA8"), // wine
		series + 5: adapt("#CC79A7", "#F0E442"), // purple or yellow
	}
	t := &theme{}
	for i := range styles {
		if ink(i) != plain {
			t.open[i], t.close[i], _ = strings.Cut(styles[i].Render("x"), "x")
		}
	}
	return t
}
