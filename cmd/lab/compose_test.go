package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gatewaylab/servers"
	"gatewaylab/servers/real"
)

// composeService is what of a service of docker-compose.yml this lab cares for.
type composeService struct {
	Image string `yaml:"image"`
	Pull  string `yaml:"pull_policy"`
	Build struct {
		Context, Dockerfile, Target string
	} `yaml:"build"`
	User        string   `yaml:"user"`
	Command     []string `yaml:"command"`
	Ports       []string `yaml:"ports"`
	Networks    []string `yaml:"networks"`
	NetworkMode string   `yaml:"network_mode"`
	ReadOnly    bool     `yaml:"read_only"`
	Privileged  bool     `yaml:"privileged"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	Security    []string `yaml:"security_opt"`
	Health      struct {
		Test          []string
		StartInterval string `yaml:"start_interval"`
	} `yaml:"healthcheck"`
}

func composeFile(t *testing.T) (services map[string]composeService, internal map[string]bool) {
	t.Helper()
	b, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	// Merge keys are resolved before the rest is read.
	var whole any
	if err := yaml.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	if b, err = yaml.Marshal(whole); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]composeService
		Networks map[string]struct{ Internal bool }
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	internal = map[string]bool{}
	for name, n := range file.Networks {
		internal[name] = n.Internal
	}
	return file.Services, internal
}

// Every container runs confined: not as root, on a root that it can't write,
// without capabilities, with its health asked after, built from this folder, and
// open to nobody who doesn't need it.
func TestComposeIsConfined(t *testing.T) {
	services, internal := composeFile(t)
	notRoot := regexp.MustCompile(`^("?\$\{LAB_UID:-)?[1-9][0-9]*\}?:(\$\{LAB_GID:-)?[1-9][0-9]*\}?$`)
	for name, s := range services {
		for what, ok := range map[string]bool{
			"a health check":                      len(s.Health.Test) > 1 && s.Health.Test[0] == "CMD" && s.Health.StartInterval != "",
			"a user that is not root":             notRoot.MatchString(s.User),
			"a root file system it can't write":   s.ReadOnly,
			"no capabilities":                     slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0 && !s.Privileged,
			"no way to new privileges":            slices.Contains(s.Security, "no-new-privileges:true"),
			"an image that is built, not fetched": s.Pull == "build" && s.Build.Context == "." && strings.HasPrefix(s.Image, "gatewaylab"),
			"no network of the host's":            s.NetworkMode == "" && len(s.Networks) == 1,
		} {
			if !ok {
				t.Errorf("service %s has not %s: %+v", name, what, s)
			}
		}
		switch {
		case name == "notebook":
			if !slices.Equal(s.Ports, []string{"127.0.0.1:8888:8888"}) {
				t.Errorf("the notebook is published at %v", s.Ports)
			}
		case len(s.Ports) > 0 || !internal[s.Networks[0]]:
			t.Errorf("service %s can be reached from outside: ports %v, network %v", name, s.Ports, s.Networks)
		}
	}
	if len(services) < 20 {
		t.Errorf("found %d services", len(services))
	}
}

// All real servers are there, each started by a command that the lab takes.
func TestComposeServesEveryModel(t *testing.T) {
	services, _ := composeFile(t)
	served := map[string]bool{}
	for name, s := range services {
		if name == "postgres" || name == "notebook" {
			continue
		}
		if len(s.Command) < 2 || s.Command[0] != "serve" {
			t.Errorf("service %s runs %q", name, s.Command)
			continue
		}
		c, err := servers.Resolve(s.Command[1])
		if err != nil {
			t.Errorf("service %s: %v", name, err)
			continue
		}
		served[c.Model.Name] = true
		serve := newServe(streams{})
		if err := serve.ParseFlags(s.Command[2:]); err != nil {
			t.Errorf("service %s: %v", name, err)
		} else if addr, expose := serve.Flag("addr").Value.String(), serve.Flag("expose").Value.String(); addr != "0.0.0.0:8000" || expose != "true" {
			t.Errorf("service %s listens on %s, exposed %s", name, addr, expose)
		}
		if s.Health.Test[1] != "/opt/lab/lab" || s.Health.Test[2] != "doctor" {
			t.Errorf("service %s asks for its health with %q", name, s.Health.Test)
			continue
		}
		doctor := newDoctor(streams{})
		if err := doctor.ParseFlags(s.Health.Test[3:]); err != nil {
			t.Errorf("service %s: health check: %v", name, err)
		}
	}
	for _, m := range servers.Models() {
		if m.Real != nil && !served[m.Name] {
			t.Errorf("no service runs %s", m.Name)
		}
	}
	for _, name := range []string{"lab", "postgres", "notebook"} {
		if _, ok := services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
}

// Images are made of pinned versions, and hold all that the models need.
func TestDockerfilesArePinned(t *testing.T) {
	services, _ := composeFile(t)
	targets := map[string][]string{}
	for name, s := range services {
		b, err := os.ReadFile(filepath.Join("../..", s.Build.Dockerfile))
		if err != nil {
			t.Errorf("service %s: %v", name, err)
			continue
		}
		if s.Build.Target != "" && !regexp.MustCompile(`(?m)^FROM \S+ AS `+s.Build.Target+`$`).Match(b) {
			t.Errorf("service %s: %s has no stage %s", name, s.Build.Dockerfile, s.Build.Target)
		}
		targets[s.Build.Dockerfile] = append(targets[s.Build.Dockerfile], name)
	}
	var installed []string
	for file := range targets {
		b, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(text, -1) {
			if from[1] != "scratch" && !regexp.MustCompile(`^(golang:[0-9]+\.[0-9]+\.[0-9]+|debian:[0-9]+\.[0-9]+-slim)(-bookworm)?$`).MatchString(from[1]) {
				t.Errorf("%s is made from %s, whose version is not pinned", file, from[1])
			}
		}
		for _, list := range regexp.MustCompile(`--no-install-recommends \\\n((?:\t[^&\n]*\\\n)+)`).FindAllStringSubmatch(text, -1) {
			for _, line := range strings.Split(strings.TrimSpace(list[1]), "\n") {
				name, version, pinned := strings.Cut(strings.TrimSpace(strings.TrimSuffix(line, `\`)), "=")
				if !pinned || !regexp.MustCompile(`^([0-9]+:)?[0-9]+\.`).MatchString(version) {
					t.Errorf("%s installs %s without a version", file, name)
				}
				if strings.HasPrefix(file, "servers/real/") {
					installed = append(installed, name)
				}
			}
		}
		if !strings.Contains(text, "\nUSER 1000:1000\n") {
			t.Errorf("%s ends as root", file)
		}
	}
	for _, spec := range servers.Tryouts() {
		c, err := servers.Resolve(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range strings.Fields(strings.TrimPrefix(real.DebianLine(c.Needs()), "sudo apt-get install")) {
			if !slices.Contains(installed, p) {
				t.Errorf("%s needs %s, which is not in the image of the servers", spec, p)
			}
		}
	}
}
