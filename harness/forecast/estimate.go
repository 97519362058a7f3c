package forecast

import (
	"maps"
	"math"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// estimate makes the cost of a cell that no host has seen from those cells of
// its backend that one has: from the one whose work is most alike, by the ratio
// of what rates fitted to all of them say of the two. ok is false without any.
func estimate(want Cost, pool []Cost) (Cost, bool) {
	pool = alike(want.Cell, pool)
	if len(pool) == 0 {
		return Cost{}, false
	}
	rates := fitRates(pool)
	near := pool[0]
	for _, c := range pool[1:] {
		if distance(want, c, rates) < distance(want, near, rates) {
			near = c
		}
	}
	ratio := func(work func(Cost) float64) float64 {
		a, b := work(want), work(near)
		if a <= 0 || b <= 0 {
			return 1
		}
		return a / b
	}
	steps := ratio(rates.step)
	out := want
	out.Ends, out.Trials = near.Ends, maps.Clone(near.Trials)
	for form, t := range out.Trials {
		t.Step *= steps
		t.WarmupStep *= steps
		t.Build *= ratio(rates.build)
		// What a framework compiles grows with the number of operations, and the
		// rest of these phases is steps.
		t.First *= math.Sqrt(steps * ratio(func(c Cost) float64 { return float64(c.Calls) }))
		t.Check *= steps
		out.Trials[form] = t
	}
	out.Imported = near.Imported
	out.Peak = near.Imported + int64(float64(max(0, near.Peak-near.Imported))*ratio(counted))
	return out, true
}

// alike narrows pool to the cells on the same device and of the same mode.
func alike(cell results.Cell, pool []Cost) []Cost {
	var same []Cost
	for _, c := range pool {
		if c.Cell.Device == cell.Device && c.Cell.Mode == cell.Mode {
			same = append(same, c)
		}
	}
	// Cells that end early say nothing of the work, unless all do.
	var works []Cost
	for _, c := range same {
		if c.Ends == "" {
			works = append(works, c)
		}
	}
	if len(works) > 0 {
		return works
	}
	return same
}

// distance is smallest for the same program with other settings, then for the
// same model with another batch, then for a model of as much work.
func distance(want, c Cost, r rates) float64 {
	d := 0.0
	if c.Cell.Hash != want.Cell.Hash {
		d += 1
	}
	if c.Cell.Workload != want.Cell.Workload {
		d += 3
	}
	for _, differs := range []bool{
		c.Cell.Precision != want.Cell.Precision, c.Cell.Threads != want.Cell.Threads, c.Cell.Data != want.Cell.Data,
		c.Cell.Checkpoint != want.Cell.Checkpoint, c.Cell.Allocator != want.Cell.Allocator, c.Cell.Accumulate != want.Cell.Accumulate,
	} {
		if differs {
			d += 0.2
		}
	}
	if a, b := r.step(want), r.step(c); a > 0 && b > 0 {
		d += math.Abs(math.Log(a / b))
	}
	return d
}

// rates is how long a backend takes per unit of work.
type rates struct {
	perStep  []float64 // seconds per call, per FLOP and per byte
	perBuild []float64 // seconds, and seconds per byte of parameters
}

func (r rates) step(c Cost) float64  { return dot(r.perStep, stepWork(c)) }
func (r rates) build(c Cost) float64 { return dot(r.perBuild, buildWork(c)) }

func stepWork(c Cost) []float64 {
	return []float64{float64(c.Calls), float64(c.Work.ModelFLOPs), counted(c)}
}

func buildWork(c Cost) []float64 { return []float64{1, float64(c.Work.ParamBytes)} }

// counted is the memory of a cell's tensors, optimizer state included as if it
// were Adam's.
func counted(c Cost) float64 {
	if c.Cell.Mode == "train" {
		return float64(4*c.Work.ParamBytes + c.Work.ActivationBytes)
	}
	return float64(c.Work.ParamBytes + c.Work.ActivationBytes)
}

func fitRates(pool []Cost) rates {
	var steps, builds [][]float64
	var stepTimes, buildTimes []float64
	for _, c := range pool {
		t, ok := c.Trials[Time]
		if !ok {
			t, ok = c.Trials[TimeShared]
		}
		if !ok {
			continue
		}
		steps, stepTimes = append(steps, stepWork(c)), append(stepTimes, t.Step)
		builds, buildTimes = append(builds, buildWork(c)), append(buildTimes, t.Build)
	}
	return rates{fit(steps, stepTimes), fit(builds, buildTimes)}
}

// fit returns x >= 0 that makes the sum of (work_i . x / seconds_i - 1)^2 small: by
// coordinate descent, from equal shares of every kind of work. Relative errors,
// since times differ by orders of magnitude.
func fit(work [][]float64, seconds []float64) []float64 {
	if len(work) == 0 {
		return nil
	}
	n := len(work[0])
	var rows [][]float64
	for i, w := range work {
		if seconds[i] > 0 {
			row := make([]float64, n)
			for j, v := range w {
				row[j] = v / seconds[i]
			}
			rows = append(rows, row)
		}
	}
	x := make([]float64, n)
	for j := range x {
		var mean float64
		for _, row := range rows {
			mean += row[j] / float64(len(rows))
		}
		if mean > 0 {
			x[j] = 1 / (mean * float64(n))
		}
	}
	const sweeps = 200
	for range sweeps {
		for j := range x {
			var slope, curve float64
			for _, row := range rows {
				slope += row[j] * (1 - dot(row, x))
				curve += row[j] * row[j]
			}
			if curve > 0 {
				x[j] = max(0, x[j]+slope/curve)
			}
		}
	}
	return x
}

func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// base is the name of the entry that a second environment of a framework
// ("pytorch@2.14.0") is taken from.
func base(backend string) string {
	name, _, _ := strings.Cut(backend, "@")
	return name
}
