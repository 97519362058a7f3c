// Package forecast says, before a run, how long it will take and how much
// memory. What it says of a cell rests on what its trials took on this host
// before, else on a shipped reference that is scaled to this host, else on an
// estimate from the work that the cell does; every figure names which.
package forecast

import (
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// Form is a kind of trial, and whether its worker was forked from a process
// that had imported the framework already.
type Form string

// The forms of a trial.
const (
	Time        Form = results.KindTime
	Check       Form = results.KindCheck
	Memory      Form = results.KindMemory
	TimeShared  Form = results.KindTime + "-shared"
	CheckShared Form = results.KindCheck + "-shared"
)

func formOf(r results.Record) Form {
	if r.Shared {
		return Form(r.Kind + "-shared")
	}
	return Form(r.Kind)
}

// Cost is what the trials of one cell took.
type Cost struct {
	Cell results.Cell `json:"cell"`
	// Work and Calls are what estimates for other cells are made from.
	Work  results.Work `json:"work"`
	Calls int64        `json:"calls"` // see callsOf
	// Ends is how the check trial ended unless it was ok (unsupported, wrong): such
	// a cell has no other trials.
	Ends   string         `json:"ends,omitempty"`
	Trials map[Form]Trial `json:"trials"`
	// Imported and Peak are the largest resident bytes of the worker's process tree
	// until its framework was imported, and over all trials; 0: not known.
	Imported int64 `json:"imported,omitempty"`
	Peak     int64 `json:"peak,omitempty"`
	// Above is how much the worker's process tree grew over its level after import
	// in memory trials (proportional set size); 0: not known.
	Above int64  `json:"above,omitempty"`
	Seen  string `json:"seen"` // date of the latest trial: 2026-11-21
}

// Trial is the mean of a form's trials, in seconds. A phase that the form does
// not have is 0.
type Trial struct {
	N            int     `json:"n"` // trials
	Import       float64 `json:"import"`
	Build        float64 `json:"build"`
	First        float64 `json:"first"`
	Check        float64 `json:"check"`
	Learn        float64 `json:"learn,omitempty"` // the learning curve of a check trial; 0: none, or not known
	WarmupBlocks float64 `json:"warmup_blocks"`
	Steady       float64 `json:"steady"`      // share of trials whose warm-up ended before its cap
	WarmupStep   float64 `json:"warmup_step"` // per step of the warm-up
	Step         float64 `json:"step"`        // per step of the measured segment
	Rest         float64 `json:"rest"`        // start and end of the process, and what else is in no phase
}

// seconds is what a trial of so many steps takes. The warm-up takes as many
// blocks as before, or its cap where it did not become steady.
func (t Trial) seconds(s workloads.Steps) float64 {
	return t.Import + t.Build + t.First + t.Check + t.Learn + t.warmup(s)*t.WarmupStep + float64(s.Measured())*t.Step + t.Rest
}

// warmup is the number of its steps to be expected.
func (t Trial) warmup(s workloads.Steps) float64 {
	if t.WarmupBlocks == 0 {
		return 0
	}
	most := float64(max(1, s.WarmupMax/s.PerBlock))
	blocks := t.Steady*min(t.WarmupBlocks, most) + (1-t.Steady)*most
	return blocks * float64(s.PerBlock)
}

// durations are the parts of the trial that are seconds.
func (t *Trial) durations() []*float64 {
	return []*float64{&t.Import, &t.Build, &t.First, &t.Check, &t.Learn, &t.WarmupStep, &t.Step, &t.Rest}
}

// scaled is the trial on a host that takes ratio times as long.
func (t Trial) scaled(ratio float64) Trial {
	for _, x := range t.durations() {
		*x *= ratio
	}
	return t
}

// mean is the mean of the trials of t and u.
func (t Trial) mean(u Trial) Trial {
	out := Trial{N: t.N + u.N}
	share := float64(u.N) / float64(max(1, out.N))
	between := func(a, b float64) float64 { return a + (b-a)*share }
	out.WarmupBlocks, out.Steady = between(t.WarmupBlocks, u.WarmupBlocks), between(t.Steady, u.Steady)
	mine, theirs := t.durations(), u.durations()
	for i, x := range out.durations() {
		*x = between(*mine[i], *theirs[i])
	}
	// Trials of older versions had no curve: they do not say that it takes nothing.
	if t.Learn == 0 || u.Learn == 0 {
		out.Learn = max(t.Learn, u.Learn)
	}
	return out
}

// callsOf counts how many operations a framework that runs a model op by op
// dispatches in a step: one per layer, but several per step of an LSTM's
// sequence. The backward pass has about two for each.
func callsOf(layers []results.Layer, train bool) int64 {
	const perLSTMStep = 10
	var n int64
	for _, l := range layers {
		n++
		if l.Op != workloads.OpLSTM || len(l.Shape) == 0 {
			continue
		}
		// The layer's weights are used once per step of the sequence, its biases add none.
		if weights := l.Params - 4*int64(l.Shape[len(l.Shape)-1]); weights > 0 {
			n += perLSTMStep * l.FLOPs / (2 * weights)
		}
	}
	if train {
		n *= 3
	}
	return n
}
