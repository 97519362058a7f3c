package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// engine is the backend that is held to the limits.
const engine = "eager"

// A ratio is the engine's figure over another's, below 1 where the engine is
// faster or leaner.
type ratio struct {
	value     float64
	low, high float64 // interval of the median; equal to value where there is none
	rounds    int     // 0: of figures that have no rounds
	share     float64 // how often such an interval holds the median, 0 without one
}

// row is one demand.
type row struct {
	what   string // "training", "inference", "bf16-mixed / f32", "peak memory"
	cell   results.Cell
	own    float64 // the engine's figure: seconds per step, or bytes
	rival  string  // whom it is held against
	theirs float64
	ratio  ratio
	limit  float64
	why    string // why there is no ratio
	exempt string // why this machine is not held to the limit
}

func (r row) held() bool { return r.why == "" && (r.exempt != "" || r.ratio.value <= r.limit) }

// open says that the interval reaches over the limit: another run might say
// the opposite.
func (r row) open() bool {
	return r.why == "" && r.exempt == "" && r.ratio.share > 0 && r.ratio.low <= r.limit && r.ratio.high > r.limit
}

// limitOf is the largest ratio of step times to the fastest framework.
func limitOf(c results.Cell) float64 {
	if c.Workload == "MnistCnn" && c.Mode == "train" {
		return 0.6
	}
	return 1
}

// trials are the step times of one cell by round, of trials that ended ok.
type trials map[int]float64

func (t trials) median() float64 {
	var all []float64
	for _, v := range t {
		all = append(all, v)
	}
	return median(all)
}

// judge makes a row per demand, in the order of the run's cells: first the
// step times, then bf16-mixed against f32, then memory.
func judge(run results.Run) []row {
	times, peaks := figures(run)
	var rows []row
	for _, c := range own(run) {
		if c.Precision != "f32" {
			continue
		}
		rows = append(rows, fastest(c, run, times))
	}
	for _, c := range own(run) {
		if c.Precision == "f32" {
			continue
		}
		single := c
		single.Precision, single.Hash = "f32", ""
		r := row{what: c.Precision + " / f32", cell: c, rival: engine + " f32", limit: 0.5}
		if i := slices.IndexFunc(run.Meta.Cells, func(o results.Cell) bool { o.Hash = ""; return o == single }); i >= 0 {
			single = run.Meta.Cells[i]
		}
		r = r.against(times[c], times[single])
		if by := bf16Product(run); by != "" && by != "AMX" {
			r.exempt = "the limit is for AMX, this machine has " + by
		}
		rows = append(rows, r)
	}
	for _, c := range own(run) {
		if c.Precision == "f32" {
			rows = append(rows, leanest(c, run, peaks))
		}
	}
	return rows
}

// bf16Product is what the engine's workers multiplied bfloat16 with; "" where none
// said it.
func bf16Product(run results.Run) string {
	for _, r := range run.Records {
		if by := r.Worker.Kernels["bf16-product"]; r.Cell.Backend == engine && by != "" {
			return by
		}
	}
	return ""
}

// own are the engine's cells.
func own(run results.Run) []results.Cell {
	return slices.DeleteFunc(slices.Clone(run.Meta.Cells), func(c results.Cell) bool { return c.Backend != engine })
}

// rivals are the cells of other backends on the same work.
func rivals(c results.Cell, run results.Run) []results.Cell {
	return slices.DeleteFunc(slices.Clone(run.Meta.Cells), func(o results.Cell) bool { return o.Backend == engine || o.Group() != c.Group() })
}

// figures reads what the run holds: step times in seconds by cell and round, and
// the largest peaks above import in bytes by cell.
func figures(run results.Run) (times map[results.Cell]trials, peaks map[results.Cell]float64) {
	step, _ := results.LookupMetric("step-time")
	peak, _ := results.LookupMetric("peak-memory-above-import")
	times, peaks = map[results.Cell]trials{}, map[results.Cell]float64{}
	for _, r := range run.Trials() {
		if v, ok := step.Of(r); ok && r.End == results.EndOK {
			if times[r.Cell] == nil {
				times[r.Cell] = trials{}
			}
			times[r.Cell][r.Round] = v
		}
	}
	var memory []*results.Record
	for i := range run.Records {
		if run.Records[i].Kind == results.KindMemory {
			memory = append(memory, &run.Records[i])
		}
	}
	for _, r := range results.Warm(memory) {
		// A worker that grew by less than the parameters take had kept room from its
		// import: that says nothing of what a step needs.
		if v, ok := peak.Of(*r); ok && r.End == results.EndOK && v > float64(r.Work.ParamBytes) {
			peaks[r.Cell] = max(peaks[r.Cell], v)
		}
	}
	return times, peaks
}

