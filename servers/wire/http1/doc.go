// Package http1 reads requests and writes responses of HTTP/1.0 and HTTP/1.1
// (RFC 9112). It does no input or output of its own beyond an io.Reader it is
// given: an event loop pushes in the bytes that have come, a blocking server
// uses Reader, and both get the same requests and the same refusals, however
// the bytes were cut into pieces.
//
// It is strict. Where the RFC lets a recipient be lenient, two programs on the
// way of one request may be lenient in different ways, and then the one behind
// takes for a request what the one in front took for a body ("request
// smuggling"). So what has two readings has none here. Everything is bounded
// by Limits, and no more of the input is looked at than needed.
//
//	400  a byte where it can't be; a bare LF or CR; a folded line; a space
//	     before a colon; a target that is no path; Host missing, repeated or
//	     malformed; Content-Length repeated, signed or beside Transfer-Encoding;
//	     Transfer-Encoding repeated, in HTTP/1.0 or not ending in chunked;
//	     a malformed chunk
//	413  a body larger than the server takes
//	414  a request line longer than Limits.Line
//	417  an Expect field with anything but 100-continue
//	431  a head larger than Limits.Head or with more fields than Limits.Fields
//	501  a method longer than any there is; a transfer coding other than chunked
//	505  another version than HTTP/1.x
package http1

// Limits bound what a client can have a server remember.
type Limits struct {
	Line   int // bytes of the request line, without its end
	Head   int // bytes of the whole head
	Fields int // fields in it
}

// DefaultLimits are those of every model of the lab.
func DefaultLimits() Limits { return Limits{Line: 16 << 10, Head: 64 << 10, Fields: 256} }

const (
	maxMethod    = 32       // bytes; no registered method has more than 17
	maxExtension = 256      // bytes of one chunk's extensions
	maxExtended  = 16 << 10 // bytes of all chunk extensions of a body
	maxTrailers  = 8 << 10  // bytes of a body's trailer fields
)

// An Error is a request that the server refuses with Status. The connection it
// came on must be closed: nobody knows where the next request would begin.
type Error struct {
	Status int
	Why    string
}

func (e *Error) Error() string { return e.Why }

func refuse(status int, why string) *Error { return &Error{status, why} }
