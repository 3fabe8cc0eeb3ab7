package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/capacity"
)

// A server that another lab serves joins a comparison. What the lab can't see
// of it is unknown everywhere, and nowhere 0.
func TestCompareTarget(t *testing.T) {
	url, stop := startServe(t, "prefork:workers=2")
	dir := filepath.Join(t.TempDir(), "out")
	code, out, stderr := invoke(t, "compare async --target mine="+url+
		" --scenario hello --trials 1 --for 250ms --warmup 0s --dash off --plots svg --format json --seed 1 --expect 'mine.cpu_per_request<1' --out "+dir)
	// The expectation can't be decided, since the CPU time isn't known.
	if code != 1 || !busyMachine(stderr) {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	t.Run("JSON", func(t *testing.T) { targetInJSON(t, out) })
	t.Run("CSV", func(t *testing.T) { targetInCSV(t, dir) })
	t.Run("saved", func(t *testing.T) { targetSaved(t, dir, url) })
	for format, wants := range map[string][]string{
		"text": {"mine is " + url, "which the lab did not start", "not known, since the lab did not start this server"},
		"md":   {"mine is " + url, "not known, since the lab did not start this server"},
	} {
		_, text, _ := invoke(t, "report "+dir+" --plots none --format "+format)
		for _, want := range wants {
			// A line may break anywhere.
			if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
				t.Errorf("%s doesn't say %q:\n%s", format, want, text)
			}
		}
	}
	if plots, err := filepath.Glob(filepath.Join(dir, "plots", "*.svg")); err != nil || len(plots) < 3 {
		t.Errorf("plots %v, %v", plots, err)
	}
	if plot, err := os.ReadFile(filepath.Join(dir, "plots", "cpu-memory.svg")); err != nil || !strings.Contains(string(plot), "unknown: the lab did not start it") {
		t.Errorf("the plot of costs doesn't say that they are unknown (%v)", err)
	}
	if code, out, _ := invoke(t, "doctor --target mine="+url); code != 0 || !strings.Contains(out, "works    "+url) || strings.Contains(out, "missing") {
		t.Errorf("lab doctor: exit status %d:\n%s", code, out)
	}
	if code, diag := stop(); code != 0 {
		t.Errorf("after the comparison lab serve ended with %d:\n%s", code, diag)
	}
	code, _, stderr = invoke(t, "compare --target mine="+url+" --scenario hello --dash off --out "+dir+"-gone")
	if code != 1 || !strings.Contains(stderr, "nothing accepts connections at "+url) || !strings.Contains(stderr, "lab serve MODEL --addr") {
		t.Errorf("exit status %d without a server:\n%s", code, stderr)
	}
	if code, out, _ := invoke(t, "doctor --target mine="+url+" --format json"); code != 1 || !strings.Contains(out, `"state": "fails"`) {
		t.Errorf("lab doctor without a server: exit status %d:\n%s", code, out)
	}
	if _, err := os.Stat(dir + "-gone"); err == nil {
		t.Error("it made a results folder for a server that isn't there")
	}
}

