package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatewaylab/reports/hops"
	"gatewaylab/scenarios"
	"gatewaylab/servers"
	"gatewaylab/servers/trace"
)

// traceFlags are how a trace is made and shown.
type traceFlags struct {
	curl    curlFlags
	format  string
	full    bool
	slow    bool
	pcap    string
	timeout time.Duration
	pager   bool
	// upstream is what the application calls when it is asked for its route.
	upstream string
}

func newTrace(s streams) *cobra.Command {
	o := traceFlags{format: "text", timeout: 30 * time.Second, pager: true}
	cmd := &cobra.Command{
		Use:   "trace MODEL… [PATH]",
		Short: "One request, hop by hop, every byte explained",
		Long: `Starts each model, sends it one request and shows what crossed on the way, as
recorded between the programs: who, over what, when, and the bytes, field by
field beside their meaning. Of several models it shows what each adds. Of long
fields text shows the beginning ("… 81 more"); --full shows every byte.

PATH is what starts with "/"; without one it is /hello. The request can be
said in the words of curl. With /upstream a latency server is started, and the
application's call to it is one more hop. Times are of one passage through
recorders; to compare how long things take, use lab compare.`,
		Example: `  lab trace cgi '/echo?x=1'
  lab trace prefork fastcgi uwsgi               side by side
  lab trace cgi /upload -d name=value -H 'X-Request-Id: 7'
  lab trace nginx+async /upstream --upstream 20ms
  lab trace nginx+uwsgi --slow                  step by step, on a key
  lab trace cgi --format html > trace.html
  lab trace fastcgi --pcap trace.pcapng         for Wireshark or tshark`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: modelArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(c.Flags().Changed); err != nil {
				return misuse(c, err)
			}
			models, target, err := traceArgs(args)
			if err != nil {
				return misuse(c, err)
			}
			request, err := o.curl.request(target, s.in)
			if err != nil {
				return misuse(c, err)
			}
			if err := request.Check(); err != nil {
				return misuse(c, err)
			}
			request.Timeout = o.timeout
			services, err := o.services(request)
			if err != nil {
				return misuse(c, err)
			}
			traces, err := record(c.Context(), s, models, services, request)
			if err != nil {
				return err
			}
			return o.show(c.Context(), s, traces)
		},
	}
	f := cmd.Flags()
	o.curl.add(f)
	f.StringVar(&o.format, "format", o.format, "text, json, md, mermaid or html")
	f.BoolVar(&o.full, "full", false, "text: every byte of long fields too, and of several models")
	f.BoolVar(&o.slow, "slow", false, "step through it on a key")
	f.StringVar(&o.pcap, "pcap", "", "also write a capture that Wireshark and tshark open")
	f.BoolVar(&o.pager, "pager", o.pager, "show text that is longer than the terminal in $PAGER")
	f.DurationVar(&o.timeout, "timeout", o.timeout, "how long to wait for the answer")
	f.StringVar(&o.upstream, tracedService, "", "what /upstream calls, `UPSTREAM`: a latency server, as for lab compare; the default is its own")
	return cmd
}

func (o *traceFlags) check(changed func(string) bool) error {
	switch {
	case o.slow && o.format != "text":
		return errors.New("--slow shows text; leave --format out")
	case o.full && (o.slow || o.format != "text"):
		return errors.New("--full is about printed text: leave it out with --slow, whose steps have every byte, and with another --format")
	case changed("pager") && o.pager && (o.slow || o.format != "text"):
		return errors.New("--pager shows printed text: leave it out with --slow and with another --format")
	}
	return oneOf("format", o.format, "text", "json", "md", "mermaid", "html")
}

// traceArgs tells the models from the path.
func traceArgs(args []string) (models []*servers.Configured, target string, err error) {
	target = "/hello"
	for i, a := range args {
		if strings.HasPrefix(a, "/") {
			if i != len(args)-1 {
				return nil, "", fmt.Errorf("%q is taken for the path, since it starts with /, and the path comes last", a)
			}
			target = a
			break
		}
		m, err := servers.Resolve(a)
		if err != nil {
			return nil, "", err
		}
		models = append(models, m)
	}
	if len(models) == 0 {
		return nil, "", fmt.Errorf("no model to send %s through: lab trace MODEL %[1]s", target)
	}
	return models, target, nil
}

