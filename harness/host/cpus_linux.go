package host

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Granted chooses the CPUs for workers of that many threads from the affinity
// mask of this process: the fastest first, one per physical core while they
// last, and from the top down, because CPU 0 serves most interrupts and the
// harness. The result is sorted.
func Granted(threads int) ([]int, error) {
	allowed, err := mask()
	if err != nil {
		return nil, fmt.Errorf("read the CPU affinity mask: %w", err)
	}
	return choose(os.DirFS("/"), allowed, threads)
}

// mask returns the CPUs that the calling thread may run on.
func mask() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var cpus []int
	for n := range len(set) * 64 {
		if set.IsSet(n) {
			cpus = append(cpus, n)
		}
	}
	return cpus, nil
}

// onCPU calls f on the last of cpus.
func onCPU(cpus []int, f func()) {
	if len(cpus) > 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var before, one unix.CPUSet
		if unix.SchedGetaffinity(0, &before) == nil {
			one.Set(cpus[len(cpus)-1])
			unix.SchedSetaffinity(0, &one)
			defer unix.SchedSetaffinity(0, &before)
		}
	}
	f()
}

// ownCPU is the CPU time of this process and of its children that were waited
// for, in nanoseconds.
func ownCPU() (int64, bool) {
	var total int64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var ru syscall.Rusage
		if syscall.Getrusage(who, &ru) != nil {
			return 0, false
		}
		total += ru.Utime.Nano() + ru.Stime.Nano()
	}
	return total, true
}

// diskFree returns the bytes that this user can still write below dir, or below
// its nearest parent that exists.
func diskFree(dir string) (int64, error) {
	dir, err := existing(dir)
	if err != nil {
		return 0, err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // 32 bits on some platforms
}
