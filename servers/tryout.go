package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gatewaylab/servers/real"
)

// A Tryout is a model that was started, asked the probes of equal work, and
// stopped: the only proof that what is installed works.
type Tryout struct {
	Spec    string
	Missing []real.Need   // not installed, so it was not started
	Err     error         // why it doesn't work; nil = it does, if nothing is missing
	Took    time.Duration // start, probes and stop
}

// Works says whether the model did all that it was asked.
func (t *Tryout) Works() bool { return t.Err == nil && len(t.Missing) == 0 }

// ErrNoTime is the error of a tryout that was not begun, or not finished,
// before its time was over.
var ErrNoTime = errors.New("not tried to the end: no time was left")

// tryoutTime is what one tryout may take; Daphne, the slowest to begin, takes
// a twentieth of it on an idle core.
const tryoutTime = 40 * time.Second

// Tryouts are the specs in which the table's real programs are tried: each row
// as it stands, then what else it can be, all that takes something more to be
// installed among it.
func Tryouts() (specs []string) {
	var rows []string
	for _, m := range realModels() {
		rows = append(rows, m.Name)
	}
	specs = append(slices.Clone(rows),
		"nginx+prefork", "gunicorn:class=gthread", "gunicorn:class=gevent", "gunicorn:class=eventlet", "gunicorn:class=tornado",
		"gunicorn:app=flask", "gunicorn:app=django", "uvicorn:app=fastapi", "uvicorn:app=quart", "hypercorn:loop=uvloop",
		"apache:mod=perl", "apache:mod=wsgi", "apache:mod=fcgid", "apache:app=c",
		"lighttpd:mod=fastcgi", "lighttpd:app=c", "lighttpd:app=perl", "lighttpd:app=python", "lighttpd:app=shell",
	)
	row := func(spec string) int { return slices.Index(rows, spec[:strings.IndexAny(spec+":", ":+")]) }
	slices.SortStableFunc(specs, func(a, b string) int { return cmp.Compare(row(a), row(b)) })
	return specs
}

// OwnTryouts are the specs of the models that are the lab's own.
func OwnTryouts() (specs []string) {
	for _, m := range Models() {
		if m.Real == nil {
			specs = append(specs, m.Name)
		}
	}
	return append(specs, "front+prefork")
}

// TryOut tries specs out, so many at a time, until ctx ends; on is called with
// each when it is over, one at a time and in no order.
func TryOut(ctx context.Context, specs []string, p Programs, atATime int, on func(*Tryout)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	todo := make(chan string)
	for range max(1, atATime) {
		wg.Go(func() {
			for spec := range todo {
				t := tryOut(ctx, spec, p)
				mu.Lock()
				on(t)
				mu.Unlock()
			}
		})
	}
	for _, s := range specs {
		todo <- s
	}
	close(todo)
	wg.Wait()
}

func tryOut(ctx context.Context, spec string, p Programs) *Tryout {
	t := &Tryout{Spec: spec}
	c, err := Resolve(spec)
	if err != nil {
		t.Err = err
		return t
	}
	if t.Missing = c.Missing(); len(t.Missing) > 0 {
		return t
	}
	if ctx.Err() != nil {
		t.Err = ErrNoTime
		return t
	}
	began := time.Now()
	one, cancel := context.WithTimeout(ctx, tryoutTime)
	defer cancel()
	if t.Err = c.tryOut(one, p); t.Err != nil && ctx.Err() != nil {
		t.Err = ErrNoTime
	}
	t.Took = time.Since(began)
	return t
}

func (c *Configured) tryOut(ctx context.Context, p Programs) error {
	inst, err := Start(ctx, c, Launch{Programs: p})
	if err != nil {
		return err
	}
	err = inst.Verify(ctx)
	grace := 10 * time.Second // gunicorn looks once a second whether it is to end
	if ctx.Err() != nil {
		grace = 300 * time.Millisecond
	}
	if cerr := inst.Close(grace); cerr != nil && ctx.Err() == nil {
		err = errors.Join(err, fmt.Errorf("stop %s: %w", c.Spec, cerr))
	}
	return err
}

// Needs are what must be installed for the model with its settings and for the
// front before it; none for what is the lab's own.
func (c *Configured) Needs() []real.Need {
	needs := append(c.needs(), executables(c.Model.Needs)...)
	if c.Front != nil {
		needs = append(needs, executables(c.Front.Needs)...)
	}
	return slices.Compact(needs)
}

// Missing are those of Needs that are not installed.
func (c *Configured) Missing() []real.Need {
	_, err := real.Find(c.Needs())
	var missing *real.MissingError
	if errors.As(err, &missing) {
		return missing.Needs
	}
	return nil
}
