package servers_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func goList(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "gatewaylab/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]listed{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// The arrows of the house: who may import whom. A package that is not listed
// fails the test, so that a new one gets its place on purpose.
func TestArrows(t *testing.T) {
	may := map[string][]string{
		"cmd/lab":            {"servers", "scenarios", "scenarios/capacity", "scenarios/expect", "scenarios/load", "scenarios/predict", "reports", "reports/chart", "reports/checkup", "reports/dashboard", "reports/hops", "servers/trace"},
		"cmd/labserver":      {"servers/latency", "servers/models", "servers/process", "servers/trace/recorder"},
		"cmd/labapp":         {"servers/app", "servers/iface/cgi"},
		"servers":            {"servers/process", "servers/app", "servers/latency", "servers/real"},
		"servers/latency":    {"servers/wire/http1"},
		"servers/app":        {}, // built with the tag database, servers/database
		"servers/database":   {},
		"servers/iface":      {"servers/app", "servers/iface/cgi", "servers/wire/http1"},
		"servers/iface/cgi":  {"servers/app"},
		"servers/iface/asgi": {"servers/app", "servers/wire/http1"},
		"servers/iface/wsgi": {"servers/app", "servers/iface/cgi"},
		"servers/models":     {"servers/app", "servers/iface", "servers/iface/asgi", "servers/iface/cgi", "servers/iface/wsgi", "servers/process", "servers/trace/recorder", "servers/wire", "servers/wire/http1"},
		"servers/real":       {"servers/app"},
		"servers/process":    {},
		"servers/wire":       {"servers/app"},
		"servers/wire/http1": {"servers/app"},
		"scenarios":          {"servers", "servers/app", "servers/latency", "servers/process", "scenarios/expect", "scenarios/load"},
		"scenarios/capacity": {"scenarios", "scenarios/load", "servers"},
		"scenarios/expect":   {},
		"scenarios/load":     {},

		"scenarios/theory":     {},
		"scenarios/simulation": {"scenarios/load"},
		"scenarios/predict":    {"scenarios", "scenarios/load", "scenarios/simulation", "scenarios/theory", "servers", "servers/app", "servers/latency"},
		"reports":              {"scenarios", "scenarios/capacity", "scenarios/expect", "scenarios/load", "scenarios/predict", "servers", "servers/app"},
		"reports/chart":        {"reports", "scenarios", "scenarios/load", "scenarios/predict"},
		"reports/checkup":      {"reports", "scenarios", "servers", "servers/process", "servers/real"},
		"reports/dashboard":    {"reports", "scenarios", "scenarios/load", "servers/process"},
		"servers/interop":      {},

		"servers/trace":          {"servers", "servers/trace/recorder", "servers/wire"},
		"servers/trace/recorder": {"servers/app", "servers/iface/asgi", "servers/iface/wsgi"},
		"reports/hops":           {"servers/trace"},

		"servers/process/processtest": {"servers/process"}, // of tests alone
	}
	for path, p := range goList(t) {
		name := strings.TrimPrefix(path, "gatewaylab/")
		allowed, ok := may[name]
		if !ok {
			t.Errorf("%s has no place in the table of arrows", name)
			continue
		}
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, "gatewaylab/"); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, against the arrows", name, to)
			}
		}
	}
}

// What the child executables link is part of what is measured.
func TestChildrenAreLean(t *testing.T) {
	all := goList(t)
	for child, banned := range map[string][]string{
		"gatewaylab/cmd/labserver": {"gonum.org/", "github.com/charmbracelet/", "github.com/spf13/", "github.com/tsenart/", "gatewaylab/scenarios", "gatewaylab/reports", "gatewaylab/servers/database", "modernc.org/", "zombiezen.com/", "github.com/jackc/"},
		"gatewaylab/cmd/labapp":    {"net/http", "fmt", "net/url", "encoding/json", "github.com/", "golang.org/", "gatewaylab/scenarios", "gatewaylab/reports", "gatewaylab/servers/process", "gatewaylab/servers/database"},
	} {
		for _, dep := range all[child].Deps {
			for _, b := range banned {
				if dep == b || strings.HasSuffix(b, "/") && strings.HasPrefix(dep, b) || strings.HasPrefix(dep, b+"/") {
					t.Errorf("%s links %s", child, dep)
				}
			}
		}
	}
}
