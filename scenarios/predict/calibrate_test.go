package predict

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// What makes a program another one, and how its clients come, has a price of its
// own; how many workers it has hasn't.
func TestPrices(t *testing.T) {
	churn, hello := find(t, "churn"), find(t, "hello")
	for _, same := range [][2]string{
		{"prefork", "prefork:workers=64,backlog=7"}, {"front+prefork", "front:queue=3,read_timeout=7s+prefork:workers=2"},
		{"gunicorn", "gunicorn:workers=2,timeout=9s"},
	} {
		if a, b := priceOf(hello, resolve(t, same[0])), priceOf(hello, resolve(t, same[1])); a != b {
			t.Errorf("%s and %s have prices of their own: %q and %q", same[0], same[1], a, b)
		}
	}
	seen := map[string]string{}
	for _, spec := range []string{
		"prefork", "async", "front+prefork", "front:keepalive=0+prefork", "front:static=on+prefork", "gunicorn", "gunicorn:class=gthread",
		"apache", "apache:mod=perl", "apache:app=c", "uvicorn", "uvicorn:http=h11", "gunicorn:max_requests=10",
	} {
		for _, sc := range []*scenarios.Scenario{hello, churn} {
			name := priceOf(sc, resolve(t, spec))
			if other, ok := seen[name]; ok {
				t.Errorf("%s in %s has the price of %s: %q", spec, sc.Name, other, name)
			}
			seen[name] = spec + " in " + sc.Name
		}
	}
	for _, protocol := range []load.Protocol{load.H2, load.H2C, load.WebSocket} {
		sc := find(t, "hello")
		sc.Protocol = protocol
		if name := priceOf(sc, resolve(t, "async")); seen[name] != "" {
			t.Errorf("%s has the price of %s", protocol, seen[name])
		} else {
			seen[name] = string(protocol)
		}
		if got := calibrating(sc).Protocol; got != protocol {
			t.Errorf("calibrated over %s, for %s", got, protocol)
		}
	}
	if got := calibrating(churn).PerConnection; got != 1 {
		t.Errorf("calibrated with %d requests a connection, for a scenario with one", got)
	}
}

func TestCalibrationIsKept(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	here := scenarios.Environment{CPU: "a processor", Cores: 3}
	hello, async := find(t, "hello"), resolve(t, "async")
	c, err := LoadCalibration(here)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Lacks(hello, async) || c.Costs(hello, async).Known {
		t.Error("something is known before anything was measured")
	}
	websocket := find(t, "websocket")
	if c.Lacks(websocket, resolve(t, "prefork")) {
		t.Error("a price is wanted of a model that doesn't speak the protocol")
	}
	c.Unit, c.Late = time.Millisecond, time.Microsecond
	day := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	c.Models[priceOf(hello, async)] = Price{Server: 5, Generator: 7, Date: day}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := LoadCalibration(here)
	if err != nil {
		t.Fatal(err)
	}
	want := Costs{Request: 5, Sending: 7, Unit: time.Millisecond, Late: time.Microsecond, Known: true, Source: "calibrated here on 2026-02-03", Cores: 3}
	if got := again.Costs(hello, async); again.Lacks(hello, async) || got != want {
		t.Errorf("kept: %+v, want %+v", got, want)
	}
	hello.Stages[0].UsersFrom = 1000
	if p := Cell(hello, async, Machine{Cores: 64}, want)[0]; !strings.Contains(p.Rests, "on 3 cores, and taken to be the same on 64") {
		t.Errorf("of costs that are another machine's it says no more than %q", p.Rests)
	}
	if !again.Lacks(find(t, "churn"), async) || !again.Lacks(websocket, async) {
		t.Error("the price of a request on a kept connection is taken for another's")
	}
	behind := resolve(t, "front+async")
	again.Models[priceOf(hello, behind)] = Price{Server: 9, Generator: 7, Date: day}
	if !again.Lacks(hello, behind) {
		t.Error("it isn't known what of a price is the front's, and not asked for")
	}
	again.Models[priceOf(hello, behind)] = Price{Server: 9, Front: 6, Generator: 7, Date: day}
	want.Request, want.Front = 9, 6
	if got := again.Costs(hello, behind); again.Lacks(hello, behind) || got != want {
		t.Errorf("kept: %+v, want %+v", got, want)
	}
	again.Forget()
	if !again.Lacks(hello, async) {
		t.Error("it remembers what it was to forget")
	}

	here.Cores = 4
	if other, err := LoadCalibration(here); err != nil || !other.Lacks(hello, async) {
		t.Errorf("another machine's is taken: %v", err)
	}
	name, err := calibrationFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if broken, err := LoadCalibration(here); err != nil || !broken.Lacks(hello, async) {
		t.Errorf("what can't be read is to be measured again: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(name), "calibration.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCalibration(here); err == nil {
		t.Error("a folder is read as a calibration")
	}
}
