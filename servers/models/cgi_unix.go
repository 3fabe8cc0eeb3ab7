//go:build unix

package models

import "syscall"

// killGroup kills a child and what it has started, as far as that has stayed
// in its process group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // there may be nobody left
