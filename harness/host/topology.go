package host

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
)

// choose picks threads of the allowed CPUs; see Granted.
func choose(root fs.FS, allowed []int, threads int) ([]int, error) {
	if threads < 1 {
		return nil, fmt.Errorf("%d threads: expected 1 or more", threads)
	}
	if threads > len(allowed) {
		return nil, fmt.Errorf("%d threads are asked for, but this process may use %d CPUs (%v); ask for at most that many, or widen its affinity mask",
			threads, len(allowed), allowed)
	}
	type candidate struct {
		cpu     int
		speed   int // larger is faster; comparable within a host only
		sibling int // how many faster or equal CPUs of its core come first
	}
	var all []candidate
	onCore := map[string]int{}
	for _, n := range slices.Backward(allowed) {
		dir := "sys/devices/system/cpu/cpu" + strconv.Itoa(n)
		// Cores that differ say so by their capacity (arm64) or top frequency.
		speed, err := strconv.Atoi(readLine(root, dir+"/cpu_capacity"))
		if err != nil {
			speed, _ = strconv.Atoi(readLine(root, dir+"/cpufreq/cpuinfo_max_freq"))
		}
		core := readLine(root, dir+"/topology/thread_siblings_list")
		if core == "" {
			core = strconv.Itoa(n)
		}
		all = append(all, candidate{cpu: n, speed: speed, sibling: onCore[core]})
		onCore[core]++
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.sibling, b.sibling), cmp.Compare(b.speed, a.speed), cmp.Compare(b.cpu, a.cpu))
	})
	var picked []int
	for _, c := range all[:threads] {
		picked = append(picked, c.cpu)
	}
	slices.Sort(picked)
	return picked, nil
}
