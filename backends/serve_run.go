package backends

import (
	"fmt"
	"runtime/debug"
	"time"
)

// timeBlocks is the one timing loop of all Go workers. It executes blocks x
// perBlock steps from step number step on, batches being the number of
// batches in the ring, and writes the duration of block i to ns[i].
//
// Neighbouring blocks share a clock reading, so the sum of ns is the wall time
// and no step can hide between two of them. Everything it needs is allocated
// before the first reading.
func timeBlocks(b Backend, step, batches, perBlock int, ns []int64) (ran Ran, err error) {
	// Step s uses batch s mod batches: the batch numbers of a block are a
	// window of this ring, and the loop has nothing to compute.
	ring := make([]int, batches+perBlock)
	for i := range ring {
		ring[i] = i % batches
	}
	var before, after usage
	var gcBefore, gcAfter debug.GCStats
	// ReadGCStats keeps its history in this slice: two values for each of 256
	// cycles and three totals.
	gcBefore.Pause = make([]time.Duration, 0, 2*256+3)
	gcAfter.Pause = make([]time.Duration, 0, 2*256+3)

	debug.ReadGCStats(&gcBefore)
	readUsage(&before)
	start := time.Now()
	err = loop(b, start, ring, step%batches, batches, perBlock, ns)
	readUsage(&after)
	debug.ReadGCStats(&gcAfter)
	if err != nil {
		return Ran{}, err
	}
	for _, d := range ns {
		ran.WallNS += d
	}
	ran.BlockNS = ns
	ran.CPUNS = after.cpuNS - before.cpuNS
	if after.known {
		ran.SysNS = new(after.sysNS - before.sysNS)
		ran.MinorFaults = new(after.minorFaults - before.minorFaults)
		ran.Voluntary = new(after.voluntary - before.voluntary)
		ran.Involuntary = new(after.involuntary - before.involuntary)
	}
	ran.GCNS = new(int64(gcAfter.PauseTotal - gcBefore.PauseTotal))
	return ran, nil
}

// loop is the timed region. It allocates nothing of its own.
func loop(b Backend, start time.Time, ring []int, at, batches, perBlock int, ns []int64) error {
	var last time.Duration
	for i := range ns {
		if err := b.Run(ring[at : at+perBlock]); err != nil {
			return fmt.Errorf("block %d of %d: %w", i+1, len(ns), err)
		}
		now := time.Since(start)
		ns[i] = int64(now - last)
		last = now
		at = (at + perBlock) % batches
	}
	return nil
}
