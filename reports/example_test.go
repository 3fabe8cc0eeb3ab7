package reports_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"gatewaylab/reports"
)

// A program that reads the JSON needs no more types than the fields it wants.
// Absent figures are null, which leaves a pointer nil.
func ExampleJSON() {
	r, err := reports.Analyse(few())
	if err != nil {
		fmt.Println(err)
		return
	}
	var out bytes.Buffer
	if err := reports.JSON(&out, r); err != nil {
		fmt.Println(err)
		return
	}

	var report struct {
		Schema string
		Cells  []struct {
			Scenario, Model string
			Goodput         struct {
				Median, Low, High *float64
				N                 int
			}
			Response map[string]struct{ Median float64 }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Schema)
	for _, c := range report.Cells {
		if c.Goodput.Median == nil {
			fmt.Println(c.Scenario, c.Model, "not measured")
			continue
		}
		fmt.Printf("%s %s %.0f/s over %d trials, p50 %.0f ms\n", c.Scenario, c.Model, *c.Goodput.Median, c.Goodput.N, c.Response["p50"].Median)
	}
	// Output:
	// gatewaylab/report/2
	// wait cgi not measured
	// wait prefork 78/s over 3 trials, p50 631 ms
	// wait async 973/s over 2 trials, p50 52 ms
}

// Each cell carries the sentence that explains its figure.
func ExampleAnalyse() {
	r, err := reports.Analyse(small())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Cells {
		fmt.Printf("%s, %.2f of the fastest: %s\n", c.Model, c.Ratio, c.Explanation)
	}
	// Output:
	// prefork, 0.08 of the fastest: 4 workers × 50 ms can finish 80 requests/s; measured 78.5. 50 clients share them, so each request waits for about 12 others: 50 / 78.5 per s = 637 ms on average.
	// async, 1.00 of the fastest: 50 clients that wait at least 50 ms for each answer can ask for at most 1,000/s; measured 970: the clients, not the server, set the pace.
}

func ExampleText() {
	r, err := reports.Analyse(small())
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := reports.Text(reports.TextOptions{Width: 100})(os.Stdout, r); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Gateway Lab · first · 2026-03-14 09:26 UTC · complete
	// Example CPU @ 2.50GHz · 2 cores · linux/amd64 · server and load generator share the cores · seed 42
	//
	// Medians over trials; [low–high] and ±: 95 % interval of the median; ratio: to the fastest; ~: not
	// told apart; –: not known; ¹: footnote.
	// Response time: from when a request was due to the end of its answer; service time: from when it was
	// sent; first byte: from then to the answer's first byte.
	//
	// wait ───────────────────────────────────────────────────────────────────────────────────────────────
	// Waiting for something else. How many requests can be under way at once?
	// closed loop, 50 clients · 6 trials × 2 s after 500 ms of warm-up
	// A request is due when it is sent: service time equals response time, and none stays unsent.
	//
	//                                                   response time, ms
	//   model       goodput/s          ratio   errors    p50       p90       p99      p99.9
	//   prefork ¹   78.5 [77.0–80.0]  0.081×        0    633 ±2%   633 ±2%   644 ±2%     –
	//   async        970 [952–987]        1×        0   51.3 ±2%  51.3 ±2%  56.4 ±2%  56.9 ±2%
	//
	//               first byte   CPU/request   peak memory               connections   CPU, cores
	//   model       p50, ms         ms          MiB          processes   per request   server  generator
	//   prefork ¹    569 ±2%     0.311 ±2%     21.2 ±2%              5             1    0.024      0.016
	//   async       46.2 ±2%     0.070 ±2%     16.4 ±2%              1             0    0.068      0.058
	//
	//   prefork  4 workers × 50 ms can finish 80 requests/s; measured 78.5. 50 clients share them, so each
	//            request waits for about 12 others: 50 / 78.5 per s = 637 ms on average.
	//   async    50 clients that wait at least 50 ms for each answer can ask for at most 1,000/s; measured
	//            970: the clients, not the server, set the pace.
	//
	// ────────────────────────────────────────────────────────────────────────────────────────────────────
	// ¹ not shown for want of successful responses: p99.9 (1,000 in each trial and 5,000 in all)
}
