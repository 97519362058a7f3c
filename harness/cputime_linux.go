package harness

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time of all threads of a process, ended ones included, in
// nanoseconds and not in ticks: its CPU clock (clock_getcpuclockid(3): the
// complement of the process id, shifted, and CPUCLOCK_SCHED). 0 if it cannot be
// read.
func cpuTime(pid int) time.Duration {
	const sched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
