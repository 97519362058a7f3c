package forecast

import (
	"github.com/dlbench/dlbench/results"
)

// estimateMemory makes the memory of a cell that no host has seen from those
// cells of its backend that one has, as estimate makes its times: of the one that
// holds about as much, by the ratio of what a fit to all of them says of the two.
func estimateMemory(want Cost, pool []Cost) (above, peak, imported int64) {
	var known []Cost
	for _, c := range alike(want.Cell, pool) {
		if c.above() > 0 {
			known = append(known, c)
		}
	}
	if len(known) == 0 {
		return 0, 0, 0
	}
	x := fitMemory(known)
	near := known[0]
	for _, c := range known[1:] {
		if memoryDistance(want, c, x) < memoryDistance(want, near, x) {
			near = c
		}
	}
	ratio := 1.0
	if a, b := dot(x, held(want)), dot(x, held(near)); a > 0 && b > 0 {
		ratio = a / b
	}
	above = int64(float64(near.above()) * ratio)
	// A trial's largest size is not far above that of its memory trial: what the
	// check reads back comes on top.
	return above, near.Imported + int64(float64(near.Peak-near.Imported)*ratio), near.Imported
}

// fitMemory says how many bytes a backend's worker grows by for each byte that
// the shapes count, by kind (see held).
func fitMemory(known []Cost) []float64 {
	var rows [][]float64
	var grew []float64
	for _, c := range known {
		rows, grew = append(rows, held(c)), append(grew, float64(c.above()))
	}
	return fit(rows, grew)
}

// memoryDistance is smallest for the same workload, then for as much memory.
func memoryDistance(want, c Cost, x []float64) float64 {
	d := abs(logRatio(dot(x, held(want)), dot(x, held(c))))
	if c.Cell.Workload != want.Cell.Workload {
		d += 1
	}
	for _, differs := range []bool{
		c.Cell.Precision != want.Cell.Precision, c.Cell.Checkpoint > 0 != (want.Cell.Checkpoint > 0),
		c.Cell.Accumulate > 1 != (want.Cell.Accumulate > 1), c.Cell.Allocator != want.Cell.Allocator,
		c.Cell.Threads != want.Cell.Threads,
	} {
		if differs {
			d += 0.3
		}
	}
	return d
}

// held is what a worker holds for a cell by kind: what any program costs, in MiB;
// parameters with gradients and the optimizer's state; activations that are there
// at the same time; one batch; and the operations that compiled code is made of.
func held(c Cost) []float64 {
	w := c.Work
	state := w.ParamBytes + w.GradientBytes + w.OptimizerBytes
	kept := w.KeptBytes
	if kept == 0 { // costs of older versions
		kept = w.ActivationBytes / int64(max(1, c.Cell.Accumulate))
	}
	return []float64{1 << 20, float64(state), float64(kept), float64(w.InputBytes), float64(c.Calls) * 1024}
}

// above is how much the worker grew over the level after its import.
func (c Cost) above() int64 {
	if c.Above > 0 {
		return c.Above
	}
	return max(0, c.Peak-c.Imported)
}

// grewBy is what a memory trial grew by, 0 if not known.
func grewBy(r results.Record) int64 {
	m := r.Memory
	if r.Kind != results.KindMemory || m == nil || m.PeakPSS == nil || m.ImportPSS == nil {
		return 0
	}
	return max(0, *m.PeakPSS-*m.ImportPSS)
}
