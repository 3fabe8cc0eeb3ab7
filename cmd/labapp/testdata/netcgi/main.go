// Netcgi is labapp over net/http/cgi: the same application, the obvious way.
// It is what labapp's start is measured against.
package main

import (
	"log"
	"net/http"
	"net/http/cgi"

	"gatewaylab/servers/app"
)

func main() {
	a := app.New()
	err := cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &app.Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: r.Body, Length: r.ContentLength}
		for name, values := range r.Header {
			for _, v := range values {
				req.Header = append(req.Header, app.Field{Name: name, Value: v})
			}
		}
		if err := a.Serve(response{w}, req); err != nil {
			log.Print(err)
		}
	}))
	if err != nil {
		log.Fatal(err)
	}
}

type response struct{ http.ResponseWriter }

func (r response) Start(status int, header []app.Field) error {
	for _, f := range header {
		r.Header().Add(f.Name, f.Value)
	}
	r.WriteHeader(status)
	return nil
}

func (r response) Flush() error { return http.NewResponseController(r.ResponseWriter).Flush() }
