// Package process starts server processes, watches them and makes sure that
// they are gone afterwards. The lab's side is Start, which returns a Group;
// the server's side is Inherit and, for pre-forking servers, the Arbiter.
//
// Three file descriptors connect the two sides: the listener, bound by the
// lab so that nobody races for a port; the control pipe, which the lab holds
// open and never writes to, so that end-of-file means the lab is gone, even
// by SIGKILL; and the scoreboard, through which the server shows what it is
// doing at no cost to itself.
package process

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The file descriptors under which a started command finds what it inherits.
const (
	ListenerFD   = 3
	ControlFD    = 4
	ScoreboardFD = 5
)

// ErrPlatform is returned where processes can't be supervised.
var ErrPlatform = errors.New("server models need Linux or macOS")

// Launch is what to start and what to hand to it.
type Launch struct {
	// Commands are started in order, each in a session of its own. Each
	// inherits the listener as descriptor 3, the control pipe as 4 and the
	// scoreboard as 5; its own ExtraFiles follow. Output that a command has
	// no place for goes to the group's log.
	Commands []*exec.Cmd
	// Listener is a listening socket, or nil. It stays the caller's to close.
	Listener *os.File
	// Upstreams are what Commands stand in front of, if anything, each with a
	// listener and a scoreboard of its own. A stop begins at the front: an
	// upstream is asked only when all before it are gone, so that what the
	// front has taken in can still be served.
	Upstreams []Part
	// Cores are the CPUs that the whole tree may use; nil = all. Only Linux
	// can restrict them.
	Cores []int
	// Environ are variables that each command gets beside its own.
	Environ []string
	// Log also gets what the processes print, as they print it; nil = it is
	// only kept for Group.Log.
	Log io.Writer
	// Supervise has the commands started again when one of them exits by
	// itself, once Group.Ready has been called; see there.
	Supervise bool
}

// A Part is commands that belong together: they share a listener, which stays
// the caller's to close, and a scoreboard; when one of them dies under
// supervision, all of them are started again, and no other part is touched.
type Part struct {
	Commands []*exec.Cmd
	Listener *os.File
}

// parts are all parts of the launch, the front first.
func (l *Launch) parts() []Part {
	return append([]Part{{l.Commands, l.Listener}}, l.Upstreams...)
}

// LockVariable names the environment variable in which each command, and what
// inherits its environment, finds the path of a file to flock(2): the same
// file for all processes of one group, over restarts too, and for no other.
const LockVariable = "GATEWAYLAB_LOCK"

// logSize is how much of the processes' output is kept.
const logSize = 16 << 10

// stopPoll is how often a stopping group is looked at.
const stopPoll = 10 * time.Millisecond

// RestartPause is for how long a program that has died is left dead before it is
// started again, as a service manager does it: systemd with Restart=always waits
// RestartSec=100ms, which is its default (systemd.service(5)).
const RestartPause = 100 * time.Millisecond

// maxFruitless is how many deaths in a row are too many, of those without a
// request having been taken. A service manager's own bound, five starts within
// ten seconds, is meant for services that nobody crashes on purpose; here a
// death while serving never counts.
const maxFruitless = 50

// killTime is how long killed processes may take to disappear.
const killTime = 3 * time.Second

// A KilledError tells that processes didn't end within the grace that they were
// given.
type KilledError struct{ Processes []string }

func (e *KilledError) Error() string {
	return "did not stop when asked and had to be killed: process " + strings.Join(e.Processes, ", ")
}
