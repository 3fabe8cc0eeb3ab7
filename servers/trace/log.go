package trace

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// logged keeps what the processes print while a request is under way: what a
// server has to say of a request that fails is a part of what happened.
type logged struct {
	also io.Writer // gets all of it; nil = nobody

	mu   sync.Mutex
	text bytes.Buffer
}

const loggedMost = 8 << 10 // the first complaint is the one that explains

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	if keep := loggedMost - l.text.Len(); keep > 0 {
		l.text.Write(p[:min(keep, len(p))])
	}
	l.mu.Unlock()
	if l.also != nil {
		return l.also.Write(p)
	}
	return len(p), nil
}

func (l *logged) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// lines are what has been printed since forget.
func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(l.text.String())
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
