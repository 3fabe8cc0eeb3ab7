// Package models holds the server models, one file each, to be read side by
// side: what differs between two files is what differs between two models.
// All of it runs inside labserver, never inside the lab.
package models

import (
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"time"

	"gatewaylab/servers/process"
)

// A Server is one model's serving loop. It returns when it has been asked to
// stop (SIGTERM: finish what is being served; SIGINT: at once) or when
// Env.Orphaned closes (at once, children killed).
type Server func(*Env) error

// Env is what a model is given to run with.
type Env struct {
	Listener *os.File            // bound and listening; inherited from the lab
	Board    *process.Scoreboard // shared with the lab
	Orphaned <-chan struct{}     // closed when the lab is gone
	// Inherited is the same three with their files, for a model that hands
	// them on to workers.
	Inherited *process.Inherited
	Options   *Options
	AppPath   string      // the labapp executable, for models that start it
	Log       *log.Logger // to stderr
}

// table has one row for each program labserver can be.
func table() map[string]Server {
	return map[string]Server{
		"async":             async,
		"cgi":               cgi,
		"eventloop":         eventloop,
		"fastcgi":           fastcgi,
		fastcgiWorker:       fastcgiWork,
		multiplexWorkerName: multiplexWork,
		"front":             reverseProxy,
		"prefork":           prefork,
		preforkWorker:       syncWorker,
		"scgi":              scgi,
		scgiWorker:          scgiWork,
		"serial":            serial,
		"threads":           threads,
		threadsWorker:       threadWorker,
		"uwsgi":             uwsgi,
		uwsgiWorker:         uwsgiWork,
	}
}

// Lookup returns the named model's serving loop.
func Lookup(name string) (Server, error) {
	if s, ok := table()[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("labserver has no model %q", name)
}

// Options are a model's settings. The lab has checked them and sends every
// one, defaults included, so a missing or malformed one is a fault between
// lab and labserver; the first is kept in Err.
type Options struct {
	values map[string]string
	err    error
}

// ParseOptions reads key=value words.
func ParseOptions(words []string) (*Options, error) {
	o := &Options{values: make(map[string]string, len(words))}
	for _, w := range words {
		for i := 0; ; i++ {
			if i == len(w) {
				return nil, fmt.Errorf("option %q: expected key=value", w)
			}
			if w[i] == '=' {
				o.values[w[:i]] = w[i+1:]
				break
			}
		}
	}
	return o, nil
}

// Values are the options by their keys. They must not be changed.
func (o *Options) Values() map[string]string { return o.values }

// Words are the options as they were sent, sorted, for a model that hands them
// on to workers.
func (o *Options) Words() []string {
	words := make([]string, 0, len(o.values))
	for k, v := range o.values {
		words = append(words, k+"="+v)
	}
	slices.Sort(words)
	return words
}

// Err is the first fault met by the other methods.
func (o *Options) Err() error { return o.err }

// String returns the option as it was sent.
func (o *Options) String(key string) string {
	v, ok := o.values[key]
	if !ok && o.err == nil {
		o.err = fmt.Errorf("option %s was not sent: start lab and labserver from the same build", key)
	}
	return v
}

// Int returns a whole number.
func (o *Options) Int(key string) int {
	n, err := strconv.Atoi(o.String(key))
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("option %s: %w", key, err)
	}
	return n
}

// Duration returns a Go duration.
func (o *Options) Duration(key string) time.Duration {
	d, err := time.ParseDuration(o.String(key))
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("option %s: %w", key, err)
	}
	return d
}
