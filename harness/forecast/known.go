package forecast

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/results"
)

// Known is what is known of one host.
type Known struct {
	Host   string  `json:"host"`   // see HostName
	Canary float64 `json:"canary"` // seconds of the canary kernel at its fastest; 0: not known
	// Between is the time from the end of a trial to the start of the next.
	Between float64 `json:"between"`
	Costs   []Cost  `json:"costs"`
}

// What is kept of a host: the cells seen last, and earlier trials of a form as
// at most so many, so that a host or a framework that changed is learned anew.
const (
	maxCosts   = 2000
	remembered = 8
)

// find returns the cost of exactly this cell.
func (k Known) find(c results.Cell) (Cost, bool) {
	i := slices.IndexFunc(k.Costs, func(o Cost) bool { return o.Cell == c })
	if i < 0 {
		return Cost{}, false
	}
	return k.Costs[i], true
}

// Merge adds what was learned later.
func (k Known) Merge(later Known) Known {
	out := Known{
		Host: later.Host, Canary: cmp.Or(later.Canary, k.Canary),
		Between: cmp.Or(later.Between, k.Between), Costs: slices.Clone(k.Costs),
	}
	for _, c := range later.Costs {
		i := slices.IndexFunc(out.Costs, func(o Cost) bool { return o.Cell == c.Cell })
		if i < 0 {
			out.Costs = append(out.Costs, c)
			continue
		}
		out.Costs[i] = out.Costs[i].merge(c)
	}
	slices.SortStableFunc(out.Costs, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(b.Seen, a.Seen), cmp.Compare(a.Cell.Name(), b.Cell.Name()))
	})
	out.Costs = out.Costs[:min(len(out.Costs), maxCosts)]
	return out
}

// merge takes the means of the trials; of how the cell ends and what it needs,
// the latest word.
func (c Cost) merge(later Cost) Cost {
	out := later
	out.Trials = map[Form]Trial{}
	for f, t := range c.Trials {
		t.N = min(t.N, remembered)
		out.Trials[f] = t
	}
	for f, t := range later.Trials {
		out.Trials[f] = out.Trials[f].mean(t)
	}
	out.Imported, out.Peak = cmp.Or(later.Imported, c.Imported), max(c.Peak, later.Peak)
	out.Above = cmp.Or(later.Above, c.Above)
	if later.Ends != c.Ends { // the cell works now, or no longer does: older trials were other work
		out.Trials, out.Peak, out.Above = later.Trials, later.Peak, later.Above
	}
	return out
}

// HostName tells hosts apart as far as costs go.
func HostName(h results.Host) string {
	return fmt.Sprintf("%s, %d cores, %.0f GiB, %s/%s", h.CPU, h.Cores, float64(h.MemBytes)/(1<<30), h.OS, h.Arch)
}

// Learn reads from a run what its trials took. Trials that were cut short teach
// nothing, except that a cell is unsupported or did other work.
func Learn(run results.Run) Known {
	k := Known{Host: HostName(run.Meta.Host)}
	var canaries, gaps []float64
	rests := map[string]*sum{} // of trials that were forked after another, by backend
	for i, r := range run.Records {
		if r.Disturb != nil && r.Disturb.CanaryNS > 0 {
			canaries = append(canaries, float64(r.Disturb.CanaryNS)/1e9)
		}
		if i > 0 {
			if gap, ok := between(run.Records[i-1], r); ok {
				gaps = append(gaps, gap)
			}
		}
		if r.Shared && r.End == results.EndOK && !imports(run.Records, i) {
			if rests[r.Cell.Backend] == nil {
				rests[r.Cell.Backend] = &sum{}
			}
			rests[r.Cell.Backend].add(trialOf(r).Rest)
		}
	}
	k.Between = medianOf(gaps)
	if len(canaries) > 0 {
		k.Canary = slices.Min(canaries)
	}
	for _, cell := range run.Meta.Cells {
		if c, ok := learnCell(cell, run.Records, rests); ok {
			c.Calls = callsOf(run.Meta.Workloads[cell.Workload].Layers, cell.Mode == "train")
			k.Costs = append(k.Costs, c)
		}
	}
	return k
}

