//go:build !linux

package process

import (
	"errors"
	"runtime"
)

var errPin = errors.New("only Linux can pin processes to CPUs; leave the pinning out")

// Cores are the CPUs that this process may use.
func Cores() []int {
	cores := make([]int, runtime.NumCPU())
	for i := range cores {
		cores[i] = i
	}
	return cores
}

// OnCores pins this process to CPUs, on Linux.
func OnCores([]int) error { return errPin }
