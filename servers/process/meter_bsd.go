//go:build unix && !linux

package process

import "time"

// A meter is what only Linux has.
type meter struct{}

func openMeter() (fd int, err error)            { return -1, ErrPlatform }
func takeMeter(pid, theirs int) (*meter, error) { return nil, ErrPlatform }
func (m *meter) read() (time.Duration, error)   { return 0, ErrPlatform }
func (m *meter) close() error                   { return nil }
