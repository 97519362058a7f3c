//go:build !linux

package host

import (
	"fmt"
	"runtime"

	"github.com/shirou/gopsutil/v3/disk"
)

// Granted returns no mask: this system cannot bind a process to CPUs. It still
// refuses more threads than there are CPUs.
func Granted(threads int) ([]int, error) {
	if threads < 1 {
		return nil, fmt.Errorf("%d threads: expected 1 or more", threads)
	}
	if n := runtime.NumCPU(); threads > n {
		return nil, fmt.Errorf("%d threads are asked for, but this host has %d CPUs", threads, n)
	}
	return nil, nil
}

func onCPU(cpus []int, f func()) { f() }

// ownCPU is not needed where the host's own total is not read.
func ownCPU() (int64, bool) { return 0, false }

func diskFree(dir string) (int64, error) {
	dir, err := existing(dir)
	if err != nil {
		return 0, err
	}
	u, err := disk.Usage(dir)
	if err != nil {
		return 0, err
	}
	return int64(u.Free), nil
}
