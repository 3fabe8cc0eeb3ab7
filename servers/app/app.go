// Package app is the one application that every server model serves. Its
// behaviour is written once, against a request and a response that belong to
// no interface in particular, so that CGI, WSGI, ASGI or net/http around it
// are thin and what differs between two models is never the work itself.
//
// The package is part of the program that CGI starts for each request, so
// what it imports is part of a measured result: no net/http, no fmt.
package app

import "io"

// Field is one header field.
type Field struct{ Name, Value string }

// Request is a request as the application sees it.
type Request struct {
	Method string  // "GET"
	Path   string  // percent-decoded, starts with "/"
	Query  string  // raw, without "?"
	Header []Field // without hop-by-hop fields, with Host; names in canonical form (X-Request-Id)
	// Body is never nil. Length is its size in bytes, -1 where the server
	// hands the body on as it comes and can't know.
	Body   io.Reader
	Length int64
	// Gone returns what is closed when the client has gone away; nil where
	// the server can't tell. It is called when the application is about to
	// wait, since a server may have to begin to look.
	Gone func() <-chan struct{}
	// Loop is set where the request shares its thread with others; Gone is
	// then not looked at. See Loop.
	Loop *Loop
}

// A Response takes the application's answer. Start is called exactly once,
// before any Write. Write may buffer; Flush hands what was written to the
// client. A Content-Length among the header fields is a promise the
// application keeps.
type Response interface {
	Start(status int, header []Field) error
	Write(p []byte) (int, error)
	Flush() error
}

// Demand is what a request asks of the application before it can answer.
type Demand struct {
	Wait  int `json:"wait"`  // milliseconds of waiting for something else
	Units int `json:"units"` // units of CPU work; see Work
	// Lock is how many of the milliseconds of Wait it spends with the server's
	// one lock in its hands: the whole server, however many processes it has,
	// answers no more than 1000/Lock such requests a second. Waiting for the
	// lock is not counted; that depends on the others.
	Lock int `json:"lock,omitempty"`
	// Block is how many of the milliseconds of Wait it holds the thread that
	// it runs on. Where requests share one, all of them wait meanwhile: that
	// thread answers no more than 1000/Block such requests a second.
	Block int `json:"block,omitempty"`
	// Query is how many of the milliseconds of Wait it spends with a connection
	// of its process's pool in its hands: with p connections in all, the server
	// answers no more than 1000·p/Query such requests a second.
	Query int `json:"query,omitempty"`
	// Write is how many of the milliseconds of Query are those of a transaction
	// that writes, of which some databases allow one at a time.
	Write int `json:"write,omitempty"`
	// Sleeps is how often it begins to wait: each time it is woken late.
	Sleeps int `json:"sleeps,omitempty"`
}
