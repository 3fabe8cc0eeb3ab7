//go:build linux

package servers_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers/process/processtest"
)

// postgresPrograms finds a folder with initdb and postgres: on PATH, or where
// Debian keeps them, which is on nobody's.
func postgresPrograms(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		if os.Getenv("LAB_REQUIRE") != "" {
			t.Fatal("PostgreSQL is not installed, and LAB_REQUIRE is set; on Debian: apt-get install postgresql")
		}
		t.Skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
	}
	return filepath.Dir(found[len(found)-1])
}

// postgres starts a PostgreSQL of the test's own, in a private folder, and
// returns the URL of a database, which is empty: the first to ask for the table
// loads it. It is gone after the test.
func postgres(t testing.TB) string {
	t.Helper()
	bin := postgresPrograms(t)
	folder, err := os.MkdirTemp("", "lab-pg-") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	as := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 { // as which it refuses to run
		const nobody = 65534
		as.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(folder, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = folder, as
		return cmd
	}
	data := filepath.Join(folder, "data")
	init := command("initdb", "-D", data, "-U", "lab", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	address := processtest.Address(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	server := command("postgres", "-D", data, "-k", folder, "-h", "127.0.0.1", "-p", port, "-F", "-c", "max_connections=40", "-c", "shared_buffers=64MB")
	var said strings.Builder
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	stopped := sync.OnceValue(func() error {
		_ = server.Process.Signal(syscall.SIGQUIT) // immediate shutdown
		return <-over
	})
	go func() { over <- server.Wait() }()
	t.Cleanup(func() { _ = stopped() })
	url := fmt.Sprintf("postgres://lab@%s/postgres", address)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-over:
			over <- err
			t.Fatalf("postgres: %v\n%s", err, said.String())
		default:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			p, err := database()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), p.Database.Server, "database", "versions")
			cmd.Env = append(os.Environ(), "GATEWAYLAB_DB="+url)
			out, err := cmd.CombinedOutput()
			if err == nil {
				return url
			}
			if !strings.Contains(string(out), "starting up") || time.Now().After(end) {
				t.Fatalf("ask postgres: %v\n%s", err, out)
			}
		} else if time.Now().After(end) {
			t.Fatalf("postgres does not answer: %v", err)
		}
	}
}
