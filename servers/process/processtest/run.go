// Package processtest is for tests that mostly wait for other processes.
package processtest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Run is m.Run, for TestMain. Of tests that call t.Parallel it has three times as
// many at once as there are cores, unless -parallel says how many: a test that
// waits for programs to start and to end, and for requests that take long on
// purpose, leaves its core to others.
func Run(m *testing.M) int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	return m.Run()
}
