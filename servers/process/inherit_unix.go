//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotInherited is returned to a server that was not started by the lab.
var ErrNotInherited = errors.New("not started by the lab")

// Inherited is what a started command received from the lab.
type Inherited struct {
	Listener *os.File // nil if the lab passed none
	Control  *os.File // for children, which then see the lab's end by themselves
	Board    *Scoreboard
	// Files are all three in the order of their descriptors, to be a child's
	// ExtraFiles.
	Files []*os.File
	// Orphaned is closed when the lab is gone.
	Orphaned <-chan struct{}
}

// Inherit takes over the descriptors that Start passes. They are closed in
// children unless passed on. It must be called once, early in main, before
// other files are opened.
func Inherit() (*Inherited, error) {
	if err := checkInherited(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotInherited, err)
	}
	in := &Inherited{}
	for _, fd := range []int{ListenerFD, ControlFD, ScoreboardFD} {
		syscall.CloseOnExec(fd)
	}
	if isListener(ListenerFD) {
		in.Listener = os.NewFile(ListenerFD, "listener")
	}
	in.Control = os.NewFile(ControlFD, "control pipe")
	boardFile := os.NewFile(ScoreboardFD, "scoreboard")
	board, err := OpenScoreboard(boardFile)
	if err != nil {
		return nil, err
	}
	in.Board = board
	in.Files = []*os.File{in.Listener, in.Control, boardFile}
	orphaned := make(chan struct{})
	in.Orphaned = orphaned
	go func() {
		awaitHangup(ControlFD)
		close(orphaned)
	}()
	return in, nil
}

// checkInherited looks before it touches: run by hand, the descriptors are
// closed or somebody else's.
func checkInherited() error {
	var st unix.Stat_t
	if err := unix.Fstat(ControlFD, &st); err != nil {
		return fmt.Errorf("descriptor %d: %w", ControlFD, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return fmt.Errorf("descriptor %d is not a pipe", ControlFD)
	}
	if err := unix.Fstat(ScoreboardFD, &st); err != nil {
		return fmt.Errorf("descriptor %d: %w", ScoreboardFD, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != int64(boardSize) {
		return fmt.Errorf("descriptor %d is not a scoreboard", ScoreboardFD)
	}
	return nil
}

func isListener(fd int) bool {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && listening != 0
}

// awaitHangup blocks until a pipe has no writer left. It holds a thread, but
// depends on nothing: not on the descriptor's blocking mode, which all
// processes share, nor on the scheduler's poller.
func awaitHangup(fd int) {
	watch := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(watch, -1)
		if err == nil || !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
