package scenarios_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// TestMain makes this test binary serve as servers that are none of the lab's:
// one that does other work than the application, one that is slow to a known
// degree; and as another program, which only computes until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("LAB_TEST_LIAR") != "" {
		os.Exit(lie())
	}
	if os.Getenv("LAB_TEST_DAWDLE") != "" {
		os.Exit(dawdle())
	}
	if os.Getenv("LAB_TEST_COMPUTE") != "" {
		var over atomic.Bool
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			over.Store(true)
		}()
		for !over.Load() {
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func lie() int {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(4, "control")) // ends when the lab does
		os.Exit(0)
	}()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "hi\n")
	})
	fmt.Fprintln(os.Stderr, http.Serve(l, answer)) //nolint:gosec // a test's server, for a test's client
	return 1
}

// liar is a model that answers fast and wrong.
func liar(t *testing.T) *scenarios.Contestant {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &scenarios.Contestant{Label: "liar", Configured: &servers.Configured{
		Spec: servers.Spec{Model: servers.Part{Name: "liar"}},
		Model: &servers.Model{
			Name: "liar", Noun: "connection",
			Slots: func(servers.Settings) int { return 0 },
			Commands: func(servers.Settings, servers.Programs) []*exec.Cmd {
				cmd := exec.Command(self)
				cmd.Env = append(os.Environ(), "LAB_TEST_LIAR=1")
				return []*exec.Cmd{cmd}
			},
		},
	}}
}

func tiny(path string) *scenarios.Scenario {
	return &scenarios.Scenario{
		Name: "tiny", Title: "Tiny", Requests: []scenarios.Request{{Method: "GET", Path: path}},
		Stages: []load.Stage{{Shape: load.Users, UsersFrom: 4, For: 250 * time.Millisecond}},
		Warmup: 100 * time.Millisecond, Timeout: 20 * time.Second,
	}
}

