package process

import (
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

func TestListenQueue(t *testing.T) {
	f, addr, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, p, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(p)
	if n, ok := ListenQueue(port); n != 0 || !ok {
		t.Fatalf("before any connection: %d, %v", n, ok)
	}
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	eventually(t, "3 connections wait", func() bool { n, ok := ListenQueue(port); return n == 3 && ok })
	if n, ok := ListenQueue(1); n != 0 || ok {
		t.Errorf("nothing listens on port 1: %d, %v", n, ok)
	}
}

func TestMachineCounts(t *testing.T) {
	before, err := ReadMachine()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the machine's clocks go on", func() bool {
		for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
			// burn CPU
		}
		now, err := ReadMachine()
		return err == nil && now.Busy > before.Busy && now.Total > before.Total
	})
	if before.Total < before.Busy+before.Steal {
		t.Errorf("the whole is less than its parts: %+v", before)
	}
}

func TestFileLimitIsRaised(t *testing.T) {
	raised, err := RaiseFileLimit()
	if err != nil {
		t.Fatal(err)
	}
	if now, err := FileLimit(); err != nil || now != raised || now == 0 {
		t.Errorf("limit %d (%v) after it was raised to %d", now, err, raised)
	}
}

func TestParseStatWithStrangeName(t *testing.T) {
	line := "42 (a) b (c) S 7 40 41 0 -1 4194304 1 2 3 4 500 600 30 12 20 0 9 0 12345 1000000 250 18446744073709551615 1\n"
	st, ok := parseStat([]byte(line))
	want := stat{pid: 42, parent: 7, session: 41, name: "a) b (c", start: 12345, childTicks: 42, threads: 9, resident: 250 * int64(os.Getpagesize())}
	if !ok || st != want {
		t.Errorf("got %+v, %v; want %+v", st, ok, want)
	}
	for _, bad := range []string{"", "42", "42 (name", "42 (name) S 1 2"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q was taken for a stat line", bad)
		}
	}
}

func TestAffinity(t *testing.T) {
	cores := Cores()
	if len(cores) == 0 {
		t.Fatal("no CPUs")
	}
	last := cores[len(cores)-1]
	g := launch(t, Launch{Cores: []int{last}}, "cores")
	eventually(t, "it prints its CPUs", func() bool { return g.Log() != "" })
	if want := "cores [" + strconv.Itoa(last) + "]\n"; g.Log() != want {
		t.Errorf("the child printed %q, want %q", g.Log(), want)
	}
	if now := Cores(); len(now) != len(cores) {
		t.Errorf("the lab itself is left on %v of %v", now, cores)
	}
	for _, bad := range [][]int{{}, {-1}, {1 << 20}, {1023}} {
		if _, err := Start(Launch{Commands: commands("sleep"), Cores: bad}); err == nil {
			t.Errorf("CPUs %v were accepted", bad)
		}
	}
	if err := OnCores(cores); err != nil {
		t.Error(err)
	}
}
