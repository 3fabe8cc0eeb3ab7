//go:build unix && !linux

package models

import "syscall"

// childAttributes puts a child into a process group of its own.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// leavesZombie is false: package unix has no waitid(2) here, so the group is
// killed after the child was reaped. A group with members keeps its number
// from being given to another.
const leavesZombie = false

func awaitExit(int) {}
