package frameworks

import (
	"maps"
	"regexp"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// FirstResult is the time from the start of a process to the end of its first
// step, in seconds: import, build and first step, with whatever is compiled in
// it. A trial that was forked after a shared import has none, because it imported
// nothing.
var FirstResult = results.Metric{Name: "first-result-time", Unit: "sec", Better: -1, Of: func(r results.Record) (float64, bool) {
	var sum float64
	for _, name := range []string{"import", "build", "first"} {
		v, ok := phase(r, name)
		if r.Kind != results.KindTime || r.End != results.EndOK || r.Shared || !ok {
			return 0, false
		}
		sum += v
	}
	return sum, sum > 0
}}

// phase is the wall time of a phase of a trial that ended ok, in seconds.
func phase(r results.Record, name string) (float64, bool) {
	for _, p := range r.Phases {
		if p.Name == name {
			return float64(p.WallNS) * 1e-9, true
		}
	}
	return 0, false
}

// Effort is what an entry takes besides steps [T2]. nil, 0: not measured.
type Effort struct {
	Backend   string
	Framework Framework
	DiskBytes int64 // of its environment
	SetupNS   int64 // that setting it up took
	Lines     int   // of the adapter
	BuiltIn   bool  // it has no environment: a library inside of dlbench
	// Needs are the environments that it takes besides its own.
	Needs []Need
	// Import and First are seconds, Above is bytes of the process tree above the
	// level after import: the median over the entry's ranked cells.
	Import, First, Above *float64
	// Answer is First of inference alone: from a trained model to its first answer.
	Answer *float64
	// Over are the groups of the run that a figure is the median over, by index: two
	// of them compare only over the same ones.
	Over struct{ Import, First, Above, Planned, Ran []int }
	// Ran of the groups that the entry is Planned in ended in a cell that may be ranked;
	// wrong work and the like do not. A suite may plan a line for some entries alone.
	Ran, Planned int
}

// Need is another environment that an entry takes: ONNX Runtime that of PyTorch,
// which exports its graphs. 0: not known, because no entry of the run lives there.
type Need struct {
	Environment string // pytorch, pytorch@2.14.0
	Name        string // PyTorch
	DiskBytes   int64
	SetupNS     int64
}

// interpreter is how a run records that a backend's workers are told where the
// interpreter of an environment is.
var interpreter = regexp.MustCompile(`\{interpreter:([^{}]{1,100})\}`)

// needs reads from the variables of a backend's workers which environments they
// take besides their own.
func needs(meta results.Meta, backend string) []Need {
	b := meta.Backends[backend]
	var list []Need
	for _, k := range slices.Sorted(maps.Keys(b.Env)) {
		for _, m := range interpreter.FindAllStringSubmatch(b.Env[k], -1) {
			n := Need{Environment: m[1], Name: Of(m[1]).Name}
			if n.Environment == b.Environment || slices.ContainsFunc(list, func(o Need) bool { return o.Environment == n.Environment }) {
				continue
			}
			for _, other := range meta.Backends {
				if other.Environment == n.Environment {
					n.DiskBytes, n.SetupNS = max(n.DiskBytes, other.DiskBytes), max(n.SetupNS, other.SetupNS)
				}
			}
			list = append(list, n)
		}
	}
	return list
}

// Efforts are those of all entries, in the order of the plan.
func (s *Subject) Efforts(run results.Run) []Effort {
	memory := map[results.Cell][]results.Record{}
	for _, r := range run.Records {
		if r.Kind == results.KindMemory && r.End == results.EndOK {
			memory[r.Cell] = append(memory[r.Cell], r)
		}
	}
	var list []Effort
	for _, b := range s.Backends() {
		meta := s.Meta.Backends[b]
		e := Effort{
			Backend: b, Framework: s.Of(b), DiskBytes: meta.DiskBytes, SetupNS: meta.SetupNS, Lines: meta.AdapterLines,
			BuiltIn: meta.Environment == "" && meta.Worker == "" && goLibraries[s.Of(b).ID],
			Needs:   needs(s.Meta, b),
		}
		var imports, firsts, answers, above []float64
		for i, g := range s.Groups {
			c, ok := g.Planned[b]
			if !ok {
				continue
			}
			e.Planned++
			e.Over.Planned = append(e.Over.Planned, i)
			if s.Summary(c, stepTime).Status != compare.StatusOK {
				continue
			}
			e.Ran++
			e.Over.Ran = append(e.Over.Ran, i)
			imported, ok := s.seconds(c, "import-time", memory[c], "import")
			if ok {
				imports = append(imports, imported)
				e.Over.Import = append(e.Over.Import, i)
			}
			build, ok1 := s.seconds(c, "build-time", nil, "")
			first, ok2 := s.seconds(c, "first-step-time", nil, "")
			if ok && ok1 && ok2 {
				firsts = append(firsts, imported+build+first)
				e.Over.First = append(e.Over.First, i)
				if c.Mode == "infer" {
					answers = append(answers, imported+build+first)
				}
			}
			if m := s.Summary(c, aboveImport).Median; m != nil {
				above = append(above, max(0, *m))
				e.Over.Above = append(e.Over.Above, i)
			}
		}
		e.Import, e.First, e.Answer, e.Above = median(imports), median(firsts), median(answers), median(above)
		list = append(list, e)
	}
	return list
}

// goLibraries are linked into dlbench itself.
var goLibraries = map[string]bool{"eag": true, "gor": true, "gmx": true}

// seconds is the median of a phase over the timed trials of a cell, or else, where
// those were forked after a shared import, over its memory trials.
func (s *Subject) seconds(c results.Cell, name string, memory []results.Record, in string) (float64, bool) {
	if v := s.Summary(c, metric(name)).Median; v != nil {
		return *v, true
	}
	var list []float64
	for _, r := range results.Warm(pointers(memory)) {
		if v, ok := phase(*r, in); ok {
			list = append(list, v)
		}
	}
	if m := median(list); m != nil {
		return *m, true
	}
	return 0, false
}

func pointers(list []results.Record) []*results.Record {
	all := make([]*results.Record, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}

// median of a list; nil of an empty one.
func median(list []float64) *float64 {
	if len(list) == 0 {
		return nil
	}
	l := slices.Sorted(slices.Values(list))
	return new((l[(len(l)-1)/2] + l[len(l)/2]) / 2)
}
