// Labapp is the application as a program of its own: CGI/1.1 (RFC 3875) on
// stdin, stdout and the environment. A CGI server starts it once for each
// request, so what it imports is part of a measured result; a test keeps
// net/http, net/url and fmt out.
//
// It can be tried by hand:
//
//	REQUEST_METHOD=GET PATH_INFO=/hello labapp
package main

import (
	"io"
	"os"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/cgi"
)

func main() {
	r, err := cgi.Request(os.Environ(), os.Stdin)
	if err != nil {
		os.Stderr.WriteString("labapp: " + err.Error() + "\n")
		os.Exit(2)
	}
	w := cgi.NewResponse(os.Stdout)
	err = app.New().Serve(w, r)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		// A server that gives its programs one socket for stdin and stdout, as
		// Apache's mod_cgid does, loses the end of the answer if there is input
		// that nobody has read: the kernel resets the connection.
		_, _ = io.Copy(io.Discard, r.Body) // the answer is given, whatever comes of the rest
	}
	if err != nil {
		os.Stderr.WriteString("labapp: " + err.Error() + "\n")
		os.Exit(1)
	}
}
