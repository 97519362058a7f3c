package peak

import "golang.org/x/sys/unix"

// bind keeps the calling thread on one CPU. Where the system refuses, it runs
// wherever it is put.
func bind(cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	_ = unix.SchedSetaffinity(0, &set)
}
