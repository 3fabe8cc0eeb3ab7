//go:build !linux && !darwin && !freebsd && !openbsd && !netbsd && !dragonfly

package process

import "errors"

// PortRange is not known on this system.
func PortRange() (low, high int, err error) { return 0, 0, errors.ErrUnsupported }

// MaxBacklog is not known on this system.
func MaxBacklog() (int, error) { return 0, errors.ErrUnsupported }
