package frameworks

import (
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Subject is a run, arranged for questions about frameworks. Of merged runs, each
// cell is judged among the rounds of its own run; a question over several of them
// has the alpha and the minimum effect of the first.
type Subject struct {
	Meta       results.Meta
	Policy     results.Policy // complete; of merged runs that of the first
	Frameworks []Framework    // in the order of the plan
	Groups     []Group        // in the order of the plan

	parts     []part
	of        map[results.Cell]int                        // the part that planned a cell
	summaries map[string]map[results.Cell]compare.Summary // by metric
}

// part is one of the runs that were merged, or the only one.
type part struct {
	sorted compare.Sorted
	policy results.Policy // with the subject's alpha
}

// Group is what one run planned of one workload under one choice of settings:
// those of two runs stay apart, because their rounds were not interleaved.
type Group struct {
	Key     results.Cell            // Backend is empty
	Cells   []results.Cell          // in the order of the plan
	Planned map[string]results.Cell // by backend
}

// New arranges a run.
func New(run results.Run) *Subject {
	runs := run.Parts
	if len(runs) == 0 {
		runs = []results.Run{run}
	}
	s := &Subject{
		Meta: run.Meta, Policy: compare.Complete(runs[0].Meta.Policy),
		of: map[results.Cell]int{}, summaries: map[string]map[results.Cell]compare.Summary{},
	}
	seen := map[string]bool{}
	for i, r := range runs {
		p := compare.Complete(r.Meta.Policy)
		p.Alpha = s.Policy.Alpha
		s.parts = append(s.parts, part{compare.Sort([]results.Run{r}), p})
		s.plan(i, r.Meta.Cells, seen)
	}
	return s
}

// plan adds the cells of a part; seen are the frameworks so far.
func (s *Subject) plan(i int, cells []results.Cell, seen map[string]bool) {
	at := map[results.Cell]int{}
	for _, c := range cells {
		k, ok := at[c.Group()]
		if !ok {
			k = len(s.Groups)
			at[c.Group()] = k
			s.Groups = append(s.Groups, Group{Key: c.Group(), Planned: map[string]results.Cell{}})
		}
		g := &s.Groups[k]
		if _, twice := g.Planned[c.Backend]; !twice {
			g.Cells = append(g.Cells, c)
			g.Planned[c.Backend] = c
			s.of[c] = i
		}
		if f := s.Of(c.Backend); !seen[f.ID] {
			seen[f.ID] = true
			s.Frameworks = append(s.Frameworks, f)
		}
	}
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
// and another allocator are variants of the same work, and would count a workload
// twice; so are other precisions than f32 and data on the host, beside the plain one.
func (s *Subject) Mode(mode string) []Group {
	var list []Group
	for _, g := range s.Groups {
		if k := g.Key; k.Mode == mode && k.Accumulate <= 1 && k.Checkpoint == 0 && k.Allocator == "" && !s.variant(g) {
			list = append(list, g)
		}
	}
	return list
}

// variant reports whether the same run planned a group in f32, or with resident data,
// as well.
func (s *Subject) variant(g Group) bool {
	own := g.Key
	own.Hash = ""
	var plain []results.Cell
	for _, precision := range []string{own.Precision, "f32"} {
		for _, data := range []string{own.Data, "resident"} {
			k := own
			k.Precision, k.Data = precision, data
			if k != own {
				plain = append(plain, k)
			}
		}
	}
	return slices.ContainsFunc(s.Groups, func(h Group) bool {
		k := h.Key
		k.Hash = ""
		return slices.Contains(plain, k) && s.Together(h.Cells[0], g.Cells[0])
	})
}

// The metrics of speed, and of what a workload cost in memory.
var (
	stepTime    = metric("step-time")
	aboveImport = metric("peak-memory-above-import")
)

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
		sum = s.parts[s.of[c]].sorted.Summary(compare.Sample{Cell: c}, m)
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

// Together reports whether two cells are of one run, so that their rounds pair.
func (s *Subject) Together(a, b results.Cell) bool { return s.of[a] == s.of[b] }
