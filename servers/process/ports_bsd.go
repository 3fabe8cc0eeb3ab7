//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PortRange is the range of ports that this system gives to outgoing
// connections, both ends included: so many can be open to one address.
func PortRange() (low, high int, err error) {
	first, err := unix.SysctlUint32("net.inet.ip.portrange.first")
	if err != nil {
		return 0, 0, fmt.Errorf("read the range of ports: %w", err)
	}
	last, err := unix.SysctlUint32("net.inet.ip.portrange.last")
	if err != nil {
		return 0, 0, fmt.Errorf("read the range of ports: %w", err)
	}
	return int(min(first, last)), int(max(first, last)), nil
}

// MaxBacklog is the longest listen queue that this system allows.
func MaxBacklog() (n int, err error) {
	most, err := unix.SysctlUint32("kern.ipc.somaxconn")
	if err != nil {
		return 0, fmt.Errorf("read the longest listen queue: %w", err)
	}
	return int(most), nil
}
