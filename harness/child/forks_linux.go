package child

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/dlbench/dlbench/memprof"
)

// EndOrphans kills what processes of earlier trials left behind: all below the
// supervisor, which adopts them, that is not below the worker. It returns those
// that would not die.
func (c *Child) EndOrphans() []int {
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		kept, err := memprof.Tree(c.pid)
		if err != nil {
			return nil // the worker has ended, and its tree with it
		}
		orphans := slices.DeleteFunc(c.Processes(), func(pid int) bool { return slices.Contains(kept, pid) })
		if len(orphans) == 0 || time.Now().After(deadline) {
			return orphans
		}
		for _, pid := range orphans {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// CPU is the user and system time of the supervisor, the worker and all below
// them, those that they have waited for included. Once Wait has returned it is
// 0: then the harness's own account of its children holds that time.
func (c *Child) CPU() time.Duration {
	select {
	case <-c.done:
		return 0
	default:
	}
	var total time.Duration
	for _, pid := range append([]int{c.Root()}, c.Processes()...) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil {
			total += cpuOf(stat)
		}
	}
	return total
}

// cpuOf sums utime, stime, cutime and cstime of /proc/PID/stat (proc(5)), in
// hundredths of a second: USER_HZ is 100 on every architecture of ours. The
// name in parentheses may hold anything, so fields count from the last one.
func cpuOf(stat []byte) time.Duration {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime = 11 // the 14th field of all, the 12th behind the name
	if len(fields) < utime+4 {
		return 0
	}
	var ticks int64
	for _, f := range fields[utime : utime+4] {
		n, _ := strconv.ParseInt(string(f), 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
