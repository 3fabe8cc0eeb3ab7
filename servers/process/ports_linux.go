package process

import (
	"fmt"
	"os"
)

// PortRange is the range of ports that this system gives to outgoing
// connections, both ends included: so many can be open to one address.
func PortRange() (low, high int, err error) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(b), &low, &high)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the range of ports: %w", err)
	}
	return low, high, nil
}

// MaxBacklog is the longest listen queue that this system allows.
func MaxBacklog() (n int, err error) {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err == nil {
		_, err = fmt.Sscan(string(b), &n)
	}
	if err != nil {
		return 0, fmt.Errorf("read the longest listen queue: %w", err)
	}
	return n, nil
}
