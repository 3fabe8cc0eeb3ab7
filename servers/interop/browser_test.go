//go:build linux

package interop

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/app"
)

//go:embed testdata/fetch.js
var fetchJS string

// browsers is a browser before each model: scripts in a page that the model
// itself has served.
func browsers(started func() (*browser, error)) []pair {
	var all []pair
	for _, spec := range httpModels() {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2 (TLS)"} {
			two := protocol != "HTTP/1.1"
			if two && !speaks(spec, "2") {
				continue
			}
			p := pair{
				from: "Chromium", to: named(spec), via: protocol,
				needs: []string{"chromium"},
				open:  func(t *testing.T) *site { return browsed(t, started, spec, two) },
			}
			if !two {
				const whole = "over HTTP/1.1 a browser sends only bodies that it has as a whole"
				p.without = map[string]string{"chunked up": whole, "leaves sending": whole, "streams up": whole}
			}
			p.uploads = uploading{"–", later, "a page gets no answer before its body's end (fetch is half duplex), and a body that is made while it is sent has no length"}
			p.limits = map[string]string{"answer's field": "Chromium takes no larger header of an answer than 256 KiB", "field": goAway, "head": goAway}
			all = append(all, p)
		}
	}
	return all
}

func browsed(t *testing.T, started func() (*browser, error), spec string, two bool) *site {
	b, err := started()
	if err != nil {
		t.Fatal(err)
	}
	inst := ours(t, spec, two)
	s := siteOf(t, inst)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	p, err := b.open(ctx, inst.URL()+"/hello")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	want := "http/1.1"
	if two {
		want = "h2"
	}
	var spoken string
	if err := p.eval(ctx, "lab.spoken()", &spoken); err != nil || spoken != want {
		t.Fatalf("the page came by %q, %v; want %s", spoken, err, want)
	}
	s.do = p.do
	if speaks(spec, "WebSocket") {
		s.echoed = p.echoed
	}
	return s
}

// A browser is driven by the DevTools protocol, over a pair of pipes:
// messages are JSON, each ended by a NUL byte.
type browser struct {
	to      io.Writer
	mu      sync.Mutex
	last    int
	waiting map[int]chan<- reply
	dead    error
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// startBrowser starts one that lives until the test's end.
func startBrowser(t *testing.T) (*browser, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	flags := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server", "--ignore-certificate-errors",
		"--user-data-dir=" + t.TempDir(), "--remote-debugging-pipe",
	}
	if isRoot() {
		flags = append(flags, "--no-sandbox")
	}
	// The pipes are expected as descriptors 3 and 4.
	command := append([]string{"sh", "-c", `exec chromium "$@" 3<&6 4>&7`, "sh"}, append(flags, "about:blank")...)
	startForeign(t, nil, []*os.File{theirIn, theirOut}, command...)
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() { in.Close() })
	b := &browser{to: in, waiting: map[int]chan<- reply{}}
	go b.listen(out)
	return b, nil
}

func (b *browser) listen(out *os.File) {
	defer out.Close()
	for r := bufio.NewReaderSize(out, 1<<20); ; {
		message, err := r.ReadBytes(0)
		b.mu.Lock()
		if err != nil {
			b.dead = fmt.Errorf("the browser has gone: %w", err)
			for id, answer := range b.waiting {
				close(answer)
				delete(b.waiting, id)
			}
			b.mu.Unlock()
			return
		}
		var got reply
		if json.Unmarshal(message[:len(message)-1], &got) == nil && b.waiting[got.ID] != nil {
			b.waiting[got.ID] <- got
			delete(b.waiting, got.ID)
		}
		b.mu.Unlock()
	}
}

