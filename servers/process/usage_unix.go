//go:build unix

package process

import "fmt"

// Usage measures the whole tree, everything in it. For the two ends of a
// trial: reading proportional memory and the threads' context switches costs
// some tenths of a millisecond for each process.
func (g *Group) Usage() (Usage, error) { return g.usage(true) }

// Sample measures what is cheap: CPU, processes, threads, and resident instead
// of proportional memory. For ten times a second during a trial.
func (g *Group) Sample() (Usage, error) { return g.usage(false) }

func (g *Group) usage(detail bool) (Usage, error) {
	g.mu.Lock()
	gone := g.reaped // before the live are read: a leader that goes in between must not count twice
	g.mu.Unlock()
	u, err := g.tree.measure(detail)
	if err != nil {
		return Usage{}, fmt.Errorf("measure processes: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	u.CPU += gone.cpu
	u.Voluntary += gone.voluntary
	u.Involuntary += gone.involuntary
	// What one reading missed of a dying process is there in the next.
	g.cpu = max(g.cpu, u.CPU)
	u.CPU = g.cpu
	return u, nil
}
