package main

import (
	"bytes"
	"io"
	"net"
)

// canned is the application's answer to GET /hello.
const canned = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\r\n" + cannedBody

const cannedBody = "hello\n"

// null answers whatever is asked with the same bytes and does nothing else: what
// a load generator achieves against it is the generator's own limit. It reads
// nothing of a request but its end, so it is for requests without a body.
func null(stderr io.Writer) int {
	return untilAsked("null", "lab doctor --measure", stderr, func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go answer(c)
		}
	})
}

// answer sends the canned answer for every end of a request's head.
func answer(c net.Conn) {
	defer c.Close()
	end := []byte("\r\n\r\n")
	buf := make([]byte, 4096)
	kept := 0 // of the last read, bytes that may begin an end
	for {
		n, err := c.Read(buf[kept:])
		if err != nil {
			return
		}
		seen := buf[:kept+n]
		says := canned
		if bytes.HasPrefix(seen, []byte("HEAD ")) {
			says = canned[:len(canned)-len(cannedBody)]
		}
		for range bytes.Count(seen, end) {
			if _, err := io.WriteString(c, says); err != nil {
				return
			}
		}
		if bytes.HasSuffix(seen, end) {
			kept = 0
			continue
		}
		tail := seen[max(0, len(seen)-len(end)+1):]
		if i := bytes.LastIndex(seen, end); i >= 0 && i+len(end) > len(seen)-len(tail) {
			tail = seen[i+len(end):]
		}
		kept = copy(buf, tail)
	}
}
