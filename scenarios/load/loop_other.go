//go:build !linux

package load

import "errors"

// A loop is there on Linux only; elsewhere each user has a goroutine.
type loop struct{ transport *Transport }

func newLoop(*Transport) (*loop, error) { return nil, errors.New("no loops on this system") }

func (l *loop) spawn(func())  {}
func (l *loop) finish()       {}
func (l *loop) dispatch(*run) {}
func (l *loop) cut()          {}
func (l *loop) run()          {}
func (l *loop) close()        {}
