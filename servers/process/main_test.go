//go:build unix

package process

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the part that this variable names.
const part = "TEST_PROCESS_PART"

func TestMain(m *testing.M) {
	if name := os.Getenv(part); name != "" {
		act(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// act is what a started process does.
func act(name string) {
	name, arg, _ := strings.Cut(name, ":")
	switch name {
	case "sleep":
		time.Sleep(time.Hour)
	case "say":
		fmt.Println(arg)
	case "fail":
		fmt.Fprintln(os.Stderr, "something is wrong with", arg)
		os.Exit(7)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "spin":
		spin(time.Hour)
	case "burnout": // dies after use of CPU and of a slot that it doesn't free
		in, err := Inherit()
		must(err)
		in.Board.Claim(os.Getpid()).Busy()
		in.Board.Queue(1)
		d, _ := time.ParseDuration(arg)
		burn(d)
		awaitKill(in)
		os.Exit(9)
	case "doomed":
		in, err := Inherit()
		must(err)
		awaitKill(in)
		log.Fatal("something is wrong with ", arg)
	case "abandon": // leaves a child behind
		must(child("sleep").Start())
		time.Sleep(time.Hour)
	case "environment":
		fmt.Println(os.Getenv(arg))
		time.Sleep(time.Hour)
	case "accept": // answers each connection with its process number, then dies
		in, err := Inherit()
		must(err)
		l, err := net.FileListener(in.Listener)
		must(err)
		c, err := l.Accept()
		must(err)
		in.Board.Claim(os.Getpid()).Busy()
		fmt.Fprint(c, os.Getpid())
		must(c.Close())
		os.Exit(9)
	case "reaper": // children that use CPU and are gone
		d, _ := time.ParseDuration(arg)
		for range 4 {
			_ = child("burn:" + d.String()).Run() // what it used is what counts
		}
		fmt.Println("done")
		time.Sleep(time.Hour)
	case "burn":
		d, _ := time.ParseDuration(arg)
		burn(d)
	case "family": // a child in a group of its own, and one that lost its parent
		c := child("sleep")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		must(c.Start())
		must(child("parent").Run())
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "parent":
		must(child("sleep").Start())
	case "cores":
		fmt.Println("cores", Cores())
		time.Sleep(time.Hour)
	case "orphan": // ends with the lab
		in, err := Inherit()
		must(err)
		<-in.Orphaned
	case "lab": // starts something and waits to be killed
		arg, supervised := strings.CutPrefix(arg, "supervised:")
		g, err := Start(Launch{Commands: commands(arg), Supervise: supervised})
		must(err)
		if supervised {
			must(g.Ready())
			must(g.Signal(syscall.SIGKILL))
			for g.Board().Read().Restarts == 0 || len(g.PIDs()) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		fmt.Println(strings.Trim(fmt.Sprint(g.PIDs()), "[]"))
		time.Sleep(time.Hour)
	case "board":
		hammerBoard()
	case "arbiter":
		arbiter(arg)
	case "worker":
		arbiterWorker(arg)
	default:
		log.Fatalf("no such part: %s", name)
	}
}

// awaitKill has a command live until it is killed, the first time.
func awaitKill(in *Inherited) {
	if in.Board.Read().Restarts == 0 {
		time.Sleep(time.Hour)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func child(name string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), part+"="+name, "GORACE=atexit_sleep_ms=0")
	return c
}

func commands(parts ...string) []*exec.Cmd {
	var cs []*exec.Cmd
	for _, p := range parts {
		cs = append(cs, child(p))
	}
	return cs
}

// launch starts parts and checks afterwards that nothing is left of them.
func launch(tb testing.TB, l Launch, parts ...string) *Group {
	tb.Helper()
	l.Commands = commands(parts...)
	g, err := Start(l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = g.Stop(0) // a test that cares has stopped it itself
		if left := g.PIDs(); len(left) > 0 {
			tb.Errorf("processes left: %v", left)
		}
		if tb.Failed() {
			tb.Logf("log:\n%s", g.Log())
		}
	})
	return g
}

func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(3 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain: %s", what)
		}
	}
}

func spin(d time.Duration) {
	var n atomic.Int64
	for end := time.Now().Add(d); time.Now().Before(end); {
		n.Add(1)
	}
}

// burn uses an amount of CPU time, however long that takes.
func burn(d time.Duration) {
	for used := time.Duration(0); used < d; {
		spin(time.Millisecond)
		var u syscall.Rusage
		must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		used = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
}

// arbiter runs an Arbiter; arg is "workers,timeout,graceful,worker part".
func arbiter(arg string) {
	in, err := Inherit()
	must(err)
	f := strings.SplitN(arg, ",", 4)
	workers, err := strconv.Atoi(f[0])
	must(err)
	timeout, err := time.ParseDuration(f[1])
	must(err)
	graceful, err := time.ParseDuration(f[2])
	must(err)
	a := &Arbiter{
		Workers: workers, Timeout: timeout, GracefulTimeout: graceful, Inherited: in,
		Log: log.New(os.Stderr, "", 0),
		Command: func(slot int) *exec.Cmd {
			return child(fmt.Sprintf("worker:%d,%s", slot, f[3]))
		},
	}
	if err := a.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// arbiterWorker is a worker in the given slot with the given manners.
func arbiterWorker(arg string) {
	n, manners, _ := strings.Cut(arg, ",")
	if manners == "unfit" {
		os.Exit(BootErrorExit)
	}
	if manners == "dying" {
		os.Exit(9)
	}
	in, err := Inherit()
	must(err)
	go func() {
		<-in.Orphaned
		os.Exit(1)
	}()
	slot, err := strconv.Atoi(n)
	must(err)
	s := in.Board.Slot(slot)
	quit := make(chan os.Signal, 1)
	if manners == "stubborn" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	} else {
		signal.Notify(quit, syscall.SIGTERM, syscall.SIGINT)
	}
	s.Take(os.Getpid())
	for {
		select {
		case <-quit:
			return
		case <-time.After(10 * time.Millisecond):
			if manners == "silent0" && slot == 0 {
				time.Sleep(time.Hour)
			}
			s.Beat()
		}
	}
}

// hammerBoard serves a hundred thousand imaginary requests.
func hammerBoard() {
	in, err := Inherit()
	must(err)
	done := make(chan struct{})
	const each = 25_000
	for range 4 {
		go func() {
			s := in.Board.Claim(os.Getpid())
			for range each {
				s.Busy()
				s.Idle()
				in.Board.Child(time.Microsecond)
			}
			s.Release()
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	fmt.Println("done")
	_, _ = bufio.NewReader(in.Control).ReadByte() // until the lab lets go
	_, _ = io.Copy(io.Discard, os.Stdin)
}
