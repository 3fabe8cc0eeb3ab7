//go:build !linux

package scenarios

// memoryLimit is a control group's, which only Linux has.
func memoryLimit() int64 { return 0 }
