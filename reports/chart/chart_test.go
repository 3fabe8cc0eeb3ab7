package chart

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

func write(t *testing.T, r *reports.Report, o Options) (dir string, files []File) {
	t.Helper()
	dir = t.TempDir()
	files, err := Write(dir, r, o)
	if err != nil {
		t.Fatal(err)
	}
	return dir, files
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFilesStandInReadingOrder(t *testing.T) {
	_, files := write(t, nothing(), Options{DPI: 48})
	if len(files) != 2*(1+2*3+2) || files[0].Path != "goodput.png" || files[1].Path != "goodput.svg" {
		t.Errorf("files of a run with nothing in it: %v", files)
	}
	_, files = write(t, threeByThree(), Options{Formats: []string{"SVG", "svg"}})
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
		if len(f.Caption) < 60 {
			t.Errorf("%s: the caption %q says too little", f.Path, f.Caption)
		}
		if !strings.HasSuffix(f.Path, f.Kind+"."+f.Format) || !strings.HasPrefix(f.Path, f.Scenario) {
			t.Errorf("%+v: name, scenario, kind and format disagree", f)
		}
	}
	var want []string
	for _, n := range []string{
		"goodput",
		"hello-goodput", "hello-latency-percentiles", "hello-latency-over-time",
		"wait-goodput", "wait-latency-percentiles", "wait-latency-over-time",
		"cpu-goodput", "cpu-latency-percentiles", "cpu-latency-over-time",
		"cpu-memory", // and nothing offered, since all loops are closed
	} {
		want = append(want, n+".svg")
	}
	if !slices.Equal(names, want) {
		t.Errorf("files %v\nwant  %v", names, want)
	}
	if c := files[1].Caption; !strings.Contains(c, "cgi: 512/s") {
		t.Errorf("the caption has no figures: %s", c)
	}
}

func TestOneScenarioNeedsNoOverview(t *testing.T) {
	_, files := write(t, cases()["one"], Options{Formats: []string{"svg"}})
	if len(files) != 4 || files[0].Path != "wait-goodput.svg" {
		t.Errorf("files: %v", files)
	}
	if _, files := write(t, cases()["void"], Options{}); len(files) != 0 {
		t.Errorf("files of a report without scenarios: %v", files)
	}
}

func TestEveryPlotExplainsItself(t *testing.T) {
	r := threeByThree()
	r.Quick, r.AA, r.State, r.Finished, r.Planned = true, true, "interrupted", 20, 54
	dir, files := write(t, r, Options{Formats: []string{"svg"}})
	inAll := []string{
		"cgi", "prefork", "async", "closed loop, 50 clients", "6 trials × 1.5 s", "n = 3,618 (cgi)",
		"Gateway Lab", "QUICK RUN", "A/A RUN", "INTERRUPTED: 20 of 54 trials",
	}
	byKind := map[string][]string{
		KindGoodput:     {"Goodput by model", "successful responses/s", "95\u00a0% interval", "Dots: each trial"},
		KindPercentiles: {"Response time by percentile", "response time (ms, log scale)", "percentile of successful responses", "99.9", "p50 51.2, p99"},
		KindOverTime:    {"Response time over time", "response time (ms, log scale)", "time since the measuring window began (s)", "warm-up", "p99", "lowest to highest trial"},
		KindCost:        {"ms of CPU per request", "peak memory (MiB)", "proportional set size", "95\u00a0% interval"},
	}
	for _, f := range files {
		if f.Scenario != "" && f.Scenario != "wait" {
			continue
		}
		p := parse(t, read(t, dir, f.Path))
		all := p.joined()
		for _, want := range slices.Concat(inAll, byKind[f.Kind]) {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %q in\n%s", f.Path, want, all)
			}
		}
		if p.Title == "" || p.Desc != f.Caption {
			t.Errorf("%s: title %q, description %q", f.Path, p.Title, p.Desc)
		}
	}
}

