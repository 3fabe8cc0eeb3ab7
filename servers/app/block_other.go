//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package app

import "time"

// No server model runs here, so there is no thread to hold.

func holdThread(d time.Duration) { time.Sleep(d) }
