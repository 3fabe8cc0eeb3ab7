package models

import (
	"errors"
	"io"
	"log"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface"
	"gatewaylab/servers/iface/wsgi"
	"gatewaylab/servers/process"
	"gatewaylab/servers/wire/http1"
)

// software is SERVER_SOFTWARE.
const software = "gatewaylab/1"

// answerBuffer is how much of an answer is gathered before it is sent. What
// fits is sent with its head in one system call.
const answerBuffer = 16 << 10

// drainLimit is how much of a body that the application didn't want is read to
// keep the connection.
const drainLimit = 256 << 10

// A syncServer serves HTTP on one connection after another, on one thread,
// with the same memory for all of them. It calls the application through WSGI,
// for which it is the Sink.
type syncServer struct {
	conn    *syncConn
	in      *http1.Reader
	request http1.Request
	answer  http1.Response
	handler *wsgi.Handler
	app     wsgi.App
	environ wsgi.Environ
	head    iface.Head
	body    syncBody
	dated   process.Moment // until when the answer's date is right
	keeps   bool           // connections, if the client wants to
}

// A syncSetting is what the threads of a model have in common.
type syncSetting struct {
	app          wsgi.App
	listener     *os.File
	log          *log.Logger
	keeps        bool
	multithread  bool
	multiprocess bool
}

func newSyncServer(conn *syncConn, set syncSetting) *syncServer {
	s := &syncServer{
		conn:    conn,
		in:      http1.NewReader(conn, http1.DefaultLimits()),
		handler: wsgi.NewHandler(),
		app:     set.app,
		keeps:   set.keeps,
		head:    iface.Head{Local: localAddr(set.listener)},
		environ: wsgi.Environ{
			Version: [2]int{1, 0}, URLScheme: "http", Errors: logWriter{set.log}, InputTerminated: true,
			Multithread: set.multithread, Multiprocess: set.multiprocess,
		},
	}
	s.body.server = s
	return s
}

// An ending is what is to become of a connection.
type ending int

const (
	silent ending = iota // nothing came: it is closed, and no request was served
	unsaid               // nothing has come so far, and nobody has waited for it
	served               // a request was, and the connection is closed
	kept                 // a request was, and another may follow
)

// open takes a connection.
func (s *syncServer) open(fd int, peer netip.AddrPort) {
	s.conn.open(fd, peer)
	s.in.Reset(s.conn)
}

// serve serves one request of the open connection, from now on.
func (s *syncServer) serve(now process.Moment) ending {
	s.conn.begin(now)
	err := s.in.ReadRequest(&s.request, 0)
	switch {
	case err == nil:
		s.conn.body()
		return s.respond()
	case err == errUnsaid:
		return unsaid
	case s.conn.unsaid || err == io.EOF:
		s.conn.close(false)
		return silent
	}
	s.refuse(err)
	return served
}

// respond has the application answer the request.
func (s *syncServer) respond() ending {
	s.answer.Reset(&s.request, s.keeps && !s.conn.leaving.Load())
	s.date()
	s.body.invites, s.body.fault = s.request.Continue, nil
	err := s.describe()
	if err == nil {
		err = s.handler.Run(s.app, &s.environ, s)
	}
	if err == nil {
		err = s.answer.Finish()
	}
	if err == nil {
		err = s.send()
	}
	if err != nil {
		s.conn.reset() // the client must not take what it got for the whole answer
		s.answer, s.dated = http1.Response{}, 0
		return served
	}
	if s.answer.Keep() && s.drained() {
		return kept
	}
	s.conn.close(!s.in.Ended() || len(s.in.Buffered()) > 0)
	return served
}

// date gives the answers their date, which is made anew once a second.
func (s *syncServer) date() {
	if s.conn.seen >= s.dated {
		now := time.Now()
		s.answer.Date = now.UTC().Format(http1.TimeFormat)
		s.dated = s.conn.seen + process.Moment(time.Second-time.Duration(now.Nanosecond()))
	}
}

