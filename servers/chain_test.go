//go:build unix

package servers_test

import (
	"testing"

	"gatewaylab/servers"
)

// chains are every front before every model that it can pass requests on to.
// One that a model gets without asking is in the models' own contract test.
func chains() (specs []string) {
	for _, f := range servers.Fronts() {
		for _, m := range servers.Models() {
			spec := f.Name + "+" + m.Name
			if _, err := servers.Resolve(spec); err == nil {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

// A chain answers like the application, whatever it is made of.
func TestChainsAnswerAlike(t *testing.T) {
	for _, spec := range chains() {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			answersAlike(t, spec)
		})
	}
}

// The whole contract, before one model that holds one request for each worker
// and before one that holds as many as come.
func TestContractOfChains(t *testing.T) {
	for _, spec := range []string{
		"front+prefork", "front+async", "nginx+prefork", "nginx:buffering=off,keepalive=0,workers=1+async",
		"front:instances=2,balance=shared,request_buffering=off,response_buffering=off,keepalive=0,socket=tcp+async",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			keepsContract(t, spec)
		})
	}
}
