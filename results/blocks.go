package results

import (
	"math"
	"slices"
)

// blocks is what metrics need of a trial's block times. It stands for them in
// a record that was read without them (see ReadFor), where a large comparison
// would hold gigabytes of samples to use one sum of each trial.
type blocks struct {
	n        int
	total    float64 // nanoseconds
	negative bool    // one of them is less than nothing
	ranks    []rank  // of the percentiles that were asked for
}

// rank is a percentile of block times.
type rank struct {
	share float64
	ns    int64
}

// exactSum bounds block times whose sum needs no rounding: of 2^15 such blocks
// it stays below 2^53 ns, and so is the same in whole numbers, which is faster.
const exactSum = 1 << 38

// sum is what stepTime needs of block times.
func sum(ns []int64) blocks {
	var whole, all int64
	for _, v := range ns {
		whole += v
		all |= v
	}
	if all >= 0 && all < exactSum && len(ns) <= 1<<15 {
		return blocks{n: len(ns), total: float64(whole)}
	}
	b := blocks{n: len(ns)}
	for _, v := range ns {
		b.negative = b.negative || v < 0
		b.total += float64(v)
	}
	return b
}

// segment sums up the record's block times, or says what was summed up when
// they were read.
func (r Record) segment() blocks {
	if r.summed != nil {
		return *r.summed
	}
	return sum(r.BlockNS)
}

// SegmentNS is how long the measured blocks took together, in nanoseconds, also
// of a record that ReadFor returned. It is false where there is none, or where
// a block is said to have taken less than no time.
func (r Record) SegmentNS() (float64, bool) {
	b := r.segment()
	return b.total, b.n > 0 && b.total > 0 && !b.negative
}

// Steps is the number of steps of the measured segment.
func (r Record) Steps() int {
	if r.summed != nil {
		return r.summed.n * r.StepsPerBlock
	}
	return len(r.BlockNS) * r.StepsPerBlock
}

// percentile is the block time of nearest rank to a share of the blocks; false
// where there is none, or where the record was read without it.
func (r Record) percentile(share float64) (int64, bool) {
	if r.summed == nil {
		return nearest(slices.Sorted(slices.Values(r.BlockNS)), share)
	}
	for _, known := range r.summed.ranks {
		if known.share == share {
			return known.ns, true
		}
	}
	return 0, false
}

// nearest is the value of nearest rank to a share of sorted values.
func nearest(sorted []int64, share float64) (int64, bool) {
	if len(sorted) == 0 {
		return 0, false
	}
	return sorted[max(1, int(math.Ceil(share*float64(len(sorted)))))-1], true
}

// summarize replaces the record's block times by what the metrics need of them,
// and of the step time. It reorders them.
func (r *Record) summarize(metrics []Metric) {
	b := sum(r.BlockNS)
	sorted := false
	for _, m := range metrics {
		if m.Percentile == 0 {
			continue
		}
		if !sorted {
			slices.Sort(r.BlockNS)
			sorted = true
		}
		if ns, ok := nearest(r.BlockNS, m.Percentile); ok {
			b.ranks = append(b.ranks, rank{m.Percentile, ns})
		}
	}
	r.BlockNS, r.summed = nil, &b
}
