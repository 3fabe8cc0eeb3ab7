package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"gatewaylab/servers"
)

// showConfig prints what the model would be started with. What a front is set
// up with needs no program to be found.
func showConfig(c *cobra.Command, s streams, model *servers.Configured, addr string) error {
	var programs servers.Programs
	if model.Model.Real != nil {
		var err error
		if programs, err = servers.FindPrograms(c.Context(), s.err); err != nil {
			return err
		}
	}
	text, err := model.ShowConfig(programs, addr)
	if err != nil {
		return misuse(c, err)
	}
	fmt.Fprint(s.out, text)
	return nil
}

func newServe(s streams) *cobra.Command {
	var (
		addr   string
		expose bool
		grace  time.Duration
		config bool
		back   backingFlags
	)
	cmd := &cobra.Command{
		Use:   "serve MODEL",
		Short: "One model in the foreground, to curl or load with any other tool",
		Long: `Starts a MODEL and serves until Ctrl-C. When the server dies by itself, as of a
GET /crash, stderr says of what, and it is started again after a tenth of a
second, as a service manager would do it; requests that come meanwhile wait.
Workers are replaced by their model, which is its own affair.

Exit status: 0 stopped by Ctrl-C; 1 failed, or died 50 times in a row without
having served a request; 2 bad usage.`,
		Example: `  lab serve prefork:workers=2
  lab serve async --addr 127.0.0.1:0            a free port; the address is printed
  lab serve nginx+prefork                       nginx in front of it
  lab serve nginx+prefork --show-config         the configuration that nginx gets
  lab serve gunicorn:class=gthread              gunicorn, with the same application in Python
  lab serve prefork --upstream 'exponential 100ms, failures 1%'
                                                a service for /upstream to call
  lab serve threads --db 'sqlite, pool 4'       a database for /db to ask
  curl http://127.0.0.1:8000/                   lists what the application answers`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: modelArgs,
		RunE: func(c *cobra.Command, args []string) error {
			model, err := servers.Resolve(args[0])
			if err != nil {
				return misuse(c, err)
			}
			if err := back.read(); err != nil {
				return misuse(c, err)
			}
			services, err := back.services()
			if err != nil {
				return misuse(c, err)
			}
			if config {
				return showConfig(c, s, model, addr)
			}
			programs, err := servers.FindPrograms(c.Context(), s.err)
			if err == nil && servers.NeedDrivers(services) {
				programs, err = programs.WithDatabase(c.Context(), s.err)
			}
			if err != nil {
				return err
			}
			inst, err := servers.Start(c.Context(), model, servers.Launch{
				Programs: programs, Addr: addr, Expose: expose, Supervise: true, Log: s.err, Services: services, Seed: rand.Uint64(),
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s serves at %s (Ctrl-C stops it; %s/ lists what it answers)\n", model.Spec, inst.URL(), inst.URL())
			for _, b := range inst.Services() {
				fmt.Fprintf(s.out, "%s calls %s at %s: %s\n", b.Route(), b.Service, b.Address(), b)
			}
			select {
			case <-c.Context().Done():
				return inst.Close(grace)
			case <-inst.Done():
				return errors.Join(fmt.Errorf("%s died: %w", model.Spec, inst.Err()), inst.Close(0))
			}
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "addr", "127.0.0.1:8000", "address to listen on; port 0 = any free one")
	f.BoolVar(&expose, "expose", false, "allow an address that other machines can reach: the application can be told to crash, hang and leak")
	f.BoolVar(&config, "show-config", false, "print the configuration that real programs would get, in front and behind, and start nothing; other flags as without it")
	back.register(f)
	f.DurationVar(&grace, "grace", 1500*time.Millisecond, "how long requests in flight may take to finish on Ctrl-C")
	return cmd
}
