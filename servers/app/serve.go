package app

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
)

// ErrGone says that the client went away before it was answered.
var ErrGone = errors.New("the client has gone away")

// App is the application. It may serve many requests at once.
type App struct {
	routes []route

	mu     sync.Mutex
	leaked [][]byte // what /leak keeps; here, so that it goes with the App

	lock  lock
	store store

	slow int // how many times as long it waits as it says

	upstream upstream
}

// New returns an application that has leaked nothing yet.
func New() *App {
	return &App{routes: routes(), slow: slowness(), upstream: upstream{address: os.Getenv(upstreamVariable)}}
}

// slowness reads how many times as long as asked this application waits.
func slowness() int {
	n, err := strconv.Atoi(os.Getenv("GATEWAYLAB_SLOW"))
	if err != nil || n < 1 || n > 100 {
		return 1
	}
	return n
}

// A handler answers one route, given the values of the route's parameters in
// their order. The client's faults have been answered before; an error means
// that the interface failed.
type handler func(*App, Response, *Request, []int) error

type route struct {
	path   string // with a trailing "/": all that is below it too
	allow  string // methods, as the Allow field has them; "" = any
	handle handler
	params []param
	about  string // for the index
}

const readOnly = "GET, HEAD"

func find(table []route, path string) *route {
	for i := range table {
		r := &table[i]
		if r.path == path || len(r.path) > 1 && r.path[len(r.path)-1] == '/' && strings.HasPrefix(path, r.path) {
			return r
		}
	}
	return nil
}

// Serve answers one request. What was written need not have been flushed when
// it returns. An error says that the interface failed: the body could not be
// read, the answer could not be written, or the client has gone (ErrGone);
// where Response.Start was not called before it, nothing has been answered.
func (a *App) Serve(w Response, r *Request) error {
	if r.Method == "HEAD" {
		w = headOnly{w}
	}
	rt := find(a.routes, r.Path)
	if rt == nil {
		return text(w, 404, "404 not found: / lists the routes\n")
	}
	if rt.allow != "" && !allows(rt.allow, r.Method) {
		return text(w, 405, "405 method not allowed: use "+rt.allow+"\n", Field{"Allow", rt.allow})
	}
	values, fault := rt.read(r.Query)
	if fault != "" {
		return text(w, 400, "400 bad request: "+fault+"\n")
	}
	return rt.handle(a, w, r, values)
}

func allows(list, method string) bool {
	for m := range strings.SplitSeq(list, ", ") {
		if m == method {
			return true
		}
	}
	return false
}

// text answers with a short text.
func text(w Response, status int, body string, more ...Field) error {
	return content(w, status, "text/plain; charset=utf-8", body, more...)
}

func content(w Response, status int, kind, body string, more ...Field) error {
	header := append([]Field{{"Content-Type", kind}, {"Content-Length", strconv.Itoa(len(body))}}, more...)
	if err := w.Start(status, header); err != nil {
		return err
	}
	_, err := w.Write([]byte(body))
	return err
}

// headOnly answers HEAD: the fields, no body.
type headOnly struct{ Response }

func (h headOnly) Write(p []byte) (int, error) { return len(p), nil }
