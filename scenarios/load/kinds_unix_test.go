//go:build unix

package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// kinds are failures that can't be brought about at will.
func kinds() map[error]string {
	op := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	return map[error]string{
		op(syscall.EMFILE):                        KindFiles,
		op(syscall.ENFILE):                        KindFiles,
		op(syscall.EADDRNOTAVAIL):                 KindPorts,
		op(syscall.ETIMEDOUT):                     KindTimeout,
		op(syscall.EPIPE):                         KindReset,
		op(syscall.EHOSTUNREACH):                  KindOther,
		op(os.ErrDeadlineExceeded):                KindTimeout,
		context.DeadlineExceeded:                  KindTimeout,
		fmt.Errorf("body: %w", io.EOF):            KindClosed,
		fmt.Errorf("x: %w", malformed("rubbish")): KindMalformed,
		errors.New("whatever"):                    KindOther,
	}
}

func TestNoDelay(t *testing.T) {
	tr := newTransport(t, patient)
	url := scripted(t, thenHold(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")))
	req, _ := http.NewRequest("GET", url, nil)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for c := range tr.pool.open {
		raw, err := c.nc.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || v == 0 {
				t.Errorf("TCP_NODELAY is %d, %v", v, err)
			}
		})
	}
}
