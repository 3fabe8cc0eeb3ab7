package dashboard

import (
	"strings"

	"github.com/charmbracelet/lipgloss"

	"gatewaylab/reports"
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
// plots, in the same order.
func themeOf(r *lipgloss.Renderer) *theme {
	adapt := func(light, dark string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	styles := [inks]lipgloss.Style{
		strong: r.NewStyle().Bold(true),
		faint:  adapt("#6C6C6C", "#949494"),
		alert:  adapt("#B34700", "#F5793A").Bold(true),
		badge:  r.NewStyle().Bold(true).Reverse(true),
	}
	for i, light := range reports.Colours(false) {
		styles[of(i)] = adapt(light, reports.Colours(true)[i])
	}
	t := &theme{}
	for i := range styles {
		if ink(i) != plain {
			t.open[i], t.close[i], _ = strings.Cut(styles[i].Render("x"), "x")
		}
	}
	return t
}
