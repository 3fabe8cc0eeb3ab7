// Package cgi is the application's side of CGI/1.1 (RFC 3875): it turns the
// meta-variables a program was started with into a request, and the answer
// into what the server expects on stdout. FastCGI, SCGI and uwsgi hand an
// application the same variables another way, so it serves them too.
//
// It is linked into the program that CGI starts for each request, where every
// import is paid for per request: hence no net/http and no fmt. The server's
// side is package iface.
package cgi

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
)

// Request builds the request from variables ("NAME=value") and the body.
// The application is mounted at SCRIPT_NAME and sees SCRIPT_NAME and
// PATH_INFO as one path. The body ends after CONTENT_LENGTH bytes, whatever
// stdin does (RFC 3875 §4.2); without CONTENT_LENGTH there is none. Apache's
// mod_cgid hands a chunked body on without saying how long it is, which that
// section forbids, but with HTTP_TRANSFER_ENCODING: then it ends with stdin.
func Request(variables []string, stdin io.Reader) (*app.Request, error) {
	var b Builder
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		b.Set(name, value)
	}
	return b.Request(stdin)
}

// A Builder makes a request of variables that come one by one. Its memory is
// used again for the next one.
type Builder struct {
	request      app.Request
	body         body
	script, path string
	length       string
	chunked      bool
}

// Set takes one variable.
func (b *Builder) Set(name, value string) {
	switch name {
	case "REQUEST_METHOD":
		b.request.Method = value
	case "SCRIPT_NAME":
		b.script = value
	case "PATH_INFO":
		b.path = value
	case "QUERY_STRING":
		b.request.Query = value
	case "CONTENT_LENGTH":
		b.length = value
	case "CONTENT_TYPE":
		if value != "" {
			b.request.Header = append(b.request.Header, app.Field{Name: "Content-Type", Value: value})
		}
	case "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE": // said twice by some servers
	case "HTTP_TRANSFER_ENCODING":
		b.chunked = true
	default:
		if field, ok := strings.CutPrefix(name, "HTTP_"); ok {
			b.request.Header = append(b.request.Header, app.Field{Name: fieldName(field), Value: value})
		}
	}
}

// Request returns the request, which is valid until Reset.
func (b *Builder) Request(stdin io.Reader) (*app.Request, error) {
	r := &b.request
	if r.Method == "" {
		return nil, errors.New("REQUEST_METHOD is not set: this is a CGI program, to be started by a web server")
	}
	r.Length = 0
	if b.length == "" && b.chunked {
		r.Length = -1
	}
	if b.length != "" {
		n, err := strconv.ParseInt(b.length, 10, 64)
		if err != nil || n < 0 {
			return nil, errors.New("CONTENT_LENGTH " + strconv.Quote(b.length) + ": expected a number of bytes")
		}
		r.Length = n
	}
	r.Path = b.script + b.path
	b.body = body{stdin, r.Length}
	r.Body = &b.body
	return r, nil
}

// Reset forgets the request.
func (b *Builder) Reset() {
	header := b.request.Header
	clear(header)
	*b = Builder{request: app.Request{Header: header[:0]}}
}

// body is io.LimitedReader with an early end of the input as the error it is.
type body struct {
	r    io.Reader
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.left == 0:
		return 0, io.EOF
	case b.left < 0:
		return b.r.Read(p)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// fieldName turns X_REQUEST_ID into X-Request-Id. The fields that nearly every
// request has cost no memory.
func fieldName(variable string) string {
	switch variable {
	case "HOST":
		return "Host"
	case "ACCEPT":
		return "Accept"
	case "ACCEPT_ENCODING":
		return "Accept-Encoding"
	case "ACCEPT_LANGUAGE":
		return "Accept-Language"
	case "COOKIE":
		return "Cookie"
	case "REFERER":
		return "Referer"
	case "USER_AGENT":
		return "User-Agent"
	}
	name := []byte(variable)
	lower := false
	for i, c := range name {
		switch {
		case c == '_':
			name[i] = '-'
		case lower && 'A' <= c && c <= 'Z':
			name[i] = c - 'A' + 'a'
		}
		lower = c != '_'
	}
	return string(name)
}