// drained reads what is left of the body and says whether that was all.
func (s *syncServer) drained() bool {
	for left := drainLimit; !s.in.Ended() && left > 0 && s.body.fault == nil && !s.body.invites; {
		var waste [4 << 10]byte
		n, err := s.in.Read(waste[:])
		if left -= n; err != nil && err != io.EOF {
			return false
		}
	}
	return s.in.Ended()
}

// describe makes the environ of the request.
func (s *syncServer) describe() (err error) {
	r := &s.request
	s.head.Method, s.head.Path, s.head.Query, s.head.Proto = r.Method, r.Path, r.Query, r.Proto()
	s.head.Host, s.head.Fields, s.head.Remote = r.Host, r.Fields, ""
	if s.conn.peer.IsValid() {
		s.head.Remote = s.conn.peer.String()
	}
	length := r.Length
	if r.Framing == http1.NoBody {
		length = -1
	}
	s.environ.Variables, err = s.head.AppendVariables(s.environ.Variables[:0], iface.Mount{Software: software}, length)
	s.environ.Input = &s.body
	s.environ.Extensions = nil
	return err
}

// Start takes the head of the answer. The phrase is the one that belongs to
// the status: clients are to ignore it (RFC 9110 section 15.1).
func (s *syncServer) Start(status int, _ string, header []app.Field, length int64) error {
	if length >= 0 {
		header = append(header, app.Field{Name: "Content-Length", Value: strconv.FormatInt(length, 10)})
	}
	return s.answer.Start(status, header)
}

// Write gathers, and sends when there is enough.
func (s *syncServer) Write(p []byte) (int, error) {
	n, err := s.answer.Write(p)
	if err == nil && len(s.answer.Bytes()) > answerBuffer {
		err = s.send()
	}
	return n, err
}

// Flush sends what has been gathered.
func (s *syncServer) Flush() error {
	if err := s.answer.Flush(); err != nil {
		return err
	}
	return s.send()
}

func (s *syncServer) send() error {
	out := s.answer.Bytes()
	if len(out) == 0 {
		return nil
	}
	_, err := s.conn.Write(out)
	s.answer.Sent(len(out)) // or was lost with the connection
	return err
}

// refuse answers a request that could not be read.
func (s *syncServer) refuse(err error) {
	fault := faultOf(err)
	s.answer.Reset(nil, false)
	if err := s.answer.Refuse(fault.Status, fault.Why); err == nil {
		_ = s.send() // a client that is gone needs no answer
	}
	s.conn.close(true)
}

// faultOf says what a client is told of an error in what it has sent.
func faultOf(err error) *wsgi.FaultError {
	var malformed *http1.Error
	var fault *wsgi.FaultError
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &malformed):
		return &wsgi.FaultError{Status: malformed.Status, Why: malformed.Why}
	}
	return &wsgi.FaultError{Status: 400, Why: "the request is cut off"}
}

// A syncBody is a request's body, wsgi.input. If the client waits to be told to
// send it, the first read tells it (RFC 9110 section 10.1.1).
type syncBody struct {
	server  *syncServer
	invites bool
	fault   error
}

func (b *syncBody) Read(p []byte) (int, error) {
	s := b.server
	if b.invites {
		b.invites = false
		s.answer.Invite()
		if err := s.send(); err != nil {
			return 0, err
		}
	}
	n, err := s.in.Read(p)
	if err != nil && err != io.EOF {
		b.fault = faultOf(err)
		return n, b.fault
	}
	return n, err
}

// logWriter is wsgi.errors: what is written to it, a line or several, becomes
// an entry of the log.
type logWriter struct{ log *log.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Print(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// localAddr is where the listener listens, "127.0.0.1:8000"; a host that has no
// port for a Unix socket, whose clients call the server what they like.
func localAddr(listener *os.File) string {
	addr := "localhost:80"
	_ = onSocket(listener, "name the socket", func(fd int) error {
		name, err := unix.Getsockname(fd)
		if tcp := addressOf(name); err == nil && tcp.IsValid() {
			addr = tcp.String()
		}
		return nil
	})
	return addr
}

// addressOf is a TCP address; the zero value for any other.
func addressOf(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
