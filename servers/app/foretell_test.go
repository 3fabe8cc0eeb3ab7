package app

import (
	"strings"
	"testing"
)

// What is foretold of answers is what the answers are.
func TestAnswersAreForetold(t *testing.T) {
	for _, target := range []string{
		"/", "/hello", "/wait?ms=0", "/cpu?units=3", "/mixed?ms=1&units=12", "/stream?chunks=11&every=0", "/bytes?n=70000", "/bytes", "/static/", "/static/lab.svg",
		"/wait?ms=-5", "/wait?ms=soon", "/cpu?units=200000", "/stream?chunks=0", "/nope", "/static/nope", "/hello/", "/upload", "/ws", "/db?op=drop", "/bytes?n=x",
	} {
		for _, method := range []string{"GET", "POST"} {
			a := serve(t, request(method, target, ""))
			refused := 0
			if a.status != 200 {
				refused = a.status
			}
			if got := RefusalOf(method, target); got != refused {
				t.Errorf("%s %s is refused with %d; foretold: %d", method, target, refused, got)
			}
			if a.status == 200 && method == "GET" && SizeOf(target) != a.body.Len() {
				t.Errorf("%s has %d bytes; foretold: %d", target, a.body.Len(), SizeOf(target))
			}
		}
	}
	a := serve(t, request("GET", "/bytes?n=5&head=1000", ""))
	if got, want := SizeOf("/bytes?n=5&head=1000"), a.body.Len()+strings.Count(a.field("X-Head"), "x"); got != want {
		t.Errorf("with a large head: %d bytes; foretold: %d", want, got)
	}
	if RefusalOf("GET", "/he%6clo") != 0 || RefusalOf("GET", "/db?op=slow") != 0 || RefusalOf("PUT", "/upload") != 0 {
		t.Error("what is known only when it is asked for is foretold")
	}
}
