package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// account asks the system what it counts for a worker and this process.
func account(worker int) func() backends.Account {
	own := os.Getpid()
	return func() backends.Account {
		return backends.Account{Waiting: waited(worker) + waited(own), CPU: cpuTime(worker)}
	}
}

// waited is how long the threads of a process have been ready to run without a
// CPU, from the second field of /proc/PID/task/*/schedstat (Linux,
// Documentation/scheduler/sched-stats.rst). It is 0 where the system does not
// tell: then nothing is excused.
func waited(pid int) time.Duration {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	var total time.Duration
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that ended
		}
		if fields := bytes.Fields(text); len(fields) > 1 {
			ns, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}
