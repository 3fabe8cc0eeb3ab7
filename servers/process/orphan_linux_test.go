package process

import (
	"bufio"
	"strconv"
	"strings"
	"testing"
)

// A lab that is killed can do nothing any more; its children must notice.
func TestKilledLabLeavesNothing(t *testing.T) {
	for _, server := range []string{"orphan", "arbiter:3,30s,30s,good", "arbiter:3,30s,30s,stubborn", "supervised:arbiter:3,30s,30s,good"} {
		lab := child("lab:" + server)
		out, err := lab.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := lab.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		leader, err := strconv.Atoi(strings.Fields(line)[0])
		if err != nil {
			t.Fatal(err)
		}
		tree := &tree{sessions: sessionOf(leader)}
		if strings.Contains(server, "arbiter") {
			eventually(t, "the workers run", func() bool { return running(t, tree) == 4 })
		}
		if err := lab.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = lab.Wait() // it was killed
		eventually(t, server+" is gone", func() bool { return running(t, tree) == 0 })
	}
}
