package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// flaky fails each third request, and is slow with each fifth so that hits end
// in another order than they were sent in.
func flaky(t *testing.T) string {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k := n.Add(1)
		if k%5 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		if k%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/raw"
}

func rawAttack(t *testing.T, stages []Stage, raw io.Writer) *Attack {
	return &Attack{
		Stages:   stages,
		Requests: []Request{{Method: "POST", URL: flaky(t), Body: []byte("abc")}},
		Timeout:  patient,
		Name:     "hello async 1",
		Raw:      raw,
		RawFrom:  100 * time.Millisecond,
		RawTo:    250 * time.Millisecond,
	}
}

var rawLoads = map[string][]Stage{
	"open":   arriving(400, 300*time.Millisecond),
	"closed": looping(7, 300*time.Millisecond),
	"mixed":  append(looping(3, 150*time.Millisecond), arriving(400, 150*time.Millisecond)...),
}

func TestRaw(t *testing.T) {
	t.Parallel()
	for name, l := range rawLoads {
		t.Run(name, func(t *testing.T) {
			var raw bytes.Buffer
			a := rawAttack(t, l, &raw)
			hits, o := attack(t, a)
			// What is kept is numbered in the order of sending, so a kept hit
			// is found by counting.
			bySeq := make([]*Hit, o.Sent)
			for i := range hits {
				bySeq[hits[i].Seq] = &hits[i]
			}
			var want []*Hit
			for _, h := range bySeq {
				if !h.Cut && h.Due >= a.RawFrom && h.Due < a.RawTo {
					want = append(want, h)
				}
			}
			got := make([]*vegeta.Result, len(want))
			dec := vegeta.NewDecoder(&raw)
			for n := 0; ; n++ {
				r := new(vegeta.Result)
				if err := dec.Decode(r); errors.Is(err, io.EOF) {
					if n != len(want) {
						t.Fatalf("%d results, want %d", n, len(want))
					}
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if r.Seq >= uint64(len(want)) || got[r.Seq] != nil {
					t.Fatalf("number %d of %d: twice, or out of range", r.Seq, len(want))
				}
				got[r.Seq] = r
			}
			for i, h := range want {
				w := vegeta.Result{
					Attack: a.Name, Seq: uint64(i), Code: uint16(h.Code), Timestamp: o.Began.Add(h.Sent), Latency: h.Latency,
					BytesOut: 3, BytesIn: uint64(h.Bytes), Error: h.Err, Method: "POST", URL: a.Requests[0].URL,
				}
				if !got[i].Equal(w) {
					t.Errorf("got %+v\nwant %+v", got[i], w)
				}
			}
		})
	}
}

// TestVegetaReadsRaw gives what was written to the real vegeta command.
func TestVegetaReadsRaw(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "vegeta")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/tsenart/vegeta/v12").CombinedOutput(); err != nil {
		t.Fatalf("build vegeta: %v\n%s", err, out)
	}
	for name, l := range rawLoads {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "hits.bin")
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			a := rawAttack(t, l, f)
			hits, _ := attack(t, a)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			var kept, okay int
			for _, h := range hits {
				if !h.Cut && h.Due >= a.RawFrom && h.Due < a.RawTo {
					kept++
					if h.Kind == "" {
						okay++
					}
				}
			}
			out, err := exec.Command(bin, "report", "-type=json", file).Output()
			if err != nil {
				t.Fatal(err)
			}
			var report struct {
				Requests int            `json:"requests"`
				Codes    map[string]int `json:"status_codes"`
				BytesIn  struct {
					Total int `json:"total"`
				} `json:"bytes_in"`
			}
			if err := json.Unmarshal(out, &report); err != nil {
				t.Fatal(err)
			}
			if report.Requests != kept || report.Codes["200"] != okay || report.Codes["503"] != kept-okay || report.BytesIn.Total != 5*kept {
				t.Errorf("%d kept, %d successful, but vegeta report says %s", kept, okay, out)
			}
			plot := exec.Command(bin, "plot", "-threshold", "0", file)
			plot.Stderr = os.Stderr
			if out, err = plot.Output(); err != nil {
				t.Fatalf("vegeta plot: %v", err)
			}
			if n := plotted(t, string(out)); n != kept {
				t.Errorf("%d points plotted, want %d", n, kept)
			}
		})
	}
}

// plotted counts the points of a vegeta plot: rows of [x, y, …], with null for
// the series that the point isn't of.
func plotted(t *testing.T, page string) (n int) {
	t.Helper()
	m := regexp.MustCompile(`(?s)const rowData = (\[.*?\]);`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no data in a plot of %d bytes", len(page))
	}
	var rows [][]*float64
	if err := json.Unmarshal([]byte(strings.ReplaceAll(m[1], "NaN", "null")), &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, y := range row[1:] {
			if y != nil {
				n++
			}
		}
	}
	return n
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left") }

func TestRawThatCantBeWritten(t *testing.T) {
	a := rawAttack(t, arriving(100, 300*time.Millisecond), full{})
	var n uint64
	o, err := a.Run(t.Context(), nil, func(*Hit) { n++ })
	if err == nil || !strings.Contains(err.Error(), "no space left") || n == 0 || n != o.Sent {
		t.Errorf("%v; %d hits of %d", err, n, o.Sent)
	}
	noneLeft(t)
}
