package scenarios

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"gatewaylab/servers/process"
)

const unknown = "unknown"

// Here describes the machine and the programs of this moment. What can't be
// learned is "unknown"; nothing here is an error.
func Here(ctx context.Context) Environment {
	e := Environment{
		Time: time.Now().UTC(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: unknown, CPU: unknown, Cores: len(process.Cores()), Governor: governor(),
		Steal: -1, GoVersion: runtime.Version(), Versions: map[string]string{},
	}
	if v, err := host.KernelVersionWithContext(ctx); err == nil {
		e.Kernel = v
	}
	if c, err := cpu.InfoWithContext(ctx); err == nil && len(c) > 0 && c[0].ModelName != "" {
		e.CPU = c[0].ModelName
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		e.Memory = int64(m.Total)
	}
	if limit := memoryLimit(); limit > 0 && (e.Memory == 0 || limit < e.Memory) {
		e.Memory = limit
	}
	e.FileLimit, _ = process.FileLimit()
	e.Commit, e.Modified = commit(ctx)
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, d := range b.Deps {
			if d.Path == "github.com/tsenart/vegeta/v12" {
				e.Versions["vegeta"] = d.Version
			}
		}
	}
	return e
}

// Lateness is by how much a sleep of some milliseconds takes longer here than it
// was meant to: the median of several, in 100 ms. A timer's tick, and how long
// it takes to wake a core and then whoever sleeps.
func Lateness() time.Duration {
	const nap = 5 * time.Millisecond
	late := make([]time.Duration, 19)
	for i := range late {
		began := time.Now()
		time.Sleep(nap)
		late[i] = time.Since(began) - nap
	}
	slices.Sort(late)
	return late[len(late)/2]
}

// governor is the frequency governor, which decides whether a short trial
// runs at the processor's full speed.
func governor() string {
	b, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(b))
}

// commit tells which source the lab was built from: from the build's own
// stamp, else, for `go run`, from git in the module's folder.
func commit(ctx context.Context) (id string, modified bool) {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.revision":
				id = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if id != "" {
		return id, modified
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	mod, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "gatewaylab").Output()
	if err != nil {
		return unknown, false
	}
	dir := filepath.Clean(strings.TrimSpace(string(mod)))
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return unknown, false
	}
	changed, err := exec.CommandContext(ctx, "git", "-C", dir, "status", "--porcelain", "--untracked-files=no").Output()
	return strings.TrimSpace(string(out)), err != nil || len(changed) > 0
}
