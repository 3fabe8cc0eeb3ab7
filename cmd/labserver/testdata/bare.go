// The bare loop of bare.c in Go: what a sync worker in Go could come to that had
// nothing to do for a request. It does all that keeps the Go runtime out of it:
// one goroutine, one P, and system calls that the runtime isn't told of.
//
//	bare PROCESSES
package main

import (
	"io"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

const (
	listener = 3
	control  = 4
)

const answer = "HTTP/1.1 200 OK\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" +
	"Content-Length: 6\r\n" +
	"Connection: close\r\n" +
	"\r\n" +
	"hello\n"

func main() {
	if len(os.Args) < 2 {
		serve()
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := syscall.SetNonblock(listener, false); err != nil {
		log.Fatal(err)
	}
	if err := syscall.SetsockoptInt(listener, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		log.Fatal(err)
	}
	runtime.LockOSThread() // whose end the workers would be told of
	for range n {
		worker := exec.Command(os.Args[0])
		worker.ExtraFiles = []*os.File{os.NewFile(listener, "listener")}
		worker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := worker.Start(); err != nil {
			log.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, os.NewFile(control, "control pipe"))
}

func serve() {
	runtime.GOMAXPROCS(1)
	var request [4096]byte
	out := []byte(answer)
	for {
		fd, _, err := syscall.RawSyscall6(syscall.SYS_ACCEPT4, listener, 0, 0, syscall.SOCK_CLOEXEC, 0, 0)
		if err != 0 {
			continue
		}
		n, _, err := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&request)), uintptr(len(request)))
		if err == 0 && n > 0 {
			_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)))
		}
		_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	}
}
