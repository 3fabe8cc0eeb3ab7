package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/latency"
	"gatewaylab/servers/process"
)

// A Service is a backing service: what the application calls and waits for
// while it answers, and what is no part of the server under test. It is started
// before the model, in process groups of its own, so that what it uses is not
// counted as the model's, and stopped after it.
type Service struct {
	Name string // as the command line and scenario files call it
	Doc  string // one line
	// Route is the application's route that calls it.
	Route string
	// Options are its settings. The first is the one whose key may be left out.
	Options []Option
	// Check, if set, refuses settings that don't go together.
	Check func(Settings) error
	// Says is the application's answer to a request for Route, if all goes well,
	// and Verifying are the settings with which it does.
	Says      string
	Verifying []Setting
	// App, if set, is an application that gives the good answers, in place of
	// Says: they depend on the request.
	App func() *app.App
	// Environ are the variables by which the application finds the service at
	// an address. The model's processes have them, and what they start.
	Environ func(s Settings, address string) []string
	// Commands are its processes. Each gets a listener on loopback, bound by
	// the lab, as file 3. The seed decides all that is drawn.
	Commands func(s Settings, p Programs, seed uint64) []*exec.Cmd
	// Open, if set, makes ready what is no process of the lab's, in place of
	// Environ and Commands. Foreign says that the model runs as another user.
	// Remove, which may be nil, takes it away.
	Open func(ctx context.Context, s Settings, l *Launch, foreign bool) (environ []string, remove func() error, err error)
	// Drivers says that the model's own programs must be those with drivers of
	// databases; see Programs.
	Drivers bool
	// Hide, if set, takes out of a setting's value what nobody else is to see.
	Hide func(key, value string) string
	// Counts asks the running service what it has done since it was started.
	Counts func(ctx context.Context, address string) (latency.Counts, error)
	// Limit is how many calls a second it can take at most; 0 = any number.
	Limit func(Settings) float64
	// Wait is how long a call takes on average, whoever calls; 0 = unknown.
	Wait func(Settings) time.Duration
}

// Services returns the table of backing services.
func Services() []Service { return []Service{upstreamService(), databaseService()} }

// LookupService finds a service by name; the error names the nearest known one.
func LookupService(name string) (*Service, error) {
	all := Services()
	var names []string
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
		names = append(names, all[i].Name)
	}
	return nil, fmt.Errorf("no backing service is called %q%s", name, Nearest(name, names))
}

// A Backing is a service with its settings, every default filled in.
type Backing struct {
	Service  string   `json:"service"` // its name
	Settings Settings `json:"settings"`
}

// NewBacking completes and checks settings. Errors are about one of them, or
// about all together.
func NewBacking(service string, given []Setting) (Backing, error) {
	row, err := LookupService(service)
	if err != nil {
		return Backing{}, err
	}
	b := Backing{Service: service}
	if b.Settings, err = settle(row.Name, row.Options, given); err != nil {
		return Backing{}, err
	}
	if row.Check != nil {
		err = row.Check(b.Settings)
	}
	return b, err
}

// Verifying is a backing that lets every call go well, for Instance.Verify.
func (b Backing) Verifying() (Backing, error) {
	row, err := LookupService(b.Service)
	if err != nil {
		return Backing{}, err
	}
	return NewBacking(b.Service, row.Verifying)
}

// Route is the application's route that calls the service.
func (b Backing) Route() string {
	row, err := LookupService(b.Service)
	if err != nil {
		return ""
	}
	return row.Route
}

// String is the text form, such as "exponential 100ms, rate 500/s", with what
// differs from the defaults.
func (b Backing) String() string {
	row, err := LookupService(b.Service)
	if err != nil {
		return b.Service
	}
	var parts []string
	for i, o := range row.Options {
		v := b.Settings[o.Key]
		shown := v
		if row.Hide != nil {
			shown = row.Hide(o.Key, v)
		}
		switch {
		case i == 0:
			parts = append(parts, shown)
		case v != o.Default:
			parts = append(parts, o.Key+" "+shown)
		}
	}
	return strings.Join(parts, ", ")
}

// MarshalJSON leaves out what nobody else is to see: results are passed on.
func (b Backing) MarshalJSON() ([]byte, error) {
	type plain Backing
	shown := plain{b.Service, maps.Clone(b.Settings)}
	if row, err := LookupService(b.Service); err == nil && row.Hide != nil {
		for k, v := range shown.Settings {
			shown.Settings[k] = row.Hide(k, v)
		}
	}
	return json.Marshal(shown)
}

