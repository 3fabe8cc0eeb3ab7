package scenarios

import (
	"os"
	"strconv"
	"strings"
)

// memoryLimit is the cgroup's limit in bytes; 0 where there is none.
func memoryLimit() int64 {
	for _, f := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		if err == nil && n < 1<<50 { // version 1 writes a huge number for "none"
			return n
		}
	}
	return 0
}
