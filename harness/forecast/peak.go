package forecast

import (
	"math"

	"github.com/dlbench/dlbench/results"
)

// estimateMemory makes the memory of a cell that no host has seen from those
// cells of its backend that one has. Bytes that the shapes count are the same on
// every backend; what a worker takes besides, for the runtime and for each
// operation that is compiled, is fitted to the known cells. Where the workload itself is
// known with other settings, the estimate is that cell's and the difference that the
// shapes make.
func estimateMemory(want Cost, pool []Cost) (above, peak, imported int64) {
	var known []Cost
	for _, c := range pool {
		if c.Ends == "" && c.Cell.Device == want.Cell.Device && c.above() > 0 {
			known = append(known, c)
		}
	}
	if len(known) == 0 {
		return 0, 0, 0
	}
	m := fitMemory(known)
	near := known[0]
	for _, c := range known[1:] {
		if m.distance(want, c) < m.distance(want, near) {
			near = c
		}
	}
	guess := m.of(want)
	if near.Cell.Workload == want.Cell.Workload && near.Cell.Mode == want.Cell.Mode {
		// The model may be off, but hardly by more than the whole of what it adds.
		guess = max(float64(near.above())+guess-m.of(near), guess/2)
	}
	above = int64(guess)
	imported = near.Imported
	// A check reads tensors back, so the largest worker is that of no memory trial.
	return above, imported + max(above, above+near.Peak-near.Imported-near.above()), imported
}

// memoryModel is what a backend's worker takes beside the counted bytes.
type memoryModel struct {
	runtime float64 // bytes, whatever it runs
	// perDoubling is in bytes: a compiler's memory grows with the operations of a
	// step, but those of a long sequence are much alike.
	perDoubling float64
}

// fitMemory fits the model to cells whose memory is known.
func fitMemory(known []Cost) memoryModel {
	var rows [][]float64
	var rest []float64
	for _, c := range known {
		rows = append(rows, []float64{mib, mib * math.Log2(1+float64(c.Calls))})
		// A rest of next to nothing would rule the fit, whose errors are relative.
		rest = append(rest, max(float64(c.above())-held(c), 0.45*float64(c.above())))
	}
	x := fit(rows, rest)
	return memoryModel{runtime: x[0] * mib, perDoubling: x[1] * mib}
}

// of is what the model says of a cell, in bytes.
func (m memoryModel) of(c Cost) float64 {
	return held(c) + m.runtime + m.perDoubling*math.Log2(1+float64(c.Calls))
}

// distance is smallest for the same workload with other settings, then for as much
// memory.
func (m memoryModel) distance(want, c Cost) float64 {
	d := abs(logRatio(m.of(want), m.of(c)))
	if c.Cell.Workload != want.Cell.Workload || c.Cell.Mode != want.Cell.Mode {
		d += 10
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

// held is what a worker holds of a cell's tensors: parameters with gradients and
// the optimizer's state, and a quarter more of what they are loaded from; activations
// that are there at the same time; the batches. Gradients of activations and what ops
// keep besides are about what ops save that write over their inputs.
func held(c Cost) float64 {
	w := c.Work
	kept := w.KeptBytes
	if kept == 0 { // costs of older versions
		kept = w.ActivationBytes / int64(max(1, c.Cell.Accumulate))
	}
	return 1.25*float64(w.ParamBytes+w.GradientBytes+w.OptimizerBytes) + float64(kept) + batches*float64(w.InputBytes)
}

const mib = 1 << 20

// batches are those of a shipped workload, and the one that is read.
const batches = 9

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
