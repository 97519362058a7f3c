package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// From when on something is worth a warning.
const (
	threadsOver = 1.05 // CPU time per wall time, over the threads that were granted
	stealShare  = 0.01 // of the trial's wall time
	throttled   = 0.01
	othersLeast = 30_000_000 // ns: the counters behind it step by 10 ms each
	othersShare = 0.10       // of one CPU
	canaryOver  = 1.25       // over the median of the run
	// CPU time is counted to within 2 ms; what a process does outside of its
	// blocks is that much.
	cpuSlackNS = 2_000_000
	// A worker's clock is held to the harness's own within 5 ms, which are those of
	// the scheduler, and to the CPU time that the system counts within 2 ms. Of a
	// segment shorter than this, more than a fifth would be taken on trust.
	shortNS = 10_000_000
)

// warnings are the doubts about the valid trials of a cell. They flag trials;
// none is left out for them.
func warnings(trials []results.Record, usualCanary float64) []string {
	var list []string
	add := func(n int, text string) {
		if n > 0 {
			list = append(list, fmt.Sprintf("%d of %d trials %s", n, len(trials), text))
		}
	}
	notSteady, over, tooShort, most := 0, 0, 0, 0.0
	var threads int
	disturbed := 0
	var causes []string
	for _, r := range trials {
		if r.Steady != nil && !r.Steady.Reached {
			notSteady++
		}
		if short(r) {
			tooShort++
		}
		if u := r.Usage; u != nil && u.WallNS > 0 && r.Cell.Threads > 0 {
			used := float64(u.CPUNS) / float64(u.WallNS)
			more := float64(u.CPUNS) - float64(r.Cell.Threads)*float64(u.WallNS)
			if used > threadsOver*float64(r.Cell.Threads) && more > cpuSlackNS {
				over++
				most, threads = max(most, used), r.Cell.Threads
			}
		}
		if c := disturbances(r, usualCanary); len(c) > 0 {
			disturbed++
			for _, cause := range c {
				if !slices.Contains(causes, cause) {
					causes = append(causes, cause)
				}
			}
		}
	}
	add(notSteady, "not steady after the longest warm-up")
	add(over, fmt.Sprintf("used more CPU than granted (up to %.2f CPUs, granted %d)", most, threads))
	add(tooShort, fmt.Sprintf("measured for less than %d ms, too short for the harness's clock to confirm", shortNS/1_000_000))
	slices.Sort(causes)
	add(disturbed, "disturbed ("+strings.Join(causes, ", ")+")")
	return list
}

// count tallies what a comparison weighs beside the times themselves.
func (c *cellTrials) count(usualCanary float64) {
	for _, r := range c.timed {
		if len(disturbances(r, usualCanary)) > 0 {
			c.disturbed++
		} else if d := r.Disturb; d == nil || d.StealNS == nil && d.PSICPUNS == nil && d.OthersCPUNS == nil {
			c.unwatched++
		}
		if short(r) {
			c.short++
		}
	}
}

// short reports whether a trial's measured segment is too short to be confirmed.
func short(r results.Record) bool {
	return r.Usage != nil && r.Usage.WallNS > 0 && r.Usage.WallNS < shortNS
}

// busyRun warns of a run most of whose valid timed trials were disturbed.
func busyRun(by map[results.Cell]*cellTrials) []string {
	disturbed, trials := 0, 0
	for _, c := range by {
		disturbed += c.disturbed
		trials += len(c.timed)
	}
	if 2*disturbed <= trials {
		return nil
	}
	return []string{fmt.Sprintf("the host was not quiet: %d of %d trials were disturbed", disturbed, trials)}
}

// disturbances names what else happened on the host during a trial.
func disturbances(r results.Record, usualCanary float64) []string {
	d := r.Disturb
	if d == nil || r.WallNS <= 0 {
		return nil
	}
	var list []string
	share := func(ns *int64, limit float64, name string) {
		if ns != nil && float64(*ns) > limit*float64(r.WallNS) {
			list = append(list, name)
		}
	}
	share(d.StealNS, stealShare, "CPU time stolen by the hypervisor")
	share(d.ThrottledNS, throttled, "throttled by the cgroup")
	// Pressure is recorded and no flag: threads of the worker itself that wait
	// for each other on the granted CPUs count in it.
	if d.OthersCPUNS != nil && *d.OthersCPUNS > othersLeast {
		share(d.OthersCPUNS, othersShare, "other processes ran")
	}
	if usualCanary > 0 && float64(d.CanaryNS) > canaryOver*usualCanary {
		list = append(list, "the canary was slow")
	}
	if g := d.GPU; g != nil {
		if len(g.Slowdowns) > 0 {
			list = append(list, "heat or power held the GPU back")
		}
		if g.Others != nil && *g.Others > 0 {
			list = append(list, "other programs used the GPU")
		}
	}
	return list
}

// usualCanary is the median time of the canary kernel over the run.
func usualCanary(records []results.Record) float64 {
	var ns []int64
	for i := range records {
		if d := records[i].Disturb; d != nil && d.CanaryNS > 0 {
			ns = append(ns, d.CanaryNS)
		}
	}
	if len(ns) == 0 {
		return 0
	}
	slices.Sort(ns)
	return float64(ns[len(ns)/2])
}

// SameHost lists what differs between two hosts, with both values. Speeds may
// be compared without a warning only where it is empty.
func SameHost(a, b results.Host) []string { return a.Diff(b) }
