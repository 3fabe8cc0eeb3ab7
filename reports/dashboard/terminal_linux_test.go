package dashboard

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/scenarios"
)

// terminal opens a pseudo-terminal of 80 × 24.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+plainInt(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// TestTerminalIsRestored runs Show on a real terminal: it finds the size, reads
// a key, and leaves the terminal's modes as they were.
func TestTerminalIsRestored(t *testing.T) {
	t.Setenv("TERM", "screen") // a terminal that isn't asked for its background
	master, slave := terminal(t)
	before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	output := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(master) // ends with EIO when the slave is closed
		output <- string(b)
	}()

	events := make(chan scenarios.Event)
	done := make(chan error, 1)
	stopped := make(chan struct{})
	go func() {
		done <- Show(t.Context(), events, Options{In: slave, Out: slave, Stop: func() { close(stopped) }})
	}()
	events <- scenarios.PlanStarted{Name: "on a terminal", Total: 1, Measuring: time.Minute}
	raw := func() bool {
		now, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
		return err == nil && now.Lflag&unix.ICANON == 0
	}
	for deadline := time.Now().Add(patience); !raw(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("keys are not read one by one")
		}
	}
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("ctrl+c did not ask for the stop")
	}
	close(events)
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("Show did not return")
	}
	after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if *after != *before {
		t.Errorf("terminal modes are %+v, were %+v", *after, *before)
	}
	if err := slave.Close(); err != nil {
		t.Error(err)
	}
	select {
	case out := <-output:
		if !strings.Contains(out, "on a terminal") || strings.LastIndex(out, leaveScreen) < strings.LastIndex(out, enterScreen) {
			t.Errorf("unexpected output %q", out)
		}
	case <-time.After(patience):
		t.Fatal("the terminal's output did not end")
	}
}
