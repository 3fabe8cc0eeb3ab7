package checkup

import (
	"bytes"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"

	"gatewaylab/reports"
)

func measured() *Measured {
	e := func(low, median, high float64, unit string) reports.Estimate {
		return reports.Estimate{Low: low, Median: median, High: high, N: 10, Unit: unit, Confidence: 0.95}
	}
	return &Measured{
		Trials: 10, Window: 1.26, Async: e(31000, 32000, 32500, "1/s"),
		Floor: []reports.Resolution{
			{Quantity: "goodput", Spread: 1.23, Apart: 0.4, P: 0.6, Smallest: 3.21, Trials: 10},
			{Quantity: "response p50", Spread: 2, Apart: 0.1, P: 0.9, Smallest: 4.1, Trials: 10},
			{Quantity: "response p99", Spread: 31, Apart: 12, P: 0.2, Trials: 10},
			{Quantity: "CPU per request", Spread: 0.8, Apart: 2.1, Told: true, P: 0.01, Smallest: 11.3, Trials: 10},
		},
		Generator: Generator{Rate: e(59000, 60123, 61000, "1/s"), CPU: e(1.1, 1.16, 1.2, "cores")},
		Timer:     Timer{Step: 3e-5, P50: 0.068, P99: 1.12}, Steal: 0.031, Others: 0.02, Pairs: 19936,
	}
}

func TestMeasuredText(t *testing.T) {
	c := &Checkup{Machine: example().Machine, Measured: measured()}
	c.Measured.Text = c.Measured.sentences()
	var b bytes.Buffer
	if err := Text(&b, c, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, b.Bytes())
}

func TestSentences(t *testing.T) {
	calm := measured()
	calm.Floor = calm.Floor[:2]
	calm.Steal, calm.Async.Median = -1, 55000
	noisy := measured()
	noisy.Floor = noisy.Floor[2:3]
	noisy.Steal, noisy.Others = 0, 0.4
	noisy.Generator = Generator{}
	for _, one := range []struct {
		m    *Measured
		says []string
		not  string
	}{
		{calm, []string{
			"goodput from 3.2 % on and response p50 from 4.1 % on is found in nine comparisons of ten",
			"rightly not told apart", "async reached 91 % of that", "19,936 connections",
		}, "hypervisor"},
		{noisy, []string{"too noisy to compare anything", "Other programs used 40 %", "was not found out"}, "nine comparisons"},
		{measured(), []string{
			"In response p99 not even a fivefold difference", "told apart from itself in CPU per request (2.1 %), a false alarm",
			"a model that gets near 42,086/s", "The hypervisor took 3.1 %",
		}, "rightly"},
	} {
		text := one.m.sentences()
		for _, want := range one.says {
			if !strings.Contains(text, want) {
				t.Errorf("it doesn't say %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, one.not) {
			t.Errorf("it says %q:\n%s", one.not, text)
		}
	}
}

func TestConnections(t *testing.T) {
	for _, one := range []struct {
		l    Limits
		want int
	}{
		{Limits{Files: 1024, PortLow: 32768, PortHigh: 60999}, 960},
		{Limits{Files: 1 << 20, PortLow: 32768, PortHigh: 60999, TimeWait: 232}, 28000},
		{Limits{Files: 1 << 62}, 100_000},
		{Limits{Files: 10}, 0},
	} {
		if got := connections(one.l); got != one.want {
			t.Errorf("%+v: %d, want %d", one.l, got, one.want)
		}
	}
}

func TestSleepers(t *testing.T) {
	s := sleepers(20)
	if s.P50 < 0 || s.P99 < s.P50 || s.Step <= 0 {
		t.Errorf("%+v: a sleeper woke early, or time stood still", s)
	}
}
