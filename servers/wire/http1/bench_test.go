package http1

import (
	"strings"
	"testing"

	"gatewaylab/servers/app"
)

// A head as a load generator sends it, and one as a browser does.
var heads = map[string]string{
	"bare": "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
	"browser": "GET /static/app.css?v=12 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\nsec-ch-ua-platform: \"Linux\"\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
		"Accept: text/css,*/*;q=0.1\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\n" +
		"Referer: http://127.0.0.1:8080/static/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
		"Cookie: session=0123456789abcdef; theme=light\r\n\r\n",
}

func BenchmarkParse(b *testing.B) {
	for name, head := range heads {
		b.Run(name, func(b *testing.B) {
			var p Parser
			var r Request
			buf := []byte(head)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if n, err := p.Parse(buf, &r); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkChunks(b *testing.B) {
	in := []byte(strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 64) + "0\r\n\r\n")
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r := Request{Framing: Chunked, Length: -1}
		body := r.Body(0)
		for rest := in; !body.Ended(); {
			_, n, err := body.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

func BenchmarkResponse(b *testing.B) {
	w := Response{Date: "Mon, 02 Jan 2006 15:04:05 GMT"}
	r := Request{Method: "GET", Minor: 1, KeepAlive: true}
	header := []app.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Content-Length", Value: "6"}}
	body := []byte("hello\n")
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(&r, true)
		if err := w.Start(200, header); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			b.Fatal(err)
		}
		if err := w.Finish(); err != nil {
			b.Fatal(err)
		}
		w.Sent(len(w.Bytes()))
	}
}

// The head costs one allocation, whatever is in it; the rest costs none.
func TestAllocations(t *testing.T) {
	for name, head := range heads {
		var p Parser
		var r Request
		buf := []byte(head)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := p.Parse(buf, &r); err != nil {
				t.Error(err)
			}
		}); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	in := []byte("3\r\nabc\r\n0\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		r := Request{Framing: Chunked}
		body := r.Body(0)
		for rest := in; !body.Ended(); {
			_, n, _ := body.Next(rest)
			rest = rest[n:]
		}
	}); n > 0 {
		t.Errorf("chunks: %v allocations", n)
	}
}
