// Command demo plays a made-up run to the dashboard, to look at it:
//
//	go run ./reports/dashboard/testdata/rehearsal/demo
//	go run ./reports/dashboard/testdata/rehearsal/demo -many
//	go run ./reports/dashboard/testdata/rehearsal/demo -plain
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"gatewaylab/reports/dashboard"
	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
)

func main() {
	plain := flag.Bool("plain", false, "progress lines")
	many := flag.Bool("many", false, "twelve models with long names")
	noColor := flag.Bool("no-color", false, "no colours")
	flag.Parse()
	run := rehearsal.Three()
	if *many {
		run.Models = nil
		for i := range 12 {
			run.Models = append(run.Models, scenarios.ModelInfo{
				Label: fmt.Sprintf("prefork:workers=%d,timeout=30s,max_requests=1000", i+1),
				Name:  "prefork", Slots: i + 1, Noun: "worker",
			})
		}
	}
	events := make(chan scenarios.Event)
	var stopped atomic.Bool
	go func() {
		defer close(events)
		run.Play(func(e scenarios.Event) {
			if !stopped.Load() {
				events <- e
			}
		}, func(d time.Duration) {
			if !stopped.Load() {
				time.Sleep(d)
			}
		})
		time.Sleep(time.Second)
	}()
	if *plain {
		dashboard.Plain(events, os.Stdout)
		return
	}
	err := dashboard.Show(context.Background(), events, dashboard.Options{
		In: os.Stdin, Out: os.Stderr, Stop: func() { stopped.Store(true) }, NoColor: *noColor,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("the table goes here")
}
