package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatewaylab/scenarios"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// docCommands lists the lines of a document's sh blocks, without comments.
func docCommands(t *testing.T, name string) (lines []string) {
	t.Helper()
	inside := false
	for _, line := range strings.Split(readText(t, name), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && line == "```sh"
		case inside:
			if line, _, _ = strings.Cut(line, " #"); strings.TrimSpace(line) != "" {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

// promised is what the README's table of other tools says is to be seen in a
// command's output, as far as a shortened run has it.
var promised = map[string][]string{
	"lab compare async --scenario hello --rate 2000/s":                   {`open loop, 2,000 requests/s`, `unsent`},
	"lab compare prefork --scenario wait --rate 100/s --max-in-flight 4": {`response time, ms +service time, ms`},
	"lab compare prefork async --load '20 users thinking about 100ms over 2s' --expect 'async.goodput > prefork.goodput'": {
		`20 clients that think about 100 ms`,
	},
	"lab compare prefork async --request '/wait?ms=50' --load 'ramp 10/s..200/s over 2s then spike 40/s..200/s at 500ms for 200ms over 1s then calm: poisson constant 40/s over 1s'": {
		`ramp 10/s\.\.200/s over 2s, then spike .*, then calm: poisson\s+constant 40/s`,
	},
	"lab compare prefork:workers=2 prefork:workers=8 --scenario wait": {`\[low–high\].* 95 % interval`, `~: not\s+told apart`},
	"lab compare --quick": {`(?m)^\[1/9\] \w+ × \w+, trial 1 of 1`, `seed \d+`},
	"lab capacity prefork async --scenario wait --slo 'p99<100ms,errors<0.1%'": {`(?m)^ +model +holds`},
	"lab capacity async --scenario one-lock --users 1..64":                     {`γ.*α.*β|No law is fitted`},
	"lab doctor gunicorn nginx+prefork":                                        {`(?m)^ +(works|missing) +(python )?gunicorn`},
	"lab report DIR --format csv":                                              {`,cpu_per_request_ms,.*,memory_mib,.*,processes,.*,switches_per_request,`},
	"lab compare async --scenario hello --rate 500000/s --for 50ms --warmup 0s": {
		`not valid`, `could\s+not\s+keep\s+up`, `no trial was valid for async on hello`,
	},
	"lab compare prefork async --beside '4 slow-send at 100B/s POST /upload size=10KB' --timeout 1s": {`(?i)beside`},
	"lab compare async prefork --scenario wait --theory":                                             {`clients that wait at least 50 ms|Nothing can be said`},
	"lab doctor --measure":                              {`With 6 trials`}, // TestDoctorMeasures
	"lab report DIR --plots png --dpi 300 --theme dark": {`results|model`},
}

// Every command of the README is run: lab's here, shortened to what a test
// can wait for; the others must be among those that CI runs as they stand.
func TestReadmeCommands(t *testing.T) {
	elsewhere := map[string]bool{
		"go run ./cmd/lab compare":   true, // .ci/run, in a fresh copy
		"go test ./...":              true, // .ci/run, in a fresh copy
		"bash .ci/run":               true,
		"go build -o bin/ ./cmd/...": true, // TestReadmeBuild
		// These need an engine; .ci/run and the tests of compose check the configuration.
		"docker compose run --rm lab compare": true,
		"docker compose up --build --wait":    true,
		"docker compose run --rm lab compare --i-own-this-target --target gunicorn=http://gunicorn:8000 --target uvicorn=http://uvicorn:8000": true,
		"go -C notebooks test ./...": true, // .ci/run
	}
	saved := filepath.Join(t.TempDir(), "saved")
	if code, _, stderr := invoke(t, "compare async --scenario hello --trials 1 --for 60ms --warmup 0s --dash off --plots none --out "+saved); code != 0 && !busyMachine(stderr) {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	lines := docCommands(t, "../../README.md")
	if len(lines) < 2 || lines[0] != "go run ./cmd/lab compare" || lines[1] != "go test ./..." {
		t.Errorf("the README begins with %q; want the two commands that do everything", lines[:min(2, len(lines))])
	}
	ran := 0
	for _, line := range lines {
		args, ours := strings.CutPrefix(line, "lab ")
		if !ours {
			if !elsewhere[line] {
				t.Errorf("%q is run by no test", line)
			}
			continue
		}
		ran++
		t.Run(line, func(t *testing.T) {
			if !strings.HasPrefix(args, "report ") { // which writes into the one saved run
				t.Parallel()
			}
			if strings.Contains(args, "--target") {
				url, _ := startServe(t, "prefork:workers=2")
				args = strings.ReplaceAll(args, "http://127.0.0.1:8000", url)
			}
			switch sub, _, _ := strings.Cut(args, " "); sub {
			case "compare":
				trials := "1"
				if strings.HasPrefix(args, "compare prefork:workers=2 ") {
					trials = "6" // for intervals
				}
				args += " --trials " + trials + " --dash off --out " + filepath.Join(t.TempDir(), "out")
				// Where all is installed, all takes minutes.
				args = strings.Replace(args, "compare all ", "compare built-in ", 1)
				if !strings.Contains(args, "--quick") { // which has all formats
					args += " --plots svg"
				}
				if strings.Contains(args, "--scenario fidelity") {
					args = strings.ReplaceAll(args, "--scenario fidelity", "--scenario "+briefSuite(t))
					break
				}
				args += " --warmup 0s"
				switch {
				case strings.Contains(args, "--load"), strings.Contains(args, "--scenario one-worker"):
				case trials != "1":
					args += " --for 300ms"
				default:
					args += " --for 60ms"
				}
			case "capacity":
				args += " --trials 1 --warmup 0s --for 60ms --dash off --plots svg --out " + filepath.Join(t.TempDir(), "out")
				if !strings.Contains(args, "--users") {
					args += " --from 200/s --to 200/s --most 1 --timeout 500ms --curve=false"
				}
			case "report":
				args = strings.ReplaceAll(args, "DIR", saved)
				if !strings.Contains(args, "--plots") {
					args += " --plots svg"
				}
			case "trace":
				args, _, _ = strings.Cut(args, " > ") // what is printed is kept here
				args = strings.ReplaceAll(args, "trace.pcapng", filepath.Join(t.TempDir(), "trace.pcapng"))
			case "doctor":
				if args == "doctor" {
					args += " --within 1s" // what is not reached is no failure
				}
				if strings.Contains(args, "--measure") {
					return // TestDoctorMeasures
				}
			case "serve":
				if !strings.Contains(args, "--show-config") {
					return // waits for Ctrl-C: TestServe
				}
			}
			code, stdout, stderr := invoke(t, args)
			if code != 0 && !busyMachine(stderr) {
				t.Errorf("lab %s\nexit status %d:\n%s", args, code, stderr)
			}
			if busyMachine(stderr) && !strings.Contains(line, "--rate 500000/s") {
				return // there is less to be seen where no trial was valid
			}
			for _, what := range promised[line] {
				if !regexp.MustCompile(what).MatchString(stdout + stderr) {
					t.Errorf("lab %s: its output has no %q, where the README says to look:\n%s%s", args, what, stdout, stderr)
				}
			}
		})
	}
	tabled := regexp.MustCompile("(?m)^\\|.*\\| `((?:lab|go run) [^`]*)` \\|$").FindAllStringSubmatch(readText(t, "../../README.md"), -1)
	for _, row := range tabled {
		if !slices.Contains(lines, row[1]) {
			t.Errorf("a table shows %q, which is not among the commands that are run", row[1])
		}
		if len(promised[row[1]]) == 0 {
			t.Errorf("a table shows %q, and nothing says what its output is to have", row[1])
		}
	}
	if len(tabled) < 10 {
		t.Errorf("found %d commands in the README's tables", len(tabled))
	}
	if ran < 5 {
		t.Errorf("found %d lab commands in the README", ran)
	}
}

// The README's table of lessons is the scenarios' own.
func TestReadmeLessons(t *testing.T) {
	all, err := scenarios.Library()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|.*\| ([^|]*) \|$`).FindAllStringSubmatch(readText(t, "../../README.md"), -1) {
		rows[row[1]] = row[2]
	}
	lessons := 0
	for _, sc := range all {
		if sc.Lesson == 0 {
			continue
		}
		lessons++
		if row := rows[strconv.Itoa(sc.Lesson)]; !strings.Contains(row, "`"+sc.Name+"`") {
			t.Errorf("lesson %d is %s; its row says %q", sc.Lesson, sc.Name, row)
		}
	}
	if lessons < 12 {
		t.Errorf("found %d lessons", lessons)
	}
}

// The README's build leaves the three programs in a folder that wasn't there.
func TestReadmeBuild(t *testing.T) {
	lines := docCommands(t, "../../README.md")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "go build ") })
	if at < 0 || strings.Count(lines[at], " bin/ ") != 1 {
		t.Fatalf("the README builds nothing into bin/: %q", lines)
	}
	folder := filepath.Join(t.TempDir(), "bin")
	words := strings.Fields(lines[at])
	words[slices.Index(words, "bin/")] = folder + "/"
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", lines[at], err, out)
	}
	for _, name := range []string{"lab", "labserver", "labapp"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
}

// briefSuite is a suite that takes a moment and needs nothing installed.
func briefSuite(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "brief.yaml")
	pairs, situations, _ := strings.Cut(smallFidelity, "situations:")
	waiting, _, _ := strings.Cut(situations, "  - name: hang")
	pairs = regexp.MustCompile(`(?m)^    twin: .*$`).ReplaceAllString(pairs, "    twin: serial")
	if err := os.WriteFile(file, []byte(pairs+"situations:"+waiting), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func invoke(t *testing.T, args string) (code int, stdout, stderr string) {
	t.Helper()
	needPrograms(t)
	var out, diag bytes.Buffer
	var words []string
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(args, -1) { // as a shell would split them
		words = append(words, strings.Trim(w, "'"))
	}
	code = run(t.Context(), words, streams{strings.NewReader(""), &out, &diag})
	return code, out.String(), diag.String()
}

// The README's table is what the tool says of the saved example.
func TestReadmeTable(t *testing.T) {
	readme := readText(t, "../../README.md")
	_, rest, _ := strings.Cut(readme, "```text\n")
	table, _, found := strings.Cut(rest, "```")
	if !found || strings.Count(table, "\n") < 10 {
		t.Fatal("the README shows no table")
	}
	dir := filepath.Join(t.TempDir(), "example")
	if err := os.CopyFS(dir, os.DirFS("../../reports/example")); err != nil {
		t.Fatal(err)
	}
	code, all, stderr := invoke(t, "report "+dir+" --plots png --dpi 48")
	if code != 0 {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	if !strings.Contains(all, table) {
		t.Errorf("the README's table is not part of what lab report reports/example prints:\n%s", all)
	}
	saved, err := os.ReadFile("../../reports/example/report.md")
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(saved, again) {
		t.Error("reports/example/report.md is not what lab report makes of the saved run; run lab report reports/example --plots png")
	}
}

// The README's trace is what the tool says today, but for times, and for sizes, which depend on the machine's PATH.
func TestReadmeTrace(t *testing.T) {
	readme := readText(t, "../../README.md")
	_, rest, _ := strings.Cut(readme, "```text\nGET /echo")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README shows no trace")
	}
	code, out, stderr := invoke(t, "trace cgi /echo?x=1")
	if code != 0 {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	varying := regexp.MustCompile(` *[0-9]+(\.[0-9]+)?( [µm]?s\b| [├│]| B\b)`)
	left := varying.ReplaceAllString(out, "#$2")
	for _, part := range strings.Split(varying.ReplaceAllString("GET /echo"+example, "#$2"), "…\n") {
		_, after, has := strings.Cut(left, part)
		if !has {
			t.Fatalf("the README shows\n%s\nlab trace says\n%s", part, left)
		}
		left = after
	}
}
