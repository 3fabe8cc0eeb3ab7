package wire

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// A ProtocolError is input that is not what the protocol has.
type ProtocolError struct {
	Protocol string // "FastCGI", "SCGI", "uwsgi"
	Why      string
	// Spoken is what the peer seems to speak instead: "HTTP", "TLS", or "".
	Spoken string
	// Oversize says that the protocol was kept and a limit was not.
	Oversize bool
}

func (e *ProtocolError) Error() string {
	switch e.Spoken {
	case "":
		return e.Protocol + ": " + e.Why
	case "HTTP":
		return e.Protocol + ": " + e.Why + ": this is HTTP, sent to a " + e.Protocol + " port. Ask the gateway in front of it, or a port that speaks HTTP"
	}
	return e.Protocol + ": " + e.Why + ": this is " + e.Spoken + ", sent to a " + e.Protocol + " port, which speaks no other protocol and is never encrypted"
}

// foreign is a ProtocolError for a stream that begins with b, with a guess at
// what it is.
func foreign(protocol string, b []byte, why string) *ProtocolError {
	return &ProtocolError{Protocol: protocol, Why: why, Spoken: spoken(b)}
}

// spoken guesses what protocol begins with b, of which four bytes do.
func spoken(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	switch string(b[:4]) {
	case "GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "TRAC", "CONN", "PRI ":
		return "HTTP"
	}
	if b[0] == 0x16 && b[1] == 3 { // a handshake record, RFC 8446 section 5.1
		return "TLS"
	}
	return ""
}

// explain answers somebody who speaks HTTP in his own language. What he makes
// of it is his affair.
func (e *ProtocolError) explain(w io.Writer) {
	if e.Spoken != "HTTP" {
		return
	}
	text := "400 bad request: " + e.Error() + "\n"
	_, _ = io.WriteString(w, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
		"Connection: close\r\nContent-Length: "+strconv.Itoa(len(text))+"\r\n\r\n"+text)
}

// answer tells a gateway, as an answer to its request, that a limit was not
// kept. What he makes of it is his affair.
func (e *ProtocolError) answer(w io.Writer) {
	if !e.Oversize {
		return
	}
	answerText(w, "431 Request Header Fields Too Large", "431 request header fields too large: "+e.Error()+"\n")
}

// answerText gives a CGI answer; whom it doesn't reach, nobody tells.
func answerText(w io.Writer, status, text string) {
	_, _ = io.WriteString(w, "Status: "+status+"\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
		"Content-Length: "+strconv.Itoa(len(text))+"\r\n\r\n"+text)
}

// early words the end of the input in the middle of something.
func early(protocol, where string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%s: the connection ended in the middle of %s: %w", protocol, where, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s: read %s: %w", protocol, where, err)
}

// quoted shows a little of what came.
func quoted(b []byte) string {
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		b = b[:i]
	}
	return strconv.Quote(string(b[:min(len(b), 32)]))
}
