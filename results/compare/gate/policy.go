package gate

import (
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/results"
)

// What a policy may say about checks that the data do not decide.
const (
	UndecidedPass = "pass"
	UndecidedFail = "fail"
)

// Policy is what must hold for a gate to pass. Its zero value is what holds
// without a file: the metrics, minimum effect and alpha of the run itself, no
// exact metric, no memory, and doubt passes with a warning.
type Policy struct {
	File      string  // where it was read; empty: no file
	Metrics   Metrics // what is judged of each cell
	MinEffect Effects
	Alpha     float64 // of all timed checks together; 0: the run's
	Undecided string  // UndecidedPass or UndecidedFail; empty: pass
	Exact     []Tolerance
	Memory    []Tolerance
	Required  []Pattern
	Cells     []Override
}

// Metrics are names by mode ("train", "infer"); nil: the run's own.
type Metrics map[string][]string

// Effects are smallest effects that matter, relative: one for all metrics, and
// those of single ones. 0: not said.
type Effects struct {
	All float64
	Of  map[string]float64 // by metric
}

// of is the effect for a metric, 0 if nothing is said.
func (e Effects) of(metric string) float64 {
	if v := e.Of[metric]; v > 0 {
		return v
	}
	return e.All
}

// Tolerance is a metric and the relative change of it that is none.
type Tolerance struct {
	Metric   string
	Relative float64
}

// Override is what holds for some cells. Of several that match, a later one
// wins in each thing that it says.
type Override struct {
	Match     Pattern
	Metrics   Metrics
	MinEffect Effects
	Undecided string
	Ignore    *bool
}

// terms are what holds for one cell.
type terms struct {
	metrics   []string
	effect    func(metric string) float64
	undecided string
	ignore    bool
}

// of puts together what holds for a pair. own is the policy of the run.
func (p Policy) of(q pairing, own results.Policy) terms {
	cell := q.head
	if cell == nil {
		cell = q.base
	}
	t := terms{metrics: p.Metrics[cell.Mode], undecided: p.Undecided}
	if t.metrics == nil {
		t.metrics = []string{own.Metric[cell.Mode]}
	}
	effects := []Effects{p.MinEffect}
	for _, o := range p.Cells {
		if !o.Match.matches(q.name, q.base, q.head) {
			continue
		}
		if m := o.Metrics[cell.Mode]; m != nil {
			t.metrics = m
		}
		if o.Undecided != "" {
			t.undecided = o.Undecided
		}
		if o.Ignore != nil {
			t.ignore = *o.Ignore
		}
		effects = append(effects, o.MinEffect)
	}
	t.effect = func(metric string) float64 {
		for _, e := range slices.Backward(effects) {
			if v := e.of(metric); v > 0 {
				return v
			}
		}
		return own.MinEffect
	}
	return t
}

// Judged are the timed metrics that the policy names.
func (p Policy) Judged() []string {
	var names []string
	all := []Metrics{p.Metrics}
	for _, o := range p.Cells {
		all = append(all, o.Metrics)
	}
	for _, m := range all {
		for _, mode := range modes {
			names = append(names, m[mode]...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unmatched are warnings about overrides that no cell has, which are typing
// errors more often than not.
func (p Policy) unmatched(pairs []pairing) []string {
	var list []string
	for _, o := range p.Cells {
		if !slices.ContainsFunc(pairs, func(q pairing) bool { return o.Match.matches(q.name, q.base, q.head) }) {
			list = append(list, fmt.Sprintf("policy: no cell matches %q", string(o.Match)))
		}
	}
	return list
}

// judgeable are the names of metrics that a gate can judge by its rounds.
func judgeable() []string {
	var names []string
	for _, m := range results.Metrics {
		if m.Judgeable(0, 0) == nil {
			names = append(names, m.Name)
		}
	}
	return names
}

// memoryMetrics are the names of metrics of memory trials.
func memoryMetrics() []string {
	var names []string
	for _, m := range results.Metrics {
		if m.Memory {
			names = append(names, m.Name)
		}
	}
	return names
}

// home says where else in a policy a metric belongs; empty if nowhere.
func home(metric string) string {
	switch {
	case slices.Contains(judgeable(), metric):
		return "; hint: it scatters, so write it under metric"
	case slices.Contains(memoryMetrics(), metric):
		return "; hint: memory trials are few, so write it under memory with a tolerance"
	case slices.Contains(factNames(), metric):
		return "; hint: it is exact, so write it under exact"
	}
	return ""
}

// modes that a policy may tell apart.
var modes = []string{"train", "infer"}