// fastest holds the engine's step time to the framework for which the ratio is
// largest.
func fastest(c results.Cell, run results.Run, times map[results.Cell]trials) row {
	what := map[string]string{"train": "training", "infer": "inference"}[c.Mode]
	worst := row{what: what, cell: c, limit: limitOf(c), why: "no framework was measured"}
	for _, o := range rivals(c, run) {
		r := row{what: what, cell: c, rival: o.Backend, limit: limitOf(c)}.against(times[c], times[o])
		if r.why == "" && (worst.why != "" || r.ratio.value > worst.ratio.value) {
			worst = r
		}
	}
	if len(times[c]) == 0 {
		worst.why = "no trial of the engine ended ok"
	}
	return worst
}

// leanest holds the engine's peak to the framework with the smallest.
func leanest(c results.Cell, run results.Run, peaks map[results.Cell]float64) row {
	r := row{what: "peak memory", cell: c, limit: 1, own: peaks[c], why: "no framework has a figure"}
	for _, o := range rivals(c, run) {
		if v, ok := peaks[o]; ok && (r.rival == "" || v < r.theirs) {
			r.rival, r.theirs, r.why = o.Backend, v, ""
		}
	}
	if _, ok := peaks[c]; !ok {
		r.why = "the engine has no figure"
	}
	if r.why == "" {
		v := r.own / r.theirs
		r.ratio = ratio{value: v, low: v, high: v}
	}
	return r
}

// against fills in the ratio of two cells' step times.
func (r row) against(a, b trials) row {
	r.own, r.theirs = a.median(), b.median()
	var pairs []float64
	for n, v := range a {
		if w, ok := b[n]; ok {
			pairs = append(pairs, v/w)
		}
	}
	if len(pairs) == 0 {
		r.why = "no round has valid trials of both"
		return r
	}
	r.ratio = medianRatio(pairs)
	return r
}

// coverage that an interval of the median has at least.
const coverage = 0.95

// medianRatio is the median of the ratios of rounds and its distribution-free
// interval: the order statistics k and n+1-k hold the median of the
// distribution with probability 1 - 2 P(Binomial(n, 1/2) < k) (David and Nagaraja,
// Order Statistics, 2003, section 7.1). Fewer than 6 rounds have none.
func medianRatio(pairs []float64) ratio {
	slices.Sort(pairs)
	n := len(pairs)
	r := ratio{value: median(pairs), rounds: n}
	r.low, r.high = r.value, r.value
	tail := math.Pow(0.5, float64(n)) // P(Binomial = 0)
	below := tail
	for k := 1; k <= n/2 && 1-2*below >= coverage; k++ {
		r.low, r.high, r.share = pairs[k-1], pairs[n-k], 1-2*below
		tail *= float64(n-k+1) / float64(k)
		below += tail
	}
	return r
}

// median of values; NaN of none.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return math.NaN()
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// misses are the limits that were not held, a line each.
func misses(rows []row) []string {
	var out []string
	for _, r := range rows {
		switch {
		case r.held():
		case r.why != "":
			out = append(out, fmt.Sprintf("%s, %s: %s", r.what, name(r.cell), r.why))
		default:
			out = append(out, fmt.Sprintf("%s, %s: %.2f of %s, limit %.2g", r.what, name(r.cell), r.ratio.value, r.rival, r.limit))
		}
	}
	return out
}

// name is the cell without what all of them share.
func name(c results.Cell) string {
	return fmt.Sprintf("%s batch=%d threads=%d", c.Workload, c.Batch, cmp.Or(c.Threads, 1))
}
