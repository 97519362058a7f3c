package compare

import (
	"cmp"
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// What can explain that a trial was slow.
const (
	SlowPageFaults = "page-faults" // the kernel mapped and cleared memory in the steps
	SlowSystem     = "system-time" // the kernel worked for the process
	SlowWaiting    = "waiting"     // the process was ready, and others had its CPUs
)

// Slowdown explains slow trials of a cell by what its processes used. It is a
// remark on the interval, never judged, and no trial is left out for it.
type Slowdown struct {
	Cause string `json:"cause"` // one of the Slow… constants
	// Explained counts the slow trials that the cause accounts for, of Trials; 0:
	// no single one, but the step time of all follows the cause.
	Explained int `json:"explained"`
	Trials    int `json:"trials"`
	// Round is that of the slowest of them; Extra is by how many nanoseconds its
	// steps were longer than the median, and Part is what of it the cause took.
	// With no single trial both are the slower half's, against the faster half.
	Round int     `json:"round,omitempty"`
	Extra float64 `json:"extra_ns_per_step"`
	Part  float64 `json:"part_ns_per_step"`
	// Events are its page faults (of waiting: its involuntary context switches)
	// per step, Usual the median over trials; 0 for system time.
	Events float64 `json:"events_per_step,omitempty"`
	Usual  float64 `json:"usual_events_per_step,omitempty"`
	// Correlation is Spearman's between step time and the cause over the trials;
	// nil: it has none.
	Correlation *float64 `json:"rank_correlation,omitempty"`
}

const (
	// From when on a trial is slow: over the median of the cell's trials.
	slowOver = 0.05
	// The share of the extra time that a cause must take to explain it.
	slowShare = 0.5
	// System time is sampled: the kernel splits the CPU time, which it knows to
	// the nanosecond, by what ran at its ticks, at most 250 a second where they are
	// few. A share of n ticks is known to the square root of n.
	tickNS = 4e6
	// Upper bounds of what an event can cost: a fault of a page of 4 KiB takes up to
	// some microseconds in a virtual machine, and who loses a CPU waits for some
	// time slices of the others.
	faultNS  = 10e3
	switchNS = 30e6
	// One-sided, at 10 %: a rank correlation times the root of (trials - 1) is
	// near normal where there is no relation (Hotelling and Pabst 1936).
	correlated = 1.282
)

// cause is how a Slowdown is told from the figures of a trial.
type cause struct {
	name string
	part func(slowFigures) float64 // nanoseconds per step
	// event counts what the part comes from; atMost is what one of them can take.
	event  func(slowFigures) float64
	atMost float64
	// sigmas is what sampled parts must differ by, in standard errors of the
	// sampling; 0: the part is not sampled. Events, which are counted exactly, are
	// a second witness.
	sigmas float64
}

var causes = []cause{
	{SlowPageFaults, func(f slowFigures) float64 { return f.system }, func(f slowFigures) float64 { return f.faults }, faultNS, 2},
	{SlowSystem, func(f slowFigures) float64 { return f.system }, nil, 0, 3},
	{SlowWaiting, func(f slowFigures) float64 { return f.waited }, func(f slowFigures) float64 { return f.switches }, switchNS, 0},
}

// slowFigures are what one trial used, per step; times in nanoseconds.
type slowFigures struct {
	round, steps                           int
	step, system, waited, faults, switches float64
}

// figuresOf are the figures of trials that have all of them.
func figuresOf(trials []results.Record) []slowFigures {
	var list []slowFigures
	for _, r := range trials {
		u, n := r.Usage, float64(r.Steps())
		if u == nil || n == 0 || u.WallNS <= 0 || u.SysNS == nil || u.MinorFaults == nil || u.Involuntary == nil {
			continue
		}
		total, ok := r.SegmentNS()
		if !ok {
			continue
		}
		list = append(list, slowFigures{
			round: r.Round, steps: r.Steps(), step: total / n, system: float64(*u.SysNS) / n,
			waited: (float64(u.WallNS) - float64(u.CPUNS)/float64(max(1, r.Cell.Threads))) / n,
			faults: float64(*u.MinorFaults) / n, switches: float64(*u.Involuntary) / n,
		})
	}
	return list
}

// slowdowns explain the slow trials of a cell, where they can be explained: with
// what is known of at least as many trials as an interval takes.
func slowdowns(trials []results.Record) []Slowdown {
	figures := figuresOf(trials)
	if len(figures) < minTrials {
		return nil
	}
	var list []Slowdown
	explained := map[int]bool{} // by round
	for _, c := range causes {
		if s := c.explain(figures, explained); s.Explained > 0 {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		list = between(figures)
	}
	return list
}

// explain holds a cause against each slow trial that no earlier cause explains.
func (c cause) explain(figures []slowFigures, explained map[int]bool) Slowdown {
	usual := slowFigures{
		step:     medianBy(figures, func(f slowFigures) float64 { return f.step }),
		system:   medianBy(figures, func(f slowFigures) float64 { return f.system }),
		waited:   medianBy(figures, func(f slowFigures) float64 { return f.waited }),
		faults:   medianBy(figures, func(f slowFigures) float64 { return f.faults }),
		switches: medianBy(figures, func(f slowFigures) float64 { return f.switches }),
	}
	out := Slowdown{Cause: c.name, Trials: len(figures), Correlation: c.correlation(figures)}
	for _, f := range figures {
		if explained[f.round] || !c.accounts(f, usual, float64(f.steps)) {
			continue
		}
		explained[f.round] = true
		out.Explained++
		if extra := f.step - usual.step; extra > out.Extra {
			out.Round, out.Extra, out.Part = f.round, extra, c.part(f)-c.part(usual)
			if c.event != nil {
				out.Events, out.Usual = c.event(f), c.event(usual)
			}
		}
	}
	return out
}

// between holds the slower half of the trials against the faster half, where
// step time follows page faults. A cell with two kinds of trials, of about as
// many each, has a median between them and few trials that lie far above it.
func between(figures []slowFigures) []Slowdown {
	c := causes[0]
	out := Slowdown{Cause: c.name, Trials: len(figures), Correlation: c.correlation(figures)}
	if out.Correlation == nil || *out.Correlation*math.Sqrt(float64(len(figures)-1)) < correlated {
		return nil
	}
	sorted := slices.Clone(figures)
	slices.SortStableFunc(sorted, func(a, b slowFigures) int { return cmp.Compare(a.step, b.step) })
	half := len(sorted) / 2
	fast, slow := meanOf(sorted[:half]), meanOf(sorted[len(sorted)-half:])
	if !c.accounts(slow, fast, float64(slow.steps)) {
		return nil
	}
	out.Extra, out.Part = slow.step-fast.step, c.part(slow)-c.part(fast)
	out.Events, out.Usual = c.event(slow), c.event(fast)
	return []Slowdown{out}
}

// accounts reports whether f is slow against usual and the cause takes enough of
// the difference, more than chance gives it and no more than its events can.
// steps is how many steps stand behind the figures.
func (c cause) accounts(f, usual slowFigures, steps float64) bool {
	extra, part := f.step-usual.step, c.part(f)-c.part(usual)
	if extra <= slowOver*usual.step || part < slowShare*extra {
		return false
	}
	if c.sigmas > 0 {
		ticks := math.Max(1, (c.part(f)+c.part(usual))*steps/tickNS)
		if part*steps < c.sigmas*math.Sqrt(ticks)*tickNS {
			return false
		}
	}
	return c.event == nil || (c.event(f)-c.event(usual))*c.atMost >= part
}

// correlation is between the step time of trials and the cause's events.
func (c cause) correlation(figures []slowFigures) *float64 {
	of := c.event
	if of == nil {
		of = c.part
	}
	var x, y []float64
	for _, f := range figures {
		x, y = append(x, f.step), append(y, of(f))
	}
	return spearman(x, y)
}

// spearman is the rank correlation of two samples, ties at their mean rank; nil
// where one of them is constant.
func spearman(x, y []float64) *float64 {
	rx, ry := Ranks(x), Ranks(y)
	mean := float64(len(x)+1) / 2
	var xy, xx, yy float64
	for i := range rx {
		dx, dy := rx[i]-mean, ry[i]-mean
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	return finitePtr(xy / math.Sqrt(xx*yy))
}

// Ranks are from 1; equal values share their mean rank.
func Ranks(x []float64) []float64 {
	sorted := slices.Sorted(slices.Values(x))
	out := make([]float64, len(x))
	for i, v := range x {
		first, _ := slices.BinarySearch(sorted, v)
		last := first
		for last+1 < len(sorted) && sorted[last+1] == v {
			last++
		}
		out[i] = float64(first+last)/2 + 1
	}
	return out
}

func medianBy(figures []slowFigures, of func(slowFigures) float64) float64 {
	var x []float64
	for _, f := range figures {
		x = append(x, of(f))
	}
	return median(x)
}

// meanOf are the mean figures of trials, and the steps of all.
func meanOf(figures []slowFigures) slowFigures {
	var m slowFigures
	n := float64(len(figures))
	for _, f := range figures {
		m.steps += f.steps
		m.step, m.system, m.waited = m.step+f.step/n, m.system+f.system/n, m.waited+f.waited/n
		m.faults, m.switches = m.faults+f.faults/n, m.switches+f.switches/n
	}
	return m
}