// tracedService is the backing service that can be seen being called: another
// program, which speaks HTTP.
const tracedService = "upstream"

// services are those that the request has the application call.
func (o *traceFlags) services(r trace.Request) ([]servers.Backing, error) {
	b, err := scenarios.ParseBacking(tracedService, o.upstream)
	if o.upstream == "" {
		b, err = servers.NewBacking(tracedService, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s %w", tracedService, err)
	}
	path, _, _ := strings.Cut(r.Target, "?")
	switch {
	case path == b.Route():
		return []servers.Backing{b}, nil
	case o.upstream != "":
		return nil, fmt.Errorf("--%s is what %s calls, and %s is asked for", tracedService, b.Route(), path)
	}
	return nil, nil
}

// record traces the request through each model in turn.
func record(ctx context.Context, s streams, models []*servers.Configured, services []servers.Backing, r trace.Request) ([]*trace.Trace, error) {
	programs, err := servers.FindPrograms(ctx, s.err)
	if err != nil {
		return nil, err
	}
	var traces []*trace.Trace
	for _, m := range models {
		t, err := trace.Run(ctx, m, servers.Launch{Programs: programs, Services: services}, r)
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		if err != nil {
			return nil, fmt.Errorf("trace %s: %w", m.Spec, err)
		}
		traces = append(traces, t...)
	}
	return traces, nil
}

// show writes the traces where and how it was asked for. A request without an
// answer is shown like any other, and is an error all the same.
func (o *traceFlags) show(ctx context.Context, s streams, traces []*trace.Trace) error {
	if o.pcap != "" {
		if err := writeCapture(o.pcap, traces); err != nil {
			return err
		}
		fmt.Fprintf(s.err, "capture in %s\n", o.pcap)
	}
	var err error
	switch {
	case o.slow:
		err = o.step(ctx, s, traces)
	case o.format == "text":
		err = o.text(s, traces)
	case o.format == "json":
		err = hops.JSON(s.out, traces)
	case o.format == "md":
		err = hops.Markdown(s.out, traces)
	case o.format == "mermaid":
		err = hops.Mermaid(s.out, traces)
	case o.format == "html":
		err = hops.HTML(s.out, traces)
	}
	for _, t := range traces {
		if t.Problem != "" {
			err = errors.Join(err, fmt.Errorf("%s through %s: %s", t.Request, t.Model, t.Problem))
		}
	}
	return err
}

func writeCapture(file string, traces []*trace.Trace) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write the capture: %w", err)
	}
	if err := errors.Join(hops.Capture(f, traces), f.Close()); err != nil {
		return fmt.Errorf("write the capture %s: %w", file, err)
	}
	return nil
}

// step shows the traces step by step; that takes a terminal.
func (o *traceFlags) step(ctx context.Context, s streams, traces []*trace.Trace) error {
	out, ok := terminal(s.out)
	if !ok {
		return errors.New("--slow: stdout is not a terminal; leave it out to have the whole trace printed")
	}
	return hops.Slow(ctx, traces, hops.SlowOptions{In: s.in, Out: out, Colour: !noColor()})
}

// text prints, or pages what doesn't fit the terminal.
func (o *traceFlags) text(s streams, traces []*trace.Trace) error {
	set := hops.TextOptions{Full: o.full}
	height := 0
	if f, ok := terminal(s.out); ok {
		set.Colour = !noColor()
		if w, h, err := termSize(f); err == nil {
			set.Width, height = w, h
		}
	}
	var b strings.Builder
	if err := hops.Text(&b, traces, set); err != nil {
		return err
	}
	if o.pager && height > 0 && strings.Count(b.String(), "\n") >= height {
		if done, err := page(s, b.String()); done {
			return err
		}
	}
	_, err := io.WriteString(s.out, b.String())
	return err
}
