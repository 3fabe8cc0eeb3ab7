package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkPrefork is the goodput of four sync workers to clients that open a
// connection for each request.
func BenchmarkPrefork(b *testing.B) {
	for _, clients := range []int{4, 32} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			s := prefork(b, 4, "backlog=1024")
			before, err := s.Usage()
			if err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range clients {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := get(s.addr, "/hello"); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			after, err := s.Usage()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
			b.ReportMetric(float64((after.CPU-before.CPU).Nanoseconds())/float64(b.N), "server-cpu-ns/op")
			b.ReportMetric(float64(after.Memory)/(1<<20), "MiB-"+after.MemoryKind)
		})
	}
}

// BenchmarkUsage is what looking at a pre-fork server with four workers costs
// the lab.
func BenchmarkUsage(b *testing.B) {
	s := prefork(b, 4)
	b.Run("Usage", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Usage(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Sample", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Sample(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("PIDs", func(b *testing.B) {
		for b.Loop() {
			s.PIDs()
		}
	})
}