func TestClosedAndOpenLoopsAreNamed(t *testing.T) {
	dir, _ := write(t, twelve(), Options{Formats: []string{"svg"}})
	all := parse(t, read(t, dir, "offered-achieved.svg")).joined()
	for _, want := range []string{"offered (requests/s)", "goodput (successful responses/s)", "open loop, 200 requests/s due", "Closed loops are left out", "95\u00a0% interval"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "closed loop, 50 clients") {
		t.Errorf("a closed loop is shown:\n%s", all)
	}
}

func TestTiesAreMarked(t *testing.T) {
	dir, _ := write(t, threeByThree(), Options{Formats: []string{"svg"}})
	for name, want := range map[string]string{"goodput.svg": "~", "cpu-goodput.svg": "~ prefork"} {
		p := parse(t, read(t, dir, name))
		if !slices.ContainsFunc(p.Texts, func(x lettering) bool { return x.Body == want }) {
			t.Errorf("%s: no %q", name, want)
		}
	}
	if strings.Contains(parse(t, read(t, dir, "wait-goodput.svg")).joined(), "~") {
		t.Error("wait-goodput.svg: a tie that is none")
	}
}

// The curves are of all trials together and the figures beside them medians
// over trials, which the plot says; where there are no figures, it doesn't.
func TestPercentilesSayWhatIsShown(t *testing.T) {
	for name, want := range map[string]bool{"three": true, "twelve": false} {
		dir, _ := write(t, cases()[name], Options{Formats: []string{"svg"}})
		all := parse(t, read(t, dir, "wait-latency-percentiles.svg")).joined()
		if !strings.Contains(all, "Line and marks: all valid trials together") || strings.Contains(all, "Beside the name: medians over trials") != want {
			t.Errorf("%s:\n%s", name, all)
		}
	}
}

// Ticks that have no room for their label stand only where each step is ten
// times rarer.
func TestTicksOfQuantiles(t *testing.T) {
	for unit, want := range map[vg.Length]string{
		60:  " 50 90 99 99.9 99.99",
		130: "0 50 75 90 95 99 99.5 99.9 99.99",
		12:  "  90   99.99",
	} {
		var labels []string
		ticks := quantiles{unit: unit, width: func(s string) vg.Length { return vg.Length(6 * len(s)) }}.Ticks(0, 4)
		slices.SortFunc(ticks, func(a, b plot.Tick) int { return cmp.Compare(a.Value, b.Value) })
		for _, tick := range ticks {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("%v to a step: %q, want %q", unit, got, want)
		}
	}
}

// Where one trial is all there is, nothing is drawn or said as if more were known.
func TestOneTrialHasNoInterval(t *testing.T) {
	r := onceEach()
	dir, _ := write(t, r, Options{Formats: []string{"svg"}})
	p := parse(t, read(t, dir, "wait-goodput.svg"))
	for _, want := range []string{"? prefork", "? too few trials to tell.", "No whisker: one trial has no interval."} {
		if !strings.Contains(p.joined(), want) {
			t.Errorf("no %q in\n%s", want, p.joined())
		}
	}
	for _, odd := range []string{"95", "~", "["} {
		if strings.Contains(p.joined(), odd) {
			t.Errorf("%q in\n%s", odd, p.joined())
		}
	}
	if !strings.Contains(p.Desc, "too few trials to tell it from prefork") || strings.Contains(p.Desc, " to 9") {
		t.Errorf("described as %s", p.Desc)
	}
	r.Cells[0].Valid, r.Cells[0].Goodput.N = 3, 3
	dir, _ = write(t, r, Options{Formats: []string{"svg"}})
	if all := parse(t, read(t, dir, "wait-goodput.svg")).joined(); !strings.Contains(all, "lowest to highest trial; of one trial none.") {
		t.Errorf("whiskers of three trials and one are explained by\n%s", all)
	}
}

