package dashboard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
)

const (
	enterScreen = "\x1b[?1049h"
	leaveScreen = "\x1b[?1049l"
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
)

// stage is a Show on a pipe instead of a terminal.
type stage struct {
	events chan scenarios.Event
	done   chan error
	left   chan struct{} // closed when the screen has been left
	out    chan string
}

// record reads everything that is drawn.
func (s *stage) record(r io.Reader) {
	var b bytes.Buffer
	chunk := make([]byte, 4096)
	left := false
	for {
		n, err := r.Read(chunk)
		b.Write(chunk[:n])
		if !left && bytes.Contains(b.Bytes(), []byte(leaveScreen)) {
			left = true
			close(s.left)
		}
		if err != nil {
			s.out <- b.String()
			return
		}
	}
}

func show(ctx context.Context, t *testing.T, in io.Reader, stop func()) *stage {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{make(chan scenarios.Event), make(chan error, 1), make(chan struct{}), make(chan string, 1)}
	go s.record(r)
	go func() {
		err := Show(ctx, s.events, Options{In: in, Out: w, Stop: stop, FrameRate: 60, NoColor: true})
		s.done <- errors.Join(err, w.Close())
	}()
	return s
}

func (s *stage) end(t *testing.T) (string, error) {
	t.Helper()
	select {
	case err := <-s.done:
		return <-s.out, err
	case <-time.After(patience):
		t.Fatal("Show did not return after its events were closed")
		return "", nil
	}
}

func TestShowEndsWithItsEvents(t *testing.T) {
	s := show(t.Context(), t, nil, nil)
	rehearsal.Three().Play(func(e scenarios.Event) { s.events <- e }, func(time.Duration) {})
	close(s.events)
	out, err := s.end(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{enterScreen, leaveScreen}, {hideCursor, showCursor}} {
		if in, back := strings.LastIndex(out, pair[0]), strings.LastIndex(out, pair[1]); in < 0 || back < in {
			t.Errorf("%q is not undone by %q", pair[0], pair[1])
		}
	}
	for _, mode := range []string{"\x1b[?2004h", "\x1b[?1002h", "\x1b[?1003h"} {
		if strings.Contains(out, mode) {
			t.Errorf("Show turned %q on, which it has no use for", mode)
		}
	}
}

// TestShowStops: a key asks for the stop; the display stays until the run is
// through.
func TestShowStops(t *testing.T) {
	in, keyboard := io.Pipe()
	t.Cleanup(func() { _ = keyboard.Close() })
	stopped := make(chan struct{})
	s := show(t.Context(), t, in, func() { close(stopped) })
	s.events <- scenarios.PlanStarted{Total: 3, Measuring: time.Minute}
	if _, err := keyboard.Write([]byte("qq\x03")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("Stop was not called")
	}
	select {
	case err := <-s.done:
		t.Fatalf("Show returned (%v) before the run was through", err)
	case s.events <- scenarios.PlanDone{Interrupted: true}:
	}
	close(s.events)
	if _, err := s.end(t); err != nil {
		t.Error(err)
	}
}

func TestShowOutlivesItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := show(ctx, t, nil, func() { t.Error("Stop was called though nobody asked") })
	s.events <- scenarios.PlanStarted{Total: 3, Measuring: time.Minute}
	cancel()
	for range 50 {
		s.events <- scenarios.Note{Text: "still running"}
	}
	close(s.events)
	if _, err := s.end(t); err != nil {
		t.Error(err)
	}
}

// TestBrokenDisplay: the run goes on, the error comes at the end.
func TestBrokenDisplay(t *testing.T) {
	broken := errors.New("the keyboard fell off")
	s := show(t.Context(), t, iotest.ErrReader(broken), nil)
	select {
	case <-s.left:
	case <-time.After(patience):
		t.Fatal("a display whose input fails stays on")
	}
	for range 1000 {
		s.events <- scenarios.Note{Text: "still running"}
	}
	select {
	case err := <-s.done:
		t.Fatalf("Show returned (%v) while events were coming", err)
	default:
	}
	close(s.events)
	if _, err := s.end(t); !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
}

// TestNoColor: neither colours nor attributes.
func TestNoColor(t *testing.T) {
	for name, set := range map[string]func(*testing.T) *theme{
		"option":   func(*testing.T) *theme { return newTheme(io.Discard, true) },
		"NO_COLOR": func(t *testing.T) *theme { t.Setenv("NO_COLOR", "1"); return newTheme(os.Stderr, false) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(20, 1)
			for k := range ink(inks) {
				s.set(int(k), 0, k, 'x')
			}
			if got := s.render(set(t)); got != strings.Repeat("x", inks) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestColors: what is drawn is the same with colours and without.
func TestColors(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	events := script(rehearsal.Three(), 40)
	var frames [2]string
	for i, th := range []*theme{testTheme(0 /* TrueColor */), newTheme(io.Discard, true)} {
		m := feedModel(newModel(th, nil), windowSize(100, 30), events)
		frames[i] = m.View()
	}
	if !bytes.Contains([]byte(frames[0]), []byte("\x1b[38;2;")) {
		t.Error("no colours")
	}
	if ansi.Strip(frames[0]) != frames[1] {
		t.Error("colours change the text")
	}
}
