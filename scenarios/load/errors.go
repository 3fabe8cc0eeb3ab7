package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// Kinds of failure, as Hit.Kind has them. A response outside 200–399 is of
// kind "status " and its code; the border is vegeta's, and a redirect is an
// answer, not followed.
const (
	KindTimeout       = "timeout"
	KindRefused       = "connection refused"
	KindReset         = "connection reset"
	KindClosed        = "closed early" // end of file before a whole response
	KindMalformed     = "malformed response"
	KindFiles         = "too many open files"
	KindPorts         = "no free port" // all local ports are taken, usually by connections in TIME_WAIT
	KindTLS           = "TLS handshake"
	KindGoingAway     = "going away"     // the server closed the connection in order: HTTP/2 GOAWAY, a WebSocket's close
	KindStreamReset   = "stream reset"   // HTTP/2 RST_STREAM
	KindStreamRefused = "stream refused" // the same, with the word that the request was not processed
	KindOther         = "other"
)

// errCut ends the exchanges that are under way when an attack is ended on
// purpose.
var errCut = errors.New("cut: the attack was ended")

// What errors that are of the kinds of the same names wrap.
var (
	errTLS           = errors.New("TLS handshake")
	errGoingAway     = errors.New("the server is going away")
	errStreamReset   = errors.New("stream reset")
	errStreamRefused = errors.New("stream refused")
)

// errMalformed is what every complaint about a response's syntax wraps.
var errMalformed = errors.New("malformed response")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

// kindOf says in a few stable words what a failed exchange failed of.
func kindOf(err error) string {
	var ne net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return KindTimeout
	case errors.Is(err, errMalformed):
		return KindMalformed
	case errors.Is(err, errStreamRefused):
		return KindStreamRefused
	case errors.Is(err, errStreamReset):
		return KindStreamReset
	case errors.Is(err, errGoingAway):
		return KindGoingAway
	case errors.Is(err, syscall.ECONNREFUSED):
		return KindRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return KindReset
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return KindFiles
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return KindPorts
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return KindClosed
	case errors.As(err, &ne) && ne.Timeout():
		return KindTimeout
	case errors.Is(err, errTLS):
		return KindTLS
	}
	return KindOther
}

// kindOfCode is kindOf for a whole response.
func kindOfCode(code int) string {
	if code >= 200 && code < 400 {
		return ""
	}
	return "status " + strconv.Itoa(code)
}
