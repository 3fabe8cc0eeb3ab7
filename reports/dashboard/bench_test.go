package dashboard

import (
	"fmt"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
)

// BenchmarkFrame is what one frame costs the machine that is being measured:
// the arrival of two samples, and the drawing.
func BenchmarkFrame(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		for v := range views {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], v), func(b *testing.B) {
				events := script(rehearsal.Three(), 50)
				m := feedModel(newModel(testTheme(termenv.TrueColor), nil), tea.WindowSizeMsg{Width: size[0], Height: size[1]}, events)
				m.view = v
				var samples batch
				for _, e := range events {
					if _, ok := e.(scenarios.Sample); ok {
						samples = append(samples, e)
					}
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i = (i + 2) % (len(samples) - 1) {
					m = feedModel(m, samples[i:i+2])
					_ = m.View()
				}
			})
		}
	}
}