// imports reports whether trial i imported its framework: on its own, or as the
// first of those that share the import.
func imports(records []results.Record, i int) bool {
	r := records[i]
	if !r.Shared || i == 0 {
		return true
	}
	before := records[i-1]
	return !before.Shared || before.Kind != r.Kind || before.Round != r.Round || launchOf(before.Cell) != launchOf(r.Cell)
}

// launch is what trials that share an import have in common.
type launch struct {
	backend, device, allocator string
	threads                    int
}

func launchOf(c results.Cell) launch { return launch{c.Backend, c.Device, c.Allocator, c.Threads} }

// between is the time from the end of a trial to the start of the next.
func between(a, b results.Record) (float64, bool) {
	began, err1 := time.Parse(time.RFC3339Nano, a.Start)
	next, err2 := time.Parse(time.RFC3339Nano, b.Start)
	gap := next.Sub(began) - time.Duration(a.WallNS)
	return gap.Seconds(), err1 == nil && err2 == nil && gap >= 0 && gap < time.Minute
}

// learnCell learns from the records of a cell. The first trial of those that
// share an import has that in its time and in no phase: there what other trials
// of its backend took besides their phases stands in, or nothing.
func learnCell(cell results.Cell, records []results.Record, rests map[string]*sum) (Cost, bool) {
	c := Cost{Cell: cell, Trials: map[Form]Trial{}}
	for i, r := range records {
		if r.Cell != cell {
			continue
		}
		form := formOf(r)
		switch {
		case r.End == results.EndOK:
		case r.Kind == results.KindCheck && (r.End == results.EndUnsupported || r.End == results.EndWrong) && r.Phase != "import":
			c.Ends = r.End
		default:
			continue
		}
		t := trialOf(r)
		if r.Shared && imports(records, i) {
			t.Rest = 0
			if others := rests[cell.Backend]; others != nil {
				t.Rest = others.mean()
			}
		}
		c.Trials[form] = c.Trials[form].mean(t)
		c.Work = r.Work
		c.Seen = max(c.Seen, r.Start[:min(len(r.Start), len(time.DateOnly))])
		c.Imported = max(c.Imported, imported(r))
		c.Peak = max(c.Peak, harness.Occupied(r))
		c.Above = max(c.Above, grewBy(r))
	}
	return c, len(c.Trials) > 0
}

// trialOf is a record's trial alone.
func trialOf(r results.Record) Trial {
	t := Trial{N: 1, Rest: float64(r.WallNS) / 1e9}
	for _, p := range r.Phases {
		seconds := float64(p.WallNS) / 1e9
		t.Rest -= seconds
		switch p.Name {
		case "import":
			t.Import = seconds
		case "build":
			t.Build = seconds
		case "first":
			t.First = seconds
		case "check":
			t.Check = seconds
		case "learn":
			t.Learn = seconds
		case "warm-up":
			if r.Steady != nil && r.Steady.Steps > 0 && r.StepsPerBlock > 0 {
				t.WarmupStep = seconds / float64(r.Steady.Steps)
				t.WarmupBlocks = float64(r.Steady.Steps) / float64(r.StepsPerBlock)
				if r.Steady.Reached {
					t.Steady = 1
				}
			}
		case "measure":
			if p.Steps > 0 {
				t.Step = seconds / float64(p.Steps)
			}
		}
	}
	t.Rest = max(t.Rest, 0)
	return t
}

// imported is the peak until the end of the import, 0 if not known.
func imported(r results.Record) int64 {
	for _, p := range r.Phases {
		if p.Name == "import" && p.HWM != nil {
			return *p.HWM
		}
	}
	return 0
}

// sum is a mean in the making.
type sum struct {
	total float64
	n     int
}

func (s *sum) add(x float64) { s.total, s.n = s.total+x, s.n+1 }

func (s sum) mean() float64 {
	if s.n == 0 {
		return 0
	}
	return s.total / float64(s.n)
}

// medianOf sorts x; 0 if it is empty.
func medianOf(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
