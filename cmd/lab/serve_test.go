package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is a buffer that a command writes while a test reads.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var served = regexp.MustCompile(`serves at (http://[0-9.:]+) `)

// startServe runs lab serve until the function that it returns, which says how
// it ended, is called.
func startServe(t *testing.T, model string) (url string, stop func() (code int, diag string)) {
	t.Helper()
	needPrograms(t)
	ctx, cancel := context.WithCancel(context.Background())
	var out, diag output
	code := make(chan int, 1)
	stop = sync.OnceValues(func() (int, string) {
		cancel()
		return <-code, diag.String()
	})
	t.Cleanup(func() { _, _ = stop() })
	go func() {
		code <- run(ctx, []string{"serve", model, "--addr", "127.0.0.1:0"}, streams{strings.NewReader(""), &out, &diag})
	}()
	for deadline := time.Now().Add(60 * time.Second); url == ""; time.Sleep(10 * time.Millisecond) {
		if m := served.FindStringSubmatch(out.String()); m != nil {
			url = m[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("no address within 60 s: %s%s", out.String(), diag.String())
		}
	}
	return url, stop
}

// lab serve answers until it is told to stop, and then is gone.
func TestServe(t *testing.T) {
	for _, model := range []string{"cgi", "prefork:workers=2", "async"} {
		t.Run(model, func(t *testing.T) {
			url, stop := startServe(t, model)
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Get(url + "/hello")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || len(body) == 0 {
				t.Errorf("/hello answered %s with %q, %v", resp.Status, body, err)
			}
			if c, diag := stop(); c != 0 {
				t.Errorf("exit status %d:\n%s", c, diag)
			}
			if resp, err := client.Get(url + "/hello"); err == nil {
				resp.Body.Close()
				t.Error("it still answers after it was stopped")
			}
		})
	}
}

// One request that kills the only process is not the end of lab serve: what it
// died of is said, and the same address answers again.
func TestServeStartsAgain(t *testing.T) {
	url, stop := startServe(t, "async")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Get(url + "/crash"); err == nil {
		resp.Body.Close()
		t.Errorf("/crash answered %s", resp.Status)
	}
	resp, err := client.Get(url + "/hello") // waits in the listen queue until it is accepted
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/hello answered %s", resp.Status)
	}
	c, diag := stop()
	if said := regexp.MustCompile(`(?m)^lab: .*labserver \(process [0-9]+\): exit status [0-9]+; starting it again$`); c != 0 || !said.MatchString(diag) {
		t.Errorf("exit status %d, stderr %q", c, diag)
	}
}