func targetInJSON(t *testing.T, out string) {
	type estimate struct{ Median *float64 }
	var report struct {
		Cells []struct {
			Model   string
			Goodput estimate
			Series  []struct{ CPU, Memory *float64 }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	var raw struct{ Cells []map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(out), &raw); err != nil {
		t.Fatal(err)
	}
	for i, c := range report.Cells {
		foreign := c.Model == "mine"
		for _, name := range []string{"memory", "processes", "threads", "files", "restarts", "cpu_per_request", "server_cpu", "switches_per_request"} {
			var e estimate
			if err := json.Unmarshal(raw.Cells[i][name], &e); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if foreign && e.Median != nil {
				t.Errorf("%s of %s is %v", name, c.Model, *e.Median)
			}
		}
		for _, s := range c.Series {
			if foreign != (s.CPU == nil) || foreign != (s.Memory == nil) {
				t.Errorf("%s over time: CPU %v, memory %v", c.Model, s.CPU, s.Memory)
				break
			}
		}
		if foreign && (c.Goodput.Median == nil || *c.Goodput.Median <= 0) {
			t.Error("the goodput of mine is not known")
		}
	}
	if len(report.Cells) != 2 {
		t.Errorf("%d cells", len(report.Cells))
	}
}

func targetInCSV(t *testing.T, dir string) {
	_, text, _ := invoke(t, "report "+dir+" --plots none --format csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	for _, row := range rows[1:] {
		if at(row, "model") != "mine" || at(row, "part") != "" {
			continue
		}
		for _, name := range []string{"cpu_per_request_ms", "memory_mib", "processes", "threads", "files", "server_cpu_cores", "restarts"} {
			if v := at(row, name); v != "" {
				t.Errorf("%s is %q", name, v)
			}
		}
		if at(row, "goodput_per_s") == "" {
			t.Error("the goodput is not known")
		}
		return
	}
	t.Errorf("no row of mine in\n%s", text)
}

func targetSaved(t *testing.T, dir, url string) {
	saved, err := scenarios.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range saved.Models {
		switch {
		case m.Label != "mine":
		case m.Target == nil || m.Target.URL != url || "http://"+m.Target.Address != url || !m.Target.Local || m.Target.Unverified:
			t.Errorf("saved as %+v", m.Target)
		}
	}
	for _, tr := range saved.Measured {
		if foreign := tr.Model == "mine"; tr.Server.Unknown != foreign || foreign && tr.Machine.Others != -1 {
			t.Errorf("trial of %s: server %+v, machine %+v", tr.Model, tr.Server, tr.Machine)
		}
	}
	if words := strings.Join(saved.Command, " "); !strings.Contains(words, "--target mine="+url) {
		t.Errorf("the command to run it again is %s", words)
	}
}

// A server of known capacity, which nobody can take for more: so many places,
// each taken for a while by a request. What it uses is unknown everywhere.
func TestCapacityTarget(t *testing.T) {
	const (
		places = 4
		each   = 25 * time.Millisecond
		edge   = float64(places) / 0.025 // requests/s
	)
	from := edge / 4
	free := make(chan struct{}, places)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case free <- struct{}{}:
		case <-r.Context().Done():
			return
		}
		time.Sleep(each)
		<-free
		fmt.Fprintln(w, "done")
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "out")
	// What breaks this objective is that requests pile up.
	code, out, stderr := invoke(t, fmt.Sprintf("capacity --target it=%s --no-verify --scenario hello --slo 'p50<1s,errors<50%%' --quick --from %g/s --to %g/s --resolution 50%% --for 300ms --warmup 50ms --timeout 1s --dash off --plots svg --seed 1 --out %s",
		server.URL, from, 16*edge, dir))
	if code != 0 && !busyMachine(stderr) {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	text := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"which the lab did not start", "whether it does the same work was not checked", "every load that was tried", "not known, since the lab did not start this server"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text doesn't say %q:\n%s", want, out)
		}
	}
	saved, err := scenarios.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := reports.Analyse(saved)
	if err != nil {
		t.Fatal(err)
	}
	m := report.Capacity.Models[0]
	if busyMachine(stderr) { // nothing is known of what it holds
		from = 0
	}
	if m.Low < from || m.Low >= 2*edge || m.High == 0 && m.Limit != capacity.LimitGenerator && m.Limit != capacity.LimitVoid {
		t.Errorf("it can answer %g/s and is said to hold %s: %s", edge, m.Held(), m.Text)
	}
	for _, p := range m.Points {
		if p.Cell.CPUPerRequest.Known() || p.Cell.Memory.Known() {
			t.Errorf("at %g/s it used %+v of CPU and %+v of memory", p.Load, p.Cell.CPUPerRequest, p.Cell.Memory)
		}
	}
}

// Users of a closed loop work with a target, too.
func TestUsersOfTarget(t *testing.T) {
	url, _ := startServe(t, "prefork:workers=2")
	code, out, stderr := invoke(t, "capacity --target it="+url+" --scenario hello --users 1,2,4 --quick --for 100ms --warmup 0s --dash off --plots none --format csv --out "+filepath.Join(t.TempDir(), "out"))
	if code != 0 && !busyMachine(stderr) {
		t.Errorf("exit status %d:\n%s", code, stderr)
	}
	if !strings.Contains(out, "\nhello,it,users,4,") {
		t.Errorf("no row of 4 users:\n%s", out)
	}
}

// A server that does other work is refused, unless its owner says that nothing
// needs to be the same; then the results say so.
func TestCompareTargetOfOtherWork(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "something else") }))
	defer other.Close()
	dir := filepath.Join(t.TempDir(), "out")
	args := "compare --target it=" + other.URL + " --request /anything --load '2 users over 100ms' --trials 1 --warmup 0s --dash off --plots svg --out " + dir
	if code, _, stderr := invoke(t, args); code != 1 || !strings.Contains(stderr, "it is refused: probe GET /hello") {
		t.Errorf("exit status %d:\n%s", code, stderr)
	}
	code, out, stderr := invoke(t, args+"2 --no-verify")
	if code != 0 && !busyMachine(stderr) {
		t.Errorf("exit status %d:\n%s", code, stderr)
	}
	if text := strings.Join(strings.Fields(out), " "); !strings.Contains(text, "whether it does the same work was not checked") {
		t.Errorf("the results don't say that nothing was checked:\n%s", out)
	}
}