func plan(t *testing.T, s *scenarios.Scenario, trials int, cs ...*scenarios.Contestant) *scenarios.Plan {
	t.Helper()
	p, err := scenarios.NewPlan([]*scenarios.Scenario{s}, cs, trials)
	if err != nil {
		t.Fatal(err)
	}
	if p.Programs, err = servers.FindPrograms(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if p.Store, err = scenarios.Create(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return p
}

func contestants(t *testing.T, specs ...string) []*scenarios.Contestant {
	t.Helper()
	cs, err := scenarios.Contestants(specs)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func TestRun(t *testing.T) {
	p := plan(t, tiny("/wait?ms=5"), 2, contestants(t, "cgi", "prefork", "async")...)
	var order []string
	samples := 0
	res, err := scenarios.Run(t.Context(), p, func(e scenarios.Event) {
		switch e := e.(type) {
		case scenarios.Sample:
			samples++
		case scenarios.TrialPhase:
		case scenarios.Note:
			t.Errorf("note: %s", e.Text)
		default:
			order = append(order, fmt.Sprintf("%T", e))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const done = " scenarios.TrialDone"
	if got, want := strings.Join(order, " "), "scenarios.PlanStarted"+strings.Repeat(done, 6)+" scenarios.PlanDone"; got != want {
		t.Errorf("events were %s, want %s", got, want)
	}
	if samples < 6 {
		t.Errorf("%d samples of 6 trials of 350 ms", samples)
	}
	if res.State != "complete" || len(res.Measured) != 6 {
		t.Fatalf("state %s, %d trials", res.State, len(res.Measured))
	}
	for _, tr := range res.Measured {
		checkTrial(t, tr)
	}
	again, err := scenarios.Load(p.Store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.State != "complete" || again.Seed != res.Seed || len(again.Measured) != 6 || again.Environment.Cores < 1 {
		t.Errorf("loaded back: %+v", again)
	}
	for i, tr := range again.Measured {
		if tr.Ref != res.Measured[i].Ref || !tr.Response.Equals(res.Measured[i].Response.Histogram) || tr.Goodput() != res.Measured[i].Goodput() {
			t.Errorf("trial %d was not loaded as it was saved", i+1)
		}
	}
}

func checkTrial(t *testing.T, tr *scenarios.Trial) {
	t.Helper()
	name := fmt.Sprintf("%s, trial %d", tr.Model, tr.Trial)
	if tr.Succeeded == 0 || tr.Failed > 0 || tr.Unsent > 0 {
		t.Errorf("%s: %d succeeded, %d failed (%v), %d unsent", name, tr.Succeeded, tr.Failed, tr.Errors, tr.Unsent)
	}
	if n := tr.Response.TotalCount(); n != int64(tr.Measured) || tr.Service.TotalCount() != n {
		t.Errorf("%s: %d response times and %d service times of %d responses", name, n, tr.Service.TotalCount(), tr.Measured)
	}
	if least := tr.Response.Quantile(0); least < 5*time.Millisecond {
		t.Errorf("%s: an answer that waits 5 ms came after %s", name, least)
	}
	if tr.Server.CPU <= 0 || tr.Server.PeakMemory <= 0 || tr.Server.Processes < 1 || tr.Generator.CPU <= 0 {
		t.Errorf("%s: costs are missing: %+v, generator %+v", name, tr.Server, tr.Generator)
	}
	if tr.MeanInFlight < 1 || tr.MeanInFlight > 4.01 {
		t.Errorf("%s: %.2f requests in flight on average, with 4 clients", name, tr.MeanInFlight)
	}
	if strings.Contains(strings.Join(tr.Invalid, " "), "Little") {
		t.Errorf("%s: %v", name, tr.Invalid)
	}
	if len(tr.Series) < 2 {
		t.Errorf("%s: series of %d slices", name, len(tr.Series))
	}
}

// A model that does other work is refused with the difference; the others are
// measured.
func TestRunRefusesOtherWork(t *testing.T) {
	p := plan(t, tiny("/hello"), 1, append(contestants(t, "async"), liar(t))...)
	res, err := scenarios.Run(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	reason := res.Refused["liar"]
	if !strings.Contains(reason, `probe GET /hello: the bodies`) || !strings.Contains(reason, `answered "hi\n", the application says "hello`) {
		t.Errorf("refused because %q; want the first difference", reason)
	}
	if len(res.Measured) != 1 || res.Measured[0].Model != "async" {
		t.Errorf("measured %v, want async alone", res.Measured)
	}
	if _, err := scenarios.Run(t.Context(), plan(t, tiny("/hello"), 1, liar(t)), nil); err == nil || !strings.Contains(err.Error(), "no model is left") {
		t.Errorf("with nobody else: %v", err)
	}
}

// A request that the server refuses measures no work.
func TestRunOfAWrongRequestIsInvalid(t *testing.T) {
	res, err := scenarios.Run(t.Context(), plan(t, tiny("/nowhere"), 1, contestants(t, "async")...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(res.Measured[0].Invalid, "; "); !strings.Contains(got, "status 404") {
		t.Errorf("invalid because %q, want the status named", got)
	}
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := plan(t, tiny("/hello"), 1000, contestants(t, "async")...)
	finished := 0
	res, err := scenarios.Run(ctx, p, func(e scenarios.Event) {
		if _, ok := e.(scenarios.TrialDone); ok {
			if finished++; finished == 2 {
				cancel()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	saved, err := scenarios.Load(p.Store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if res.State != "interrupted" || len(res.Measured) != 2 || saved.State != "interrupted" || len(saved.Measured) != 2 {
		t.Errorf("state %s with %d trials, saved as %s with %d", res.State, len(res.Measured), saved.State, len(saved.Measured))
	}
}

func TestRunNeedsFiles(t *testing.T) {
	s := tiny("/hello")
	s.Stages[0].UsersFrom = 50_000_000
	_, err := scenarios.Run(t.Context(), plan(t, s, 1, contestants(t, "async")...), nil)
	if err == nil || !strings.Contains(err.Error(), "open files") {
		t.Errorf("50 million clients: %v, want the file limit named", err)
	}
}
