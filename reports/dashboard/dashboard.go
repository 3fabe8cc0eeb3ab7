// Package dashboard shows a run while it happens: as a full-screen program in
// a terminal (Show), or as progress lines anywhere else (Plain).
//
// A live view that costs the machine something changes what it shows. So the
// events of the run are taken off its hands at once by a goroutine that does
// nothing else, handed to the program in one batch per frame, stored, and
// drawn at most a few times a second into a grid of characters, at a cost that
// a benchmark keeps well under a millisecond a frame. And since trials come in
// random order, nothing on the screen moves when the next one starts: models
// keep their row, scenarios their column, trials their place in it.
package dashboard

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/term"
	"github.com/muesli/termenv"

	"gatewaylab/scenarios"
)

// DefaultFrameRate is how many frames a second are drawn at most, unless
// Options.FrameRate says otherwise: enough to look alive, little enough to
// cost nothing.
const DefaultFrameRate = 8

// Options say where the dashboard is shown and what it may do.
type Options struct {
	// In is where keys come from. Without it, or if it is a file and not a
	// terminal, the dashboard shows and can't be asked anything.
	In io.Reader
	// Out is the terminal to draw on: os.Stderr or os.Stdout.
	Out *os.File
	// Stop is called once, from a goroutine of its own, when the user asks to
	// stop. The run is then expected to wind down and to close its events.
	Stop func()
	// FrameRate is the limit of frames a second; 0 means DefaultFrameRate.
	FrameRate int
	// NoColor draws without colours and attributes. The environment's
	// NO_COLOR has the same effect.
	NoColor bool
}

// Show runs the dashboard until events is closed, then leaves the terminal as
// it found it. Events are received as fast as they are sent, whatever the
// terminal does: a slow one costs frames and never delays the sender.
//
// When ctx ends, the dashboard says that the run is stopping and waits for
// events to be closed, as it does after Stop. If the display itself fails, the
// remaining events are received all the same and the error is returned at the
// end.
func Show(ctx context.Context, events <-chan scenarios.Event, o Options) error {
	rate := o.FrameRate
	if rate <= 0 {
		rate = DefaultFrameRate
	}
	f := newFeed()
	go f.drain(events)
	defer func() { <-f.closed }()

	p := tea.NewProgram(newModel(newTheme(o.Out, o.NoColor), o.Stop),
		tea.WithInput(input(o.In)),
		tea.WithOutput(o.Out),
		tea.WithFPS(rate),
		tea.WithAltScreen(),
		tea.WithoutBracketedPaste(),
		tea.WithoutSignalHandler(), // signals belong to the caller
	)
	over := make(chan struct{})
	pumped := make(chan struct{})
	go func() {
		defer close(pumped)
		f.pump(p.Send, time.Second/time.Duration(rate), over)
	}()
	go func() {
		select {
		case <-ctx.Done():
			p.Send(stopSeen{})
		case <-over:
		}
	}()

	_, err := p.Run()
	close(over)
	<-pumped
	if err != nil {
		return fmt.Errorf("dashboard: %w (the run went on unseen; turn the dashboard off to see progress lines)", err)
	}
	return nil
}

// input returns what keys can be read from, or nil.
func input(in io.Reader) io.Reader {
	if f, ok := in.(*os.File); ok && (f == nil || !term.IsTerminal(f.Fd())) {
		return nil
	}
	return in
}

// newTheme asks the terminal what it can show. That must be over before the
// program starts to read keys from it, for the answer comes the same way.
func newTheme(out io.Writer, noColor bool) *theme {
	r := lipgloss.NewRenderer(out)
	if noColor {
		r.SetColorProfile(termenv.Ascii)
	}
	switch {
	case r.ColorProfile() == termenv.Ascii:
		r.SetHasDarkBackground(true) // no need to ask
	case term.IsTerminal(os.Stdout.Fd()):
		// Bubble Tea asked when the process began and has kept the answer. One that
		// gives none costs seconds each time.
		r.SetHasDarkBackground(lipgloss.HasDarkBackground())
	}
	return themeOf(r)
}
