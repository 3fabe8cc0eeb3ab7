package processtest

import (
	"testing"

	"gatewaylab/servers/process"
)

// Address is one on which nobody listens until the test's end, unless it has
// somebody listen there.
func Address(t testing.TB) string {
	t.Helper()
	held, addr, err := process.Hold("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() })
	return addr
}
