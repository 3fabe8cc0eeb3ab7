package load

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestReadArrivals(t *testing.T) {
	const file = "\ufeff# recorded on a Monday\r\n" +
		"0\n\n  0.125  # seconds\n125ms\n\t.5\r\n+0.75\n1e0\n1m0.000000001s\n863999.999999999"
	got, err := ReadArrivals("monday.txt", strings.NewReader(file))
	want := []time.Duration{
		0, 125 * time.Millisecond, 125 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond,
		time.Second, time.Minute + 1, 240*time.Hour - 1,
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestReadArrivalsErrors(t *testing.T) {
	const form = "expected seconds since the start, such as 0.125, or a duration, such as 125ms; found "
	for in, want := range map[string]string{
		"":                           "1:1: " + form + "the end of the file",
		"# nothing\n\n":              "2:1: " + form + "the end of the file",
		"0\n  soon\n":                `2:3: ` + form + `"soon"`,
		"0\n\u00a0é\n":               `2:2: ` + form + `"é"`,
		"1 2":                        `1:1: ` + form + `"1 2"`,
		"1700000000000000000,200,99": `1:1: ` + form + `"1700000000000000000,200,99"`,
		"0x1p3":                      `1:1: ` + form + `"0x1p3"`,
		"inf":                        `1:1: ` + form + `"inf"`,
		"1_0":                        `1:1: ` + form + `"1_0"`,
		"1e":                         `1:1: ` + form + `"1e"`,
		"-":                          `1:1: ` + form + `"-"`,
		"1.2.3":                      `1:1: ` + form + `"1.2.3"`,
		"0\n-0.5":                    "2:1: expected a time from 0 on, the start; found -0.5",
		"-1ms":                       "1:1: expected a time from 0 on, the start; found -1ms",
		"-1e999":                     "1:1: expected a time from 0 on, the start; found -1e999",
		"1e999":                      "1:1: expected a time of at most 240 hours; found 1e999",
		"1700000000":                 "1:1: expected a time of at most 240 hours; found 1700000000",
		"241h":                       "1:1: expected a time of at most 240 hours; found 241h",
		"0\n2 # two\n\n1.5":          "4:1: expected a time from 2s on, which line 2 has; found 1.5; sort the file",
		strings.Repeat("x", 100):     `1:1: ` + form + `"` + strings.Repeat("x", 40) + `…"`,
		"0\n" + strings.Repeat("1", 70_000): "2:1: " + form +
			"a line of over 65536 bytes",
	} {
		got, err := ReadArrivals("a.txt", strings.NewReader(in))
		if err == nil || err.Error() != "a.txt:"+want || got != nil {
			t.Errorf("%.60q: got %v, %v\nwant a.txt:%s", in, got, err, want)
		}
	}
	broken := errors.New("the disk is gone")
	_, err := ReadArrivals("a.txt", io.MultiReader(strings.NewReader("0\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// zeros are lines without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	n := len(b) &^ 1
	for i := 0; i < n; i += 2 {
		b[i], b[i+1] = '0', '\n'
	}
	return n, nil
}

func TestReadArrivalsIsBounded(t *testing.T) {
	_, err := ReadArrivals("a.txt", zeros{})
	if err == nil || err.Error() != "a.txt:10000001:1: expected at most 10000000 arrivals; replay a part of them" {
		t.Error(err)
	}
}

func TestReplayLength(t *testing.T) {
	for last, want := range map[time.Duration]time.Duration{
		0: time.Second, 1: time.Second, time.Second - 1: time.Second, 2 * time.Second: 3 * time.Second,
	} {
		s := Stage{Shape: Replay, Times: []time.Duration{0, last}}
		if s.For = ReplayLength(s.Times); s.For != want {
			t.Errorf("last at %v: %v, want %v", last, s.For, want)
		}
		if n := (&schedule{stages: []Stage{s}}).count(0, 0, s.For); n != 2 {
			t.Errorf("last at %v: %d of 2 arrivals are within %v", last, n, s.For)
		}
	}
	if d := ReplayLength(nil); d != 0 {
		t.Errorf("of nothing: %v", d)
	}
}

// FuzzReadArrivals: what is read is in order and, written down, is read the
// same again; what isn't has a position within the file.
func FuzzReadArrivals(f *testing.F) {
	f.Add("0\n0.125\n125ms # again\n\n1e1\n")
	f.Add("\ufeff1h\r\n-1")
	position := regexp.MustCompile(`^name:(\d+):(\d+): expected `)
	f.Fuzz(func(t *testing.T, in string) {
		times, err := ReadArrivals("name", strings.NewReader(in))
		if err != nil {
			m := position.FindStringSubmatch(err.Error())
			if m == nil {
				t.Fatalf("%v", err)
			}
			lines := strings.Split(in, "\n")
			line, _ := strconv.Atoi(m[1])
			column, _ := strconv.Atoi(m[2])
			if line < 1 || line > len(lines) || column < 1 || column > len(lines[line-1])+1 {
				t.Fatalf("%v, which is not in the file", err)
			}
			return
		}
		if len(times) == 0 || times[0] < 0 || !slices.IsSorted(times) {
			t.Fatalf("%v", times)
		}
		var seconds, durations strings.Builder
		for _, at := range times {
			fmt.Fprintf(&seconds, "%.9f\n", at.Seconds())
			fmt.Fprintln(&durations, at)
		}
		for _, text := range []string{seconds.String(), durations.String()} {
			again, err := ReadArrivals("name", strings.NewReader(text))
			if err != nil || !slices.Equal(again, times) {
				t.Fatalf("%q: %v, %v; want %v", text, again, err, times)
			}
		}
		if d := ReplayLength(times); d <= times[len(times)-1] {
			t.Fatalf("%v is over before the last", d)
		}
	})
}
