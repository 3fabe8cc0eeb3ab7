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
// stdin does (RFC 3875 §4.2); without CONTENT_LENGTH there is none.
func Request(variables []string, stdin io.Reader) (*app.Request, error) {
	r := &app.Request{}
	var script, path string
	length := "0"
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		switch name {
		case "REQUEST_METHOD":
			r.Method = value
		case "SCRIPT_NAME":
			script = value
		case "PATH_INFO":
			path = value
		case "QUERY_STRING":
			r.Query = value
		case "CONTENT_LENGTH":
			if value != "" {
				length = value
			}
		case "CONTENT_TYPE":
			if value != "" {
				r.Header = append(r.Header, app.Field{Name: "Content-Type", Value: value})
			}
		case "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE": // said twice by some servers
		default:
			if field, ok := strings.CutPrefix(name, "HTTP_"); ok {
				r.Header = append(r.Header, app.Field{Name: fieldName(field), Value: value})
			}
		}
	}
	if r.Method == "" {
		return nil, errors.New("REQUEST_METHOD is not set: this is a CGI program, to be started by a web server")
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 {
		return nil, errors.New("CONTENT_LENGTH " + strconv.Quote(length) + ": expected a number of bytes")
	}
	r.Path = script + path
	r.Length = n
	r.Body = &body{stdin, n}
	return r, nil
}

// body is io.LimitedReader with an early end of the input as the error it is.
type body struct {
	r    io.Reader
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// fieldName turns X_REQUEST_ID into X-Request-Id.
func fieldName(variable string) string {
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