func TestMissingDataIsSaid(t *testing.T) {
	dir, _ := write(t, broken(), Options{Formats: []string{"svg"}})
	for name, want := range map[string][]string{
		"hello-goodput.svg":             {"cgi", "no valid trial", "prefork 1,204 failed", "cgi 0 of 6"},
		"hello-latency-percentiles.svg": {"cgi", "no valid trial", "prefork", "no successful response"},
		"wait-latency-percentiles.svg":  {"cgi", "too little data"},
		"wait-goodput.svg":              {"prefork 4 of 6", "crosses: invalid trials", "31 never sent", "fewer than 6 valid trials"},
		"cpu-goodput.svg":               {"async", "not measured"},
		"cpu-latency-over-time.svg":     {"async", "not measured"},
		"cpu-memory.svg":                {"too little data", "not measured"},
	} {
		all := parse(t, read(t, dir, name)).joined()
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: no %q in\n%s", name, w, all)
			}
		}
	}
	dir, files := write(t, nothing(), Options{Formats: []string{"svg"}})
	for _, name := range []string{"wait-goodput.svg", "goodput.svg", "cpu-memory.svg"} {
		if all := parse(t, read(t, dir, name)).joined(); strings.Contains(all, "0.2") || strings.Contains(all, "1.0") {
			t.Errorf("%s has a scale, and nothing on it:\n%s", name, all)
		}
	}
	if all := parse(t, read(t, dir, "wait-latency-over-time.svg")).joined(); !strings.Contains(all, " 1.5 ") {
		t.Errorf("the time that was planned isn't the axis:\n%s", all)
	}
	for _, f := range files {
		if all := parse(t, read(t, dir, f.Path)).joined(); !strings.Contains(all, "not measured") {
			t.Errorf("%s does not say that nothing was measured:\n%s", f.Path, all)
		}
	}
}

// TestTextIsWhole checks that no text is cut off by the edge of a picture or
// written over another, and no number odd, with any number of models, in a narrow picture too.
func TestTextIsWhole(t *testing.T) {
	for name, r := range cases() {
		whole(t, name, r)
	}
}

func whole(t *testing.T, name string, r *reports.Report) {
	t.Helper()
	for _, width := range []vg.Length{0, 8 * vg.Inch} {
		dir, files := write(t, r, Options{Formats: []string{"svg"}, Width: width})
		for _, f := range files {
			p := parse(t, read(t, dir, f.Path))
			for i, a := range p.Texts {
				if strings.Contains(a.Body, "e+") || strings.Contains(a.Body, "NaN") || strings.Contains(a.Body, "Inf") {
					t.Errorf("%s/%s: %q is no readable number", name, f.Path, a.Body)
				}
				if a.left < 0 || a.right > p.width || a.bottom < 0 || a.top > p.height {
					t.Errorf("%s/%s, %v wide: %q sticks out of the picture", name, f.Path, width, a.Body)
				}
				for _, b := range p.Texts[:i] {
					if a.overlaps(b) {
						t.Errorf("%s/%s, %v wide: %q lies over %q", name, f.Path, width, a.Body, b.Body)
					}
				}
			}
		}
	}
}

func TestSameReportSameBytes(t *testing.T) {
	for _, o := range []Options{{Formats: []string{"svg"}}, {Formats: []string{"png"}, DPI: 48, Theme: "dark"}} {
		r := twelve()
		if o.DPI > 0 {
			r = cases()["one"]
		}
		a, files := write(t, r, o)
		b, _ := write(t, r, o)
		for _, f := range files {
			if !bytes.Equal(read(t, a, f.Path), read(t, b, f.Path)) {
				t.Errorf("%s differs between two renderings", f.Path)
			}
		}
	}
}