// Counted says whether the service tells what it has done.
func (b Backing) Counted() bool {
	row, err := LookupService(b.Service)
	return err == nil && row.Counts != nil
}

// Wait is how long a call of the service takes on average when nobody else
// calls; 0 = unknown.
func (b Backing) Wait() time.Duration {
	row, err := LookupService(b.Service)
	if err != nil || row.Wait == nil {
		return 0
	}
	return row.Wait(b.Settings)
}

// Limit is how many calls a second the service can take at most; 0 = any number,
// or unknown.
func (b Backing) Limit() float64 {
	row, err := LookupService(b.Service)
	if err != nil || row.Limit == nil {
		return 0
	}
	return row.Limit(b.Settings)
}

// A RunningService is a backing service of an Instance.
type RunningService struct {
	Backing
	row     *Service
	group   *process.Group // nil: it has no processes
	address string
	environ []string
	close   func() error // nil: there is nothing to close
	app     *app.App     // nil: it says what row.Says says
}

// ServiceReading is what a service has done and used since it was started.
type ServiceReading struct {
	Counts latency.Counts
	CPU    time.Duration
	Memory int64 // bytes, now
}

// PIDs lists the live processes of the service.
func (r *RunningService) PIDs() []int {
	if r.group == nil {
		return nil
	}
	return r.group.PIDs()
}

// Address is where the service listens; "" if it has no processes.
func (r *RunningService) Address() string { return r.address }

// Read takes a reading.
func (r *RunningService) Read(ctx context.Context) (s ServiceReading, err error) {
	if r.row.Counts != nil {
		if s.Counts, err = r.row.Counts(ctx, r.address); err != nil {
			return s, fmt.Errorf("%s: %w", r.Service, err)
		}
	}
	if r.group != nil {
		u, uerr := r.group.Sample()
		s.CPU, s.Memory, err = u.CPU, u.Memory, uerr
	}
	return s, err
}

// startServices starts all of the launch's services and returns the variables
// by which they are found. On an error none is left.
func (i *Instance) startServices(ctx context.Context, l *Launch) (environ []string, err error) {
	environ = slices.Clone(l.Environ)
	for _, b := range l.Services {
		r := &RunningService{Backing: b}
		if r.row, err = LookupService(b.Service); err == nil {
			err = r.start(ctx, l, i.configured.foreign())
		}
		i.services = append(i.services, r)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start the backing service %s: %w", b.Service, err), stopServices(i.services))
		}
		environ = append(environ, r.environ...)
	}
	if i.configured.Pool > 0 {
		environ = append(environ, fmt.Sprintf("%s=%d", databasePoolVariable, i.configured.Pool))
	}
	return environ, nil
}

// start starts the service's processes and returns when they serve.
func (r *RunningService) start(ctx context.Context, l *Launch, foreign bool) (err error) {
	if r.row.App != nil {
		r.app = r.row.App()
	}
	if r.row.Open != nil {
		r.environ, r.close, err = r.row.Open(ctx, r.Settings, l, foreign)
		return err
	}
	listener, address, err := process.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	reached := address
	if l.Tap != nil {
		hop := Hop{From: "application", To: r.Service, Protocol: WireHTTP, Network: "tcp", Address: address, Called: true}
		if _, reached, err = l.Tap(hop); err != nil {
			return errors.Join(fmt.Errorf("tap the hop from %s to %s: %w", hop.From, hop.To, err), closeOnce(listener))
		}
	}
	r.address, r.environ = address, r.row.Environ(r.Settings, reached)
	r.group, err = process.Start(process.Launch{
		Commands: r.row.Commands(r.Settings, l.Programs, l.Seed), Listener: listener, Cores: l.ServiceCores, Log: l.Log,
	})
	if err = errors.Join(err, closeOnce(listener)); err != nil || r.row.Counts == nil {
		return err
	}
	if _, err = r.row.Counts(ctx, r.address); err != nil {
		err = errors.Join(r.group.Err(), err)
	}
	return err
}

func stopServices(running []*RunningService) error {
	var errs []error
	for _, r := range slices.Backward(running) {
		var err error
		if r.group != nil {
			err = r.group.Stop(time.Second)
		}
		if r.close != nil {
			err = errors.Join(err, r.close())
			r.close = nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("stop the backing service %s: %w", r.Service, err))
		}
	}
	return errors.Join(errs...)
}

// Services are the backing services of the instance.
func (i *Instance) Services() []*RunningService { return i.services }
