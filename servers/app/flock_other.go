//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package app

import "os"

// No server model runs here, so there are no other processes.

func flock(*os.File) error { return nil }

func tryFlock(*os.File) (bool, error) { return true, nil }

func unflock(*os.File) {}