func TestResolutionScalesThePicture(t *testing.T) {
	lines := newRun(cases()["one"]).percentiles(newRun(cases()["one"]).scenes[0])
	for _, dpi := range []int{48, 96} {
		o, err := Options{DPI: dpi}.complete()
		if err != nil {
			t.Fatal(err)
		}
		b, err := lines.render("png", o)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if size := img.Bounds().Size(); size.X != 10*dpi || size.Y != 25*dpi/4 {
			t.Errorf("%v at %d dpi, want 10 by 6.25 inches", size, dpi)
		}
		at := bytes.Index(b, []byte("pHYs"))
		if at < 0 {
			t.Fatal("no resolution in the PNG")
		}
		perMetre := binary.BigEndian.Uint32(b[at+4:])
		if got := int(float64(perMetre)*0.0254 + 0.5); got != dpi {
			t.Errorf("the PNG says %d dpi, want %d", got, dpi)
		}
	}
}

func TestHeightIsKeptWhereItSuffices(t *testing.T) {
	dir, files := write(t, threeByThree(), Options{Formats: []string{"svg"}, Height: 12 * vg.Inch})
	for _, f := range files {
		if p := parse(t, read(t, dir, f.Path)); p.height != 12*72 {
			t.Errorf("%s is %v points high, want %v", f.Path, p.height, 12*72)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]Options{
		"png, svg":    {Formats: []string{"gif"}},
		"48 to 600":   {DPI: 10},
		"light, dark": {Theme: "sepia"},
		"8 to 40":     {Width: vg.Inch},
		"up to 40":    {Height: -1},
	} {
		dir := filepath.Join(t.TempDir(), "plots")
		if _, err := Write(dir, threeByThree(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%+v: the directory was made all the same", o)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(file, threeByThree(), Options{}); err == nil {
		t.Error("plots in a file that is no directory")
	}
}

func TestFileNamesAreSafeAndUnique(t *testing.T) {
	taken := map[string]bool{}
	for _, c := range [][2]string{
		{"wait", "wait"}, {"Wait", "wait-2"}, {"../../etc/passwd", "etc-passwd"}, {"", "scenario"}, {"…", "scenario-2"}, {"a b", "a-b"},
	} {
		if got := fileName(c[0], taken); got != c[1] {
			t.Errorf("fileName(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

// A picture is a parsed SVG; its texts are the only ones, and never rotated.
type picture struct {
	ViewBox       string `xml:"viewBox,attr"`
	Title         string `xml:"title"`
	Desc          string `xml:"desc"`
	Texts         []lettering
	width, height float64
}

type lettering struct {
	X      float64 `xml:"x,attr"`
	Y      float64 `xml:"y,attr"`
	Length float64 `xml:"textLength,attr"`
	Style  string  `xml:"style,attr"`
	Body   string  `xml:",chardata"`

	left, right, bottom, top float64
}

func (a lettering) overlaps(b lettering) bool {
	const slack = 0.5
	return strings.TrimSpace(a.Body) != "" && strings.TrimSpace(b.Body) != "" &&
		a.left < b.right-slack && b.left < a.right-slack && a.bottom < b.top-slack && b.bottom < a.top-slack
}

func parse(t *testing.T, b []byte) picture {
	t.Helper()
	var p picture
	if err := xml.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(p.ViewBox, "0 0 %g %g", &p.width, &p.height); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "text" {
			continue
		}
		var x lettering
		if err := d.DecodeElement(&x, &start); err != nil {
			t.Fatal(err)
		}
		_, size, _ := strings.Cut(x.Style, "font-size:")
		size, _, _ = strings.Cut(size, "px")
		px, err := strconv.ParseFloat(size, 64)
		if err != nil {
			t.Fatalf("%q: font size: %v", x.Body, err)
		}
		x.left, x.right = x.X, x.X+x.Length
		x.bottom, x.top = -x.Y-0.2*px, -x.Y+0.72*px
		p.Texts = append(p.Texts, x)
	}
	if len(p.Texts) == 0 {
		t.Fatal("a picture without text")
	}
	return p
}

// joined is all text of a picture, wrapped lines joined again.
func (p picture) joined() string {
	var all []string
	for _, x := range p.Texts {
		all = append(all, x.Body)
	}
	return strings.Join(all, " ")
}
