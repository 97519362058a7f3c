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
	r := fitRates(pool)
	near := pool[0]
	for _, c := range pool[1:] {
		if distance(want, c, r) < distance(want, near, r) {
			near = c
		}
	}
	ratio := func(x []float64, work func(Cost) []float64) float64 {
		a, b := dot(x, work(want)), dot(x, work(near))
		if a <= 0 || b <= 0 {
			return 1
		}
		return a / b
	}
	steps := ratio(r.step, stepWork)
	out := want
	out.Ends, out.Trials = near.Ends, maps.Clone(near.Trials)
	for form, t := range out.Trials {
		t.Step *= steps
		t.WarmupStep *= steps
		t.Learn = 0 // the time that is given to it is bounded: from the steps of this cell
		t.Build *= ratio(r.build, startWork)
		t.First *= ratio(r.first, startWork)
		t.Check *= ratio(r.check, startWork)
		out.Trials[form] = t
	}
	out.Above, out.Peak, out.Imported = estimateMemory(want, pool)
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
	return d + abs(logRatio(dot(r.step, stepWork(want)), dot(r.step, stepWork(c))))
}

// logRatio is 0 where either is not known.
func logRatio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	return math.Log(a / b)
}

func abs(x float64) float64 { return math.Abs(x) }

// rates is how long a backend takes per unit of the work of stepWork and, for
// what comes before the steady step, of startWork.
type rates struct{ step, build, first, check []float64 }

func stepWork(c Cost) []float64 {
	return []float64{float64(c.Calls), float64(c.Work.ModelFLOPs), counted(c)}
}

// startWork: what is compiled grows with the operations, what is loaded and read
// back with the parameters, and the steps among it with the arithmetic.
func startWork(c Cost) []float64 {
	return []float64{1, float64(c.Calls), float64(c.Work.ParamBytes), float64(c.Work.ModelFLOPs)}
}

// counted is the memory of a cell's tensors, optimizer state included as if it
// were Adam's.
func counted(c Cost) float64 {
	if c.Cell.Mode == "train" {
		return float64(4*c.Work.ParamBytes + c.Work.ActivationBytes)
	}
	return float64(c.Work.ParamBytes + c.Work.ActivationBytes)
}

func fitRates(pool []Cost) rates {
	of := func(work func(Cost) []float64, seconds func(Trial) float64) []float64 {
		var rows [][]float64
		var took []float64
		for _, c := range pool {
			for _, f := range []Form{Time, TimeShared, Memory} {
				if t, ok := c.Trials[f]; ok && seconds(t) > 0 {
					rows, took = append(rows, work(c)), append(took, seconds(t))
					break
				}
			}
		}
		return fit(rows, took)
	}
	return rates{
		step:  of(stepWork, func(t Trial) float64 { return t.Step }),
		build: of(startWork, func(t Trial) float64 { return t.Build }),
		first: of(startWork, func(t Trial) float64 { return t.First }),
		check: of(startWork, func(t Trial) float64 { return t.Check }),
	}
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
