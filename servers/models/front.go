package models

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// reverseProxy is the lab's own front: it takes the clients' connections, each
// on a goroutine of its own, and passes the requests on to the instances of a
// model, over whatever protocol those speak. What it is there for is what any
// front is there for: nothing reaches the model but well-formed requests, taken
// in completely; a client that is slow, or no client at all, keeps this process
// waiting and not a worker of the model's; the work is shared out among
// instances; and what is only a file is answered here.
func reverseProxy(env *Env) error {
	s, backlog, err := readFront(env.Options)
	if err != nil {
		return fmt.Errorf("front: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("front: %w", err)
	}
	p, err := newProxy(env, s)
	if err != nil {
		return fmt.Errorf("front: %w", err)
	}
	return p.run()
}

// frontSettings are the front's options.
type frontSettings struct {
	wire, model string
	script      string // that the model is to be told to run; "" = it runs but one
	folder      string // the lab's, with the sockets of the upstreams
	upstreams   []string
	balance     string
	sharing     int  // instances that accept from one listener
	reuse, mpx  bool // of FastCGI connections

	requestBuffering, responseBuffering bool
	static                              bool
	keepalive                           int // idle connections to each upstream
	perInstance, queue                  int
	maxHeader                           int
	maxBody                             int64

	clientTimeout, idle               time.Duration
	connectTimeout, readTimeout, send time.Duration
	maxFails                          int
	failTimeout, check                time.Duration
}

func readFront(o *Options) (s frontSettings, backlog int, err error) {
	on := func(key string) bool { return o.String(key) == "on" }
	s = frontSettings{
		wire: o.String("wire"), model: o.String("model"), script: o.String("script"), folder: o.String("folder"), balance: o.String("balance"),
		reuse: o.values["reuse"] != "off", mpx: o.values["mpx"] == "on",
		requestBuffering: on("request_buffering"), responseBuffering: on("response_buffering"), static: on("static"),
		keepalive: o.Int("keepalive"), perInstance: o.Int("per_instance"), queue: o.Int("queue"),
		maxHeader: o.Int("max_header"), maxBody: int64(o.Int("max_body")),
		clientTimeout: o.Duration("client_timeout"), idle: o.Duration("idle"),
		connectTimeout: o.Duration("connect_timeout"), readTimeout: o.Duration("read_timeout"), send: o.Duration("send_timeout"),
		maxFails: o.Int("max_fails"), failTimeout: o.Duration("fail_timeout"), check: o.Duration("check"),
	}
	for i := range o.Int("upstreams") {
		s.upstreams = append(s.upstreams, o.String("upstream"+strconv.Itoa(i)))
	}
	s.sharing = 1
	if s.balance == "shared" {
		s.sharing = o.Int("instances")
		s.perInstance *= o.Int("instances")
	}
	return s, o.Int("backlog"), o.Err()
}

// A proxy is the front at work.
type proxy struct {
	frontSettings
	env    *Env
	app    *app.App // answers for the static files, and for nothing else
	limits http1.Limits
	backs  *backs

	queued atomic.Int64 // requests that wait for an instance

	ctx     context.Context // ends when everything is to end at once
	cut     context.CancelFunc
	serving sync.WaitGroup // connections
	mu      sync.Mutex
	conns   map[*frontConn]struct{}
	leaving atomic.Bool
}

func newProxy(env *Env, s frontSettings) (*proxy, error) {
	p := &proxy{frontSettings: s, env: env, app: app.New(), limits: http1.DefaultLimits(), conns: map[*frontConn]struct{}{}}
	p.limits.Head = s.maxHeader
	p.limits.Line = min(p.limits.Line, s.maxHeader)
	p.ctx, p.cut = context.WithCancel(context.Background())
	all := make([]*back, 0, len(s.upstreams))
	for i, u := range s.upstreams {
		network, address, ok := strings.Cut(u, ":")
		if !ok {
			return nil, fmt.Errorf("upstream%d=%s: expected network:address", i, u)
		}
		b, err := newBack(p, i, network, address)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no upstream")
	}
	p.backs = newBacks(s, all)
	return p, nil
}

// run accepts connections until it is told to stop: by SIGTERM, then what has
// arrived is still served; by SIGINT or the lab's end, then nothing is.
func (p *proxy) run() error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	ln, err := net.FileListener(p.env.Listener)
	if err != nil {
		return fmt.Errorf("front: listen on the inherited socket: %w", err)
	}
	p.env.Listener.Close() // ln is a duplicate, and the port must close when it does
	failed := make(chan error, 1)
	go func() { failed <- p.accept(ln) }()
	if p.check > 0 {
		go p.backs.watch(p.ctx, p.check)
	}
	var drained chan struct{} // set once a graceful stop is under way
	for {
		select {
		case err := <-failed:
			if drained == nil {
				p.abort()
				return fmt.Errorf("front: accept: %w", err)
			}
		case s := <-signals:
			if s != syscall.SIGTERM {
				p.abort()
				return nil
			}
			if drained == nil {
				drained = make(chan struct{})
				ln.Close()
				go p.drain(drained)
			}
		case <-p.env.Orphaned:
			ln.Close()
			p.abort()
			// The lab can't do it any more.
			return os.RemoveAll(p.folder)
		case <-drained:
			p.abort()
			return nil
		}
	}
}

func (p *proxy) accept(ln net.Listener) error {
	for {
		conn, err := ln.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			p.welcome(conn)
		case errors.As(err, &temporary) && temporary.Temporary():
			p.env.Log.Printf("accept: %v", err)
			time.Sleep(10 * time.Millisecond) // out of files or memory: more of the same would not help
		default:
			return err
		}
	}
}

// welcome serves a connection on a goroutine of its own.
func (p *proxy) welcome(conn net.Conn) {
	c := newFrontConn(p, conn)
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	p.serving.Go(func() {
		c.serve()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	})
}

// drain ends connections that are between two requests and waits for the
// others.
func (p *proxy) drain(done chan<- struct{}) {
	p.leaving.Store(true)
	p.mu.Lock()
	for c := range p.conns {
		c.leave()
	}
	p.mu.Unlock()
	p.serving.Wait()
	close(done)
}

// abort ends everything at once.
func (p *proxy) abort() {
	p.cut()
	p.mu.Lock()
	for c := range p.conns {
		c.conn.Close()
	}
	p.mu.Unlock()
	p.backs.close()
}
