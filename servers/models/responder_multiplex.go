package models

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
	"gatewaylab/servers/process"
	"gatewaylab/servers/trace/recorder"
	"gatewaylab/servers/wire"
)

// multiplexWorkerName is the name under which labserver is a worker of fastcgi
// with mpx=on.
const multiplexWorkerName = "fastcgi-mpx-worker"

// A multiplexWorker has up to as many requests in progress as it has slots,
// each on a goroutine of its own, on however few connections they come. Its
// main thread accepts and shows that it is alive; so a request that hangs is
// not noticed by the arbiter, and has a time limit instead.
type multiplexWorker struct {
	*worker
	mux   *wire.FastCGIMultiplexer
	calls sync.Pool
	free  chan *process.Slot

	conns   chan struct{} // a place for each connection
	serving sync.WaitGroup
}

// maxGateways is how many connections a worker takes at a time: gateways that
// don't share them have one for each request, and some are idle.
const maxGateways = 1024

func multiplexWork(env *Env) error {
	workers, requests, buffer := env.Options.Int("workers"), max(1, env.Options.Int("requests")), env.Options.Int("buffer")
	w, err := newWorker(env, requests)
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	m := &multiplexWorker{worker: w, free: make(chan *process.Slot, requests), conns: make(chan struct{}, maxGateways)}
	for _, s := range w.slots {
		m.free <- s
	}
	a := recorder.WSGI(wsgi.Application(app.New()))
	m.calls.New = func() any { return newCall(env, a, cgiStatus, true) }
	m.mux = wire.NewFastCGIMultiplexer(m.call, wire.MultiplexOptions{
		MaxVars: buffer, MaxConns: workers * requests, MaxReqs: workers * requests, Requests: requests, Timeout: w.timeout, Begin: m.begin,
	})
	w.ready()
	defer w.release()
	err = w.run(m.take)
	m.leave()
	return err
}

// call has the application answer one request.
func (m *multiplexWorker) call(x *wire.Exchange) error {
	c := m.calls.Get().(*call)
	defer m.calls.Put(c)
	return c.serve(x)
}

// begin gives a request a slot. There are as many as there can be requests.
func (m *multiplexWorker) begin() (done func()) {
	slot := <-m.free
	slot.Busy()
	return func() {
		slot.Idle()
		m.free <- slot
		if m.count() {
			go m.accept.stop()
		}
	}
}

// take serves a connection, and returns when there may be another.
func (m *multiplexWorker) take(fd int, _ netip.AddrPort) {
	file := os.NewFile(uintptr(fd), "connection")
	conn, err := net.FileConn(file)
	file.Close() // conn has its own
	if err != nil {
		m.env.Log.Printf("take a connection: %v", err)
		return
	}
	m.conns <- struct{}{}
	m.serving.Go(func() {
		m.serve(conn)
		<-m.conns
	})
	for len(m.conns) == cap(m.conns) && !m.accept.leaving.Load() {
		m.slots[0].Beat()
		time.Sleep(busyPatience)
	}
}

// serve serves a connection and closes it in order.
func (m *multiplexWorker) serve(conn net.Conn) {
	defer conn.Close()
	err := m.mux.Serve(conn)
	var bad *wire.ProtocolError
	if errors.As(err, &bad) {
		m.env.Log.Printf("%v", bad)
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(lingerLimit)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, conn) // what the gateway still sends nobody will read
}

// leave finishes what is in progress.
func (m *multiplexWorker) leave() {
	m.accept.leaving.Store(true)
	ended := make(chan struct{})
	m.mux.Shutdown()
	go func() { m.serving.Wait(); close(ended) }()
	for {
		select {
		case <-ended:
			return
		case <-time.After(beatInterval(m.timeout)):
			m.slots[0].Beat()
		}
	}
}
