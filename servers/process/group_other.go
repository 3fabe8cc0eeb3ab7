//go:build !unix

package process

import (
	"os"
	"time"
)

// A Group is a tree of running processes. There is none on this system.
type Group struct{}

// Start returns ErrPlatform on this system.
func Start(Launch) (*Group, error) { return nil, ErrPlatform }

// Done is closed when any of the commands has exited.
func (*Group) Done() <-chan struct{} { return nil }

// Ready says that the commands serve.
func (*Group) Ready() error { return ErrPlatform }

// Err says how the first command to exit by itself did so.
func (*Group) Err() error { return ErrPlatform }

// Log is the last 16 KiB of what the processes printed.
func (*Group) Log() string { return "" }

// Board is the group's scoreboard.
func (*Group) Board() *Scoreboard { return nil }

// Upstream is the scoreboard of the launch's upstream i.
func (*Group) Upstream(int) *Scoreboard { return nil }

// PIDs are the live processes of the tree.
func (*Group) PIDs() []int { return nil }

// Signal sends a signal to each command that still runs.
func (*Group) Signal(os.Signal) error { return ErrPlatform }

// Stop stops the group.
func (*Group) Stop(time.Duration) error { return ErrPlatform }

// Usage measures the whole tree.
func (*Group) Usage() (Usage, error) { return Usage{}, ErrPlatform }

// Sample measures what is cheap.
func (*Group) Sample() (Usage, error) { return Usage{}, ErrPlatform }

func setNonblocking(*os.File, bool) error { return ErrPlatform }
