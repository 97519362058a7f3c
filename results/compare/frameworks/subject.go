package frameworks

import (
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Subject is a run, arranged for questions about frameworks.
type Subject struct {
	Meta       results.Meta
	Policy     results.Policy // complete
	Frameworks []Framework    // in the order of the plan
	Groups     []Group        // in the order of the plan

	sorted    compare.Sorted
	summaries map[string]map[results.Cell]compare.Summary // by metric
}

// Group is what was planned of one workload under one choice of settings.
type Group struct {
	Key     results.Cell            // Backend is empty
	Cells   []results.Cell          // in the order of the plan
	Planned map[string]results.Cell // by backend
}

// New arranges a run.
func New(run results.Run) *Subject {
	s := &Subject{
		Meta: run.Meta, Policy: compare.Complete(run.Meta.Policy),
		sorted: compare.Sort([]results.Run{run}), summaries: map[string]map[results.Cell]compare.Summary{},
	}
	at, seen := map[results.Cell]int{}, map[string]bool{}
	for _, c := range run.Meta.Cells {
		i, ok := at[c.Group()]
		if !ok {
			i = len(s.Groups)
			at[c.Group()] = i
			s.Groups = append(s.Groups, Group{Key: c.Group(), Planned: map[string]results.Cell{}})
		}
		g := &s.Groups[i]
		if _, twice := g.Planned[c.Backend]; !twice {
			g.Cells = append(g.Cells, c)
			g.Planned[c.Backend] = c
		}
		if f := s.Of(c.Backend); !seen[f.ID] {
			seen[f.ID] = true
			s.Frameworks = append(s.Frameworks, f)
		}
	}
	return s
}

// Of is the framework of a backend of the run.
func (s *Subject) Of(backend string) Framework { return in(s.Meta, backend) }

// Framework is the framework with that id, if the run plans an entry of it.
func (s *Subject) Framework(id string) (Framework, bool) {
	i := slices.IndexFunc(s.Frameworks, func(f Framework) bool { return f.ID == id })
	if i < 0 {
		return Framework{}, false
	}
	return s.Frameworks[i], true
}

// Backends are all backends of the run, in the order of the plan.
func (s *Subject) Backends() []string {
	var all []string
	seen := map[string]bool{}
	for _, g := range s.Groups {
		for _, c := range g.Cells {
			if !seen[c.Backend] {
				seen[c.Backend] = true
				all = append(all, c.Backend)
			}
		}
	}
	return all
}

// Entries are the cells of a framework in a group.
func (s *Subject) Entries(g Group, id string) []results.Cell {
	var cells []results.Cell
	for _, c := range g.Cells {
		if s.Of(c.Backend).ID == id {
			cells = append(cells, c)
		}
	}
	return cells
}

// Mode are the groups of a mode with plain settings: accumulation, checkpointing
// and a tuned allocator are variants of the same work, and would count a workload
// twice.
func (s *Subject) Mode(mode string) []Group {
	var list []Group
	for _, g := range s.Groups {
		if k := g.Key; k.Mode == mode && k.Accumulate <= 1 && k.Checkpoint == 0 && k.Allocator == "" {
			list = append(list, g)
		}
	}
	return list
}

// Metric of questions about speed.
var stepTime = metric("step-time")

func metric(name string) results.Metric {
	m, _ := results.LookupMetric(name)
	return m
}

// Summary is a cell under a metric.
func (s *Subject) Summary(c results.Cell, m results.Metric) compare.Summary {
	of := s.summaries[m.Name]
	if of == nil {
		of = map[results.Cell]compare.Summary{}
		s.summaries[m.Name] = of
	}
	sum, ok := of[c]
	if !ok {
		sum = s.sorted.Summary(compare.Sample{Cell: c}, m)
		of[c] = sum
	}
	return sum
}

// Ranked reports whether a cell may be ranked under a metric: proven to have done
// the same work in all of its trials, with a median above zero.
func Ranked(s compare.Summary) bool {
	return s.Status == compare.StatusOK && s.Median != nil && *s.Median > 0
}

// Best is the ranked cell with the smallest median of a metric of which less is
// better; the first of equals.
func (s *Subject) Best(cells []results.Cell, m results.Metric) (best compare.Summary, ok bool) {
	for _, c := range cells {
		if x := s.Summary(c, m); Ranked(x) && (!ok || *x.Median < *best.Median) {
			best, ok = x, true
		}
	}
	return best, ok
}
