package asgi_test

import (
	"context"
	"fmt"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// An application that knows HTTP only, and says how much it was sent.
func ExampleApp() {
	count := func(_ context.Context, s *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		if s.Type != asgi.TypeHTTP {
			return fmt.Errorf("no idea what to do with %s", s.Type)
		}
		size := 0
		for more := true; more; {
			e, err := receive()
			if err != nil {
				return err
			}
			request, ok := e.(*asgi.HTTPRequest)
			if !ok {
				return nil // http.disconnect
			}
			size += len(request.Body)
			more = request.MoreBody
		}
		err := send(&asgi.HTTPResponseStart{Status: 200, Headers: []app.Field{{Name: "content-type", Value: "text/plain"}}})
		if err != nil {
			return err
		}
		return send(&asgi.HTTPResponseBody{Body: fmt.Appendf(nil, "%d bytes for %s\n", size, s.Path)})
	}

	// The server's side, for one request that has come as a whole.
	var (
		parser  http1.Parser
		request http1.Request
		answer  = http1.Response{Date: "Sun, 06 Nov 1994 08:49:37 GMT"}
	)
	if _, err := parser.Parse([]byte("GET /a%20b HTTP/1.1\r\nHost: lab.test\r\n\r\n"), &request); err != nil {
		fmt.Println(err)
	}
	answer.Reset(&request, true)
	x := asgi.Exchange{Answer: &answer}
	x.Scope.SetHTTP(&request, &asgi.Origin{})
	if err := x.Serve(context.Background(), asgi.Check(count)); err != nil {
		fmt.Println(err)
	}
	fmt.Print(strings.ReplaceAll(string(answer.Bytes()), "\r\n", "\n"))
	// Output:
	// HTTP/1.1 200 OK
	// Content-Type: text/plain
	// Date: Sun, 06 Nov 1994 08:49:37 GMT
	// Content-Length: 17
	//
	// 0 bytes for /a b
}
