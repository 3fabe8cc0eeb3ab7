package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/pflag"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// targetFlags name servers that the lab didn't start.
type targetFlags struct {
	targets  []string
	owned    bool
	noVerify bool
}

func (f *targetFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.targets, "target", nil, "`NAME=http://HOST:PORT`: a server that is running already, under this name; repeatable")
	fs.BoolVar(&f.owned, "i-own-this-target", false, "targets that are not on this machine are yours to load")
	fs.BoolVar(&f.noVerify, "no-verify", false, "don't check that targets do the application's work; the results say so")
}

// read parses the targets; its errors are the caller's mistakes.
func (f *targetFlags) read() ([]*servers.Target, error) {
	if len(f.targets) == 0 && (f.owned || f.noVerify) {
		return nil, fmt.Errorf("--i-own-this-target and --no-verify are about servers named with --target")
	}
	var all []*servers.Target
	for _, text := range f.targets {
		if name, address, named := strings.Cut(text, "="); named && !strings.Contains(address, "://") {
			return nil, fmt.Errorf("--target %s: the address has no http:// before it; write %s=http://%s", text, name, address)
		}
		t, err := servers.ParseTarget(text)
		if err != nil {
			return nil, fmt.Errorf("--target: %w", err)
		}
		t.Unverified = f.noVerify
		all = append(all, t)
	}
	return all, nil
}

// errPinTarget is why --pin and --target don't go together.
var errPinTarget = errors.New("--pin is for servers that the lab starts: a target runs where it runs")

// contestants are the models that are named, and the targets.
func (f *targetFlags) contestants(ctx context.Context, specs []string) ([]*scenarios.Contestant, error) {
	targets, err := f.read()
	if err != nil {
		return nil, err
	}
	models, err := scenarios.Contestants(specs)
	if err != nil {
		return nil, notAModel(err, specs...)
	}
	if err := f.find(ctx, targets); err != nil {
		return nil, err
	}
	return scenarios.AddTargets(models, targets)
}

// find looks the targets up, once and for all, and refuses those that nobody
// says are theirs: a load generator that anyone can point anywhere is a weapon.
// A private network is no exception, since an office's is one too.
func (f *targetFlags) find(ctx context.Context, all []*servers.Target) error {
	for _, t := range all {
		if err := t.Find(ctx, net.DefaultResolver.LookupNetIP); err != nil {
			return err
		}
		if !t.Local && !f.owned {
			return fmt.Errorf("target %s: %s is not on this machine; add --i-own-this-target if it is yours to load", t.Label, t.Addrs[0].Addr())
		}
	}
	return nil
}

// pin connects to each, so that a mistyped port is known before anything is
// measured.
func pin(ctx context.Context, all []*servers.Target) error {
	for _, t := range all {
		if err := t.Pin(ctx); err != nil {
			return err
		}
	}
	return nil
}