// call calls a method of the protocol and waits for what it returns.
func (b *browser) call(ctx context.Context, session, method string, params, result any) error {
	answer := make(chan reply, 1)
	b.mu.Lock()
	if b.dead != nil {
		b.mu.Unlock()
		return b.dead
	}
	b.last++
	message := map[string]any{"id": b.last, "method": method}
	if params != nil {
		message["params"] = params
	}
	if session != "" {
		message["sessionId"] = session
	}
	text, err := json.Marshal(message)
	if err == nil {
		b.waiting[b.last] = answer
		_, err = b.to.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case got, ok := <-answer:
		switch {
		case !ok:
			return b.dead
		case got.Error != nil:
			return fmt.Errorf("%s: %s", method, got.Error.Message)
		case result != nil:
			return json.Unmarshal(got.Result, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// A page is one tab, with cookies of its own.
type page struct {
	browser                  *browser
	context, target, session string
	mu                       sync.Mutex
	last                     int
}

// open opens a page and waits until it is there.
func (b *browser) open(ctx context.Context, url string) (*page, error) {
	p := &page{browser: b}
	var made struct {
		Context string `json:"browserContextId"`
		Target  string `json:"targetId"`
		Session string `json:"sessionId"`
	}
	for _, step := range []struct {
		method string
		params func() map[string]any
	}{
		{"Target.createBrowserContext", func() map[string]any { return nil }},
		{"Target.createTarget", func() map[string]any { return map[string]any{"url": url, "browserContextId": made.Context} }},
		{"Target.attachToTarget", func() map[string]any { return map[string]any{"targetId": made.Target, "flatten": true} }},
	} {
		if err := b.call(ctx, "", step.method, step.params(), &made); err != nil {
			return nil, err
		}
	}
	p.context, p.target, p.session = made.Context, made.Target, made.Session
	for {
		var at string
		if err := p.eval(ctx, "document.readyState + ' ' + location.href", &at); err == nil && at == "complete "+url {
			break
		} else if ctx.Err() != nil {
			return nil, fmt.Errorf("open %s: the page is %s: %w", url, at, errors.Join(err, ctx.Err()))
		}
		time.Sleep(10 * time.Millisecond)
	}
	return p, p.eval(ctx, fetchJS, nil)
}

func (p *page) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = p.browser.call(ctx, "", "Target.disposeBrowserContext", map[string]any{"browserContextId": p.context}, nil) // its end comes with the browser's
}

// eval runs a script, waits for what it promises and returns that.
func (p *page) eval(ctx context.Context, script string, value any) error {
	var got struct {
		Result    struct{ Value json.RawMessage }
		Exception *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	err := p.browser.call(ctx, p.session, "Runtime.evaluate",
		map[string]any{"expression": script, "awaitPromise": true, "returnByValue": value != nil}, &got)
	switch {
	case err != nil:
		return err
	case got.Exception != nil:
		return fmt.Errorf("%s %s", got.Exception.Text, got.Exception.Exception.Description)
	case value != nil:
		return json.Unmarshal(got.Result.Value, value)
	}
	return nil
}

// do is the page's fetch.
func (p *page) do(ctx context.Context, r request) (*answer, error) {
	body, err := scripted(r)
	if err != nil {
		return nil, err
	}
	fields := [][2]string{}
	for _, f := range r.header {
		fields = append(fields, [2]string{f.Name, latin1(f.Value)})
	}
	text, err := json.Marshal(map[string]any{"method": r.method, "target": r.target, "fields": fields, "body": body})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.last++
	id := p.last
	p.mu.Unlock()
	var got struct {
		Status int
		Fields [][2]string
	}
	if t, ok := r.body.(*trickle); ok {
		go func() {
			select {
			case <-t.released:
				_ = p.eval(ctx, fmt.Sprintf("lab.release(%d)", id), nil) // the request may be over
			case <-ctx.Done():
			}
		}()
	}
	answered := &pageBody{page: p, ctx: ctx, id: id}
	if err := p.eval(ctx, fmt.Sprintf("lab.begin(%d, %s)", id, text), &got); err != nil {
		answered.Close()
		return nil, err
	}
	header := http.Header{}
	for _, f := range got.Fields {
		header.Add(f[0], f[1])
	}
	return &answer{got.Status, header, answered}, nil
}

// scripted says how a page makes the body of a request.
func scripted(r request) (map[string]any, error) {
	body := r.body
	if t, ok := body.(*trickle); ok {
		return map[string]any{"n": t.left, "pattern": app.Pattern, "stream": true, "trickle": true}, nil
	}
	s, stalls := body.(*stalling)
	if stalls {
		body = s.first
	}
	if l, ok := body.(*io.LimitedReader); ok {
		return map[string]any{"n": l.N, "pattern": app.Pattern, "stream": stalls || r.length < 0, "stall": stalls}, nil
	}
	if body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(body)
	return map[string]any{"base64": base64.StdEncoding.EncodeToString(b)}, err
}

// latin1 makes each byte a character, which is how a page says bytes.
func latin1(bytes string) string {
	chars := make([]rune, len(bytes))
	for i := range len(bytes) {
		chars[i] = rune(bytes[i])
	}
	return string(chars)
}

// A pageBody is the answer to a page's fetch.
type pageBody struct {
	page  *page
	ctx   context.Context
	id    int
	piece bytes.Reader
}

func (b *pageBody) Read(p []byte) (int, error) {
	for b.piece.Len() == 0 {
		var piece *string
		if err := b.page.eval(b.ctx, fmt.Sprintf("lab.read(%d)", b.id), &piece); err != nil {
			return 0, err
		}
		if piece == nil {
			return 0, io.EOF
		}
		decoded, err := base64.StdEncoding.DecodeString(*piece)
		if err != nil {
			return 0, err
		}
		b.piece.Reset(decoded)
	}
	return b.piece.Read(p)
}

// digest reads the rest in the page, which is ten times as fast as here.
func (b *pageBody) digest() (n int64, sum string, err error) {
	var got struct {
		N   int64
		Sum string
	}
	err = b.page.eval(b.ctx, fmt.Sprintf("lab.digest(%d)", b.id), &got)
	return got.N, got.Sum, err
}

func (b *pageBody) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.page.eval(ctx, fmt.Sprintf("lab.leave(%d)", b.id), nil)
}

// echoed is the page's WebSocket.
func (p *page) echoed(ctx context.Context, messages []string) (got []string, err error) {
	text, err := json.Marshal(messages)
	if err != nil {
		return nil, err
	}
	return got, p.eval(ctx, fmt.Sprintf("lab.echoed('/ws', %s)", text), &got)
}
