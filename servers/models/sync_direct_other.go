//go:build unix && !linux

package models

import "golang.org/x/sys/unix"

// Here there are no direct calls: system calls go through the system's library.
const directTries = 0

func aloneAtWork() { oneThread() }

func directRead(fd int, p []byte) (int, error) { return unix.Read(fd, p) }

func directWrite(fd int, p []byte) (int, error) { return unix.Write(fd, p) }

func directClose(fd int) { unix.Close(fd) }
