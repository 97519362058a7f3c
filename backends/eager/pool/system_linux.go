package pool

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// yield lets another thread have the processor, if one wants it. It is a system
// call as the scheduler of Go knows them: the collector need not wait for its end.
func yield() { unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// granted is the number of processors in the affinity mask.
func granted() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() == 0 {
		return runtime.NumCPU()
	}
	return set.Count()
}
