//go:build !unix

package process

import "time"

// SelfCPU is the CPU time this process has used; not known here.
func SelfCPU() time.Duration { return 0 }
