package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A stand-in is a link to an executable that calls Standing, under the name of
// the program it stands for, with a note beside it. The program's environment
// is its server's affair (RFC 3875 §4.1), so nothing can be said to it there.
type note struct {
	Program string `json:"program"` // the real one
	Socket  string `json:"socket"`  // of the tracer
}

const noteSuffix = ".recorded"

// StandIn puts a stand-in for a program into dir: executable must be one that
// calls Standing. It returns the stand-in's path, the base name of which is
// the program's (a server may act on that: "nph-").
func StandIn(dir, executable, program, socket string) (string, error) {
	path := filepath.Join(dir, filepath.Base(program))
	b, err := json.Marshal(note{program, socket})
	if err == nil {
		err = os.WriteFile(path+noteSuffix, b, 0o600)
	}
	if err == nil {
		err = os.Symlink(executable, path)
	}
	if err != nil {
		return "", fmt.Errorf("put a recorder before %s: %w", program, err)
	}
	return path, nil
}

// Standing says whether this process was started as a stand-in; then it has
// run the program with all that goes in and out told to the tracer, and
// status is what to exit with. The program sees the environment, the working
// directory and the arguments that the stand-in got; stdin and stdout are
// pipes.
func Standing() (status int, standing bool) {
	b, err := os.ReadFile(os.Args[0] + noteSuffix)
	if err != nil {
		return 0, false
	}
	var n note
	if err := json.Unmarshal(b, &n); err != nil {
		fmt.Fprintf(os.Stderr, "recorder: %s: %v\n", os.Args[0]+noteSuffix, err)
		return 1, true
	}
	status, err = n.run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "recorder: %v\n", err)
		return 1, true
	}
	return status, true
}

func (n note) run() (int, error) {
	r := dial(n.Socket)
	if r == nil {
		return 0, fmt.Errorf("no tracer at %s", n.Socket)
	}
	defer r.Close()
	c := r.begin("CGI")
	dir, err := os.Getwd()
	if err != nil {
		dir = "?"
	}
	c.tell(Event{Kind: ProgramStart, Data: environment(), Values: []Value{{Name: "program", Value: n.Program}, {Name: "directory", Value: dir}}})
	cmd := &exec.Cmd{Path: n.Program, Args: append([]string{n.Program}, os.Args[1:]...)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	in, err := input(cmd)
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if in != nil {
		// Not waited for: a program may answer and end without having read.
		go c.pass(in, os.Stdin, ProgramInput)
	}
	var outputs sync.WaitGroup
	outputs.Go(func() { c.pass(os.Stdout, out, ProgramOutput) })
	outputs.Go(func() { c.pass(os.Stderr, errs, ProgramError) })
	outputs.Wait()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	c.tell(Event{Kind: ProgramEnd, Text: cmd.ProcessState.String()})
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil // as a shell would say it
	}
	return cmd.ProcessState.ExitCode(), nil
}

// input gives the program a pipe if there is a body to be recorded, which is
// if CONTENT_LENGTH says so, and no more than that (RFC 3875 §4.2); otherwise
// the stand-in's own stdin.
func input(cmd *exec.Cmd) (io.WriteCloser, error) {
	n, err := strconv.ParseInt(os.Getenv("CONTENT_LENGTH"), 10, 64)
	if err != nil || n <= 0 {
		cmd.Stdin = os.Stdin
		return nil, nil
	}
	return cmd.StdinPipe()
}

// pass passes on what comes until it ends and, of stdin, until the length of
// the body is reached.
func (c *call) pass(to io.Writer, from io.Reader, kind string) {
	if closer, ok := to.(io.Closer); ok && kind == ProgramInput {
		defer closer.Close()
		n, _ := strconv.ParseInt(os.Getenv("CONTENT_LENGTH"), 10, 64) // input has looked at it
		from = io.LimitReader(from, n)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c.tell(Event{Kind: kind, Data: buf[:n]})
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// environment is the block of NAME=value strings, each ended by a NUL, that
// execve(2) handed to this process.
func environment() []byte {
	if b, err := os.ReadFile("/proc/self/environ"); err == nil && len(b) > 0 {
		return b
	}
	return []byte(strings.Join(append(os.Environ(), ""), "\x00"))
}
