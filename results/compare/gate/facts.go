package gate

import (
	"fmt"
	"math"

	"github.com/dlbench/dlbench/results"
)

// fact is a metric that needs no statistics: a count, the same in every trial of
// a cell. Of all of them less is better.
type fact struct {
	name, unit string
	of         func(results.Record) (float64, bool)
}

// setupBytes is the one fact that is of a backend and not of a cell.
const setupBytes = "setup-bytes"

var facts = []fact{
	{"params", "params", func(r results.Record) (float64, bool) { return float64(r.Worker.Params), r.Worker.Params > 0 }},
	{"model-flops", "FLOP/step", func(r results.Record) (float64, bool) { return float64(r.Work.ModelFLOPs), r.Work.ModelFLOPs > 0 }},
	{"param-bytes", "B", func(r results.Record) (float64, bool) { return float64(r.Work.ParamBytes), r.Work.ParamBytes > 0 }},
	{"activation-bytes", "B", func(r results.Record) (float64, bool) {
		return float64(r.Work.ActivationBytes), r.Work.ActivationBytes > 0
	}},
}

// factNames are the names under exact in a policy.
func factNames() []string {
	var names []string
	for _, f := range facts {
		names = append(names, f.name)
	}
	return append(names, setupBytes)
}

func factOf(name string) fact {
	for _, f := range facts {
		if f.name == name {
			return f
		}
	}
	return fact{name: setupBytes, unit: "B"}
}

// value is the fact of a cell: what all of its trials that ended ok agree on, or
// why there is none.
func (f fact) value(records []*results.Record) (*float64, string) {
	var first *float64
	for _, r := range records {
		v, ok := f.of(*r)
		switch {
		case r.End != results.EndOK || !ok:
		case first == nil:
			first = &v
		case *first != v:
			return nil, fmt.Sprintf("%s differs between trials: %.0f, %.0f", f.name, *first, v)
		}
	}
	if first == nil {
		return nil, "no trial tells " + f.name
	}
	return first, ""
}

// setup is the disk that a backend's environment takes, as the run recorded it.
func setup(run results.Run, backend string) (*float64, string) {
	b, ok := run.Meta.Backends[backend]
	switch {
	case !ok || b.Environment == "":
		return nil, backend + " has no environment of its own"
	case b.DiskBytes <= 0:
		return nil, "the size of the environment of " + backend + " is not known"
	}
	v := float64(b.DiskBytes)
	return &v, ""
}

// beyond compares two values of which less is better: +1 head is larger by more
// than the tolerance, -1 smaller, 0 neither. base must be more than 0.
func beyond(base, head, tolerance float64) int {
	switch limit := tolerance * base * (1 + 1e-12); { // 0.1*50 must cover 5
	case head-base > limit:
		return +1
	case base-head > limit:
		return -1
	}
	return 0
}

// ratio of two values; nil where it is no number.
func ratio(base, head float64) *float64 {
	r := head / base
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return nil
	}
	return &r
}
