//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package app

// No server model runs here, so nothing calls.

type link struct{}

func (*link) close() {}

func (*upstream) onItsWay(*Request, func(carrier) error) error { return errUpstreamAway }
