package models

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatewaylab/servers/iface"
	"gatewaylab/servers/process"
	"gatewaylab/servers/trace/recorder"
)

// cgi starts a new process for every request, tells it all there is to know
// in its environment, hands it the body on stdin and takes the answer from
// its stdout (RFC 3875). Nothing of one request is left for the next, and
// that is both what it is good for and what it costs.
func cgi(env *Env) error {
	keepalive := env.Options.Duration("keepalive")
	backlog := env.Options.Int("backlog")
	s := cgiSettings{
		children: env.Options.Int("children"),
		queue:    env.Options.Int("queue"),
		timeout:  env.Options.Duration("timeout"),
	}
	if err := env.Options.Err(); err != nil {
		return fmt.Errorf("cgi: %w", err)
	}
	h, err := newCGIHost(env, s)
	if err != nil {
		return fmt.Errorf("cgi: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("cgi: %w", err)
	}
	f := &front{
		Server: http.Server{
			Handler:           h,
			ReadHeaderTimeout: clientStall,
			IdleTimeout:       keepalive,
			MaxHeaderBytes:    maxHead,
		},
		drain: h.drain,
		abort: h.abort,
	}
	return f.run(env)
}

const (
	clientStall       = 30 * time.Second // for which a client may stall in a head or a body
	maxLocalRedirects = 10
)

type cgiSettings struct {
	children int           // processes at a time
	queue    int           // requests that may wait for one of them to end
	timeout  time.Duration // for which a child may run
}

// A cgiHost is the server's side of CGI.
type cgiHost struct {
	cgiSettings
	env     *Env
	program string // absolute
	nph     bool   // the program writes HTTP itself
	mount   iface.Mount
	fixed   []string // variables that all children get, beside those of CGI
	null    *os.File // what a request without a body has as stdin

	places  chan struct{} // one taken for each child
	waiting atomic.Int64

	readers sync.Pool // of *bufio.Reader

	running sync.WaitGroup // children, and connections handed to NPH programs
	mu      sync.Mutex
	live    map[*cgiChild]struct{}
	closed  bool
}

func newCGIHost(env *Env, s cgiSettings) (*cgiHost, error) {
	program, err := filepath.Abs(env.AppPath)
	if err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	if st, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the program: %w", err)
	} else if st.IsDir() {
		return nil, fmt.Errorf("the program %s is a folder", program)
	}
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	fixed := []string{"PATH=" + path}
	for _, v := range os.Environ() {
		// What the application is told by the lab, but not what a trace tells
		// its recorders.
		if strings.HasPrefix(v, "GATEWAYLAB_") && !strings.HasPrefix(v, recorder.Variable+"=") {
			fixed = append(fixed, v)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	env.Board.SetWorkers(s.children)
	return &cgiHost{
		cgiSettings: s,
		env:         env,
		program:     program,
		nph:         strings.HasPrefix(filepath.Base(program), "nph-"),
		mount:       iface.Mount{Software: "gatewaylab"},
		fixed:       fixed,
		null:        null,
		places:      make(chan struct{}, s.children),
		live:        make(map[*cgiChild]struct{}),
	}, nil
}

// ServeHTTP takes in the whole body first: CONTENT_LENGTH must be exact, and
// a slow client then holds some memory and not a process.
func (h *cgiHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused(w, r) {
		return
	}
	body, err := spool(w, r, clientStall)
	if err != nil {
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
		bodyFault(w, r, err)
		return
	}
	defer body.Close()
	for range maxLocalRedirects + 1 {
		location := h.serveOnce(w, r, body)
		if location == "" {
			return
		}
		r = redirected(r, location)
		body = noBody()
	}
	h.env.Log.Printf("cgi: %s: more than %d local redirects in a row, the last to %s", requestLine(r), maxLocalRedirects, r.URL)
	gatewayError(w, http.StatusBadGateway)
}

// serveOnce runs the program once. It returns where a local redirect leads,
// or "" when the request has been answered.
func (h *cgiHost) serveOnce(w http.ResponseWriter, r *http.Request, body *spooled) (location string) {
	vars, err := iface.Variables(r, h.mount, body.size)
	if err != nil {
		http.Error(w, "400 bad request: "+err.Error(), http.StatusBadRequest)
		return ""
	}
	if err := h.place(r.Context()); err != nil {
		if !errors.Is(err, errQueueFull) {
			panic(http.ErrAbortHandler) // the client has left the queue
		}
		h.env.Board.Rejected()
		w.Header().Set("Retry-After", "1")
		http.Error(w, "503 service unavailable: the queue is full", http.StatusServiceUnavailable)
		return ""
	}
	c, err := h.start(r, vars, body)
	if errors.Is(err, errStopping) {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		h.env.Log.Printf("cgi: %s: %v", requestLine(r), err)
		gatewayError(w, http.StatusBadGateway)
		return ""
	}
	defer c.out.Close()
	defer context.AfterFunc(r.Context(), func() { c.kill(errClientGone) })()
	if h.nph {
		h.passThrough(w, c)
		return ""
	}
	return h.answer(w, r, c)
}

var errQueueFull = errors.New("the queue is full")

// place waits for a place for a child. The runtime serves those who wait on a
// channel in the order in which they came.
func (h *cgiHost) place(ctx context.Context) error {
	select {
	case h.places <- struct{}{}:
		return nil
	default:
	}
	if h.waiting.Add(1) > int64(h.queue) {
		h.waiting.Add(-1)
		return errQueueFull
	}
	h.env.Board.Queue(1)
	defer func() {
		h.waiting.Add(-1)
		h.env.Board.Queue(-1)
	}()
	select {
	case h.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// register counts something that a graceful stop waits for; false once that
// has begun to wait, or the server is being aborted.
func (h *cgiHost) register() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running.Add(1)
	return true
}

// drain waits for what is running. It is for when all handlers have returned;
// one that comes late has lost its connection.
func (h *cgiHost) drain() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.running.Wait()
}

// abort kills all children with their descendants. It waits for their ends,
// but not for long: a process that is stuck in the kernel would outlast any
// patience.
func (h *cgiHost) abort() {
	h.mu.Lock()
	h.closed = true
	for c := range h.live {
		c.kill(errStopping)
	}
	h.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		h.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(time.Second):
	}
}

// redirected is the request that a local redirect stands for, "as if the
// client had asked for that path" (RFC 3875 §6.2.2): a GET without a body.
func redirected(r *http.Request, location string) *http.Request {
	next := r.Clone(r.Context())
	if r.Method != http.MethodHead {
		next.Method = http.MethodGet
	}
	u, err := url.ParseRequestURI(location)
	if err != nil {
		u = &url.URL{Path: "/"} // can't be: iface.ReadResponse has parsed it
	}
	next.URL, next.RequestURI = u, location
	next.Body, next.ContentLength = http.NoBody, 0
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding"} {
		next.Header.Del(name)
	}
	return next
}

func gatewayError(w http.ResponseWriter, status int) {
	http.Error(w, fmt.Sprintf("%d %s", status, strings.ToLower(http.StatusText(status))), status)
}

// requestLine names a request in the log. It is quoted, for a client wrote it.
func requestLine(r *http.Request) string {
	return fmt.Sprintf("%.200q", r.Method+" "+r.URL.RequestURI()+" "+r.Proto)
}

// claim shows a child on the scoreboard.
func claim(b *process.Scoreboard, pid int) *process.Slot {
	slot := b.Claim(pid)
	if slot == nil {
		b.Unslotted(1)
	}
	slot.Busy()
	return slot
}

func unclaim(b *process.Scoreboard, slot *process.Slot) {
	if slot == nil {
		b.Unslotted(-1)
	}
	slot.Idle()
	slot.Release()
}
