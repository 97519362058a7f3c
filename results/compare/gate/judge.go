package gate

import (
	"fmt"
	"math"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/strictyaml"
)

// Input is what a gate looks at: two sets of cells, of one run or of two.
type Input struct {
	Base results.Run
	Head *results.Run // nil: the head is in the run of the base
	// From and To pick the cells of base and head; empty: all cells of two runs, of
	// one run the baseline and the one other backend.
	From, To    Selector
	Policy      Policy
	AcrossHosts bool
}

// OtherHost says that base and head were measured on different hosts.
type OtherHost struct{ Differs []string }

func (e OtherHost) Error() string {
	return fmt.Sprintf("the runs are of different hosts (%s); hint: measure both on one host, in one run at best, or add --across-hosts", join(e.Differs))
}

// Judge answers a gate. The family that shares alpha is all of its timed checks.
// An error means that the input makes no gate.
func Judge(in Input) (Result, error) {
	j := judge{Input: in, runs: []results.Run{in.Base}, head: 0}
	if in.Head != nil {
		j.runs, j.head = append(j.runs, *in.Head), 1
	}
	if err := j.prepare(); err != nil {
		return Result{}, err
	}
	j.sorted = compare.Sort(j.runs)
	if err := j.plan(); err != nil {
		return Result{}, err
	}
	j.timed()
	j.exact()
	j.memory()
	j.setups()
	j.require()
	j.settle()
	return j.out, nil
}

// judge is a gate on its way to a result.
type judge struct {
	Input
	runs   []results.Run
	sorted compare.Sorted
	head   int // index of the head's run
	own    results.Policy
	cells  []pairState
	by     []map[results.Cell][]*results.Record // per run
	out    Result
}

// pairState is a pair with what became of its sides.
type pairState struct {
	pairing
	terms      terms
	base, head state
	// other programs: the sides did not do the same work, and were not meant to differ
	otherWork bool
}

// measured reports whether both sides have timed trials that ended ok. Where one
// has none the timed check says so, and no other check says it again.
func (p pairState) measured() bool {
	for _, s := range []state{p.base, p.head} {
		switch s.status {
		case compare.StatusOK, compare.StatusUnproven, compare.StatusFlaky:
		default:
			return false
		}
	}
	return true
}

// state of one side of a pair.
type state struct {
	status string // one of compare's Status…, empty: not planned
	reason string
}

// prepare reads the two runs and what is to be doubted about holding one against
// the other.
func (j *judge) prepare() error {
	base, head := j.runs[0].Meta, j.runs[j.head].Meta
	j.own = head.Policy
	j.out = Result{OneRun: j.head == 0, Policy: j.Policy, Alpha: j.Policy.Alpha, MaxRounds: min(base.Policy.MaxRounds, head.Policy.MaxRounds)}
	if j.out.Alpha == 0 {
		j.out.Alpha = j.own.Alpha
	}
	if !(j.out.Alpha > 0 && j.out.Alpha < 1) {
		j.out.Alpha = compare.DefaultAlpha
	}
	for i, r := range j.runs {
		name := []string{"base: ", "head: "}[i]
		if j.out.OneRun {
			name = ""
		}
		for _, w := range r.Warnings {
			j.warn("%s%s", name, w)
		}
		if _, incomplete := results.Rounds(r.Records); len(incomplete) > 0 {
			j.warn("%sincomplete, so not counted: %s %s", name, rounds(len(incomplete)), join(incomplete))
		}
		by := map[results.Cell][]*results.Record{}
		for k := range r.Records {
			rec := &r.Records[k]
			by[rec.Cell] = append(by[rec.Cell], rec)
		}
		j.by = append(j.by, by)
	}
	if j.out.OneRun {
		var err error
		j.From, j.To, err = sides(base, j.From, j.To)
		if err != nil {
			return err
		}
	} else if err := j.doubtTwo(base, head); err != nil {
		return err
	}
	j.out.Base, j.out.Head = side(j.runs[0], j.From), side(j.runs[j.head], j.To)
	return nil
}

// doubtTwo refuses or doubts two runs.
func (j *judge) doubtTwo(base, head results.Meta) error {
	if differs := compare.SameHost(base.Host, head.Host); len(differs) > 0 {
		if !j.AcrossHosts {
			return OtherHost{differs}
		}
		j.warn("the runs are of different hosts, so a difference need not be the code's: %s", join(differs))
	}
	j.warn("two runs: what changed on the host between %s and %s counts as a difference; one run that measures both in turn has no such doubt", base.Started, head.Started)
	if base.Version != head.Version {
		j.warn("the runs were made by different versions of dlbench: %s, %s", base.Version, head.Version)
	}
	if base.Shared != head.Shared {
		j.warn("one of the runs forked its trials (--share-process), the other did not")
	}
	if a, b := base.Policy, head.Policy; a.MinEffect != b.MinEffect || a.Alpha != b.Alpha {
		j.warn("the runs' own policies differ (minimum effect %g and %g, alpha %g and %g); what the gate's policy leaves open is the head's", a.MinEffect, b.MinEffect, a.Alpha, b.Alpha)
	}
	return nil
}

func (j *judge) warn(format string, args ...any) {
	j.out.Warnings = append(j.out.Warnings, fmt.Sprintf(format, args...))
}

func side(r results.Run, s Selector) Side {
	return Side{Dir: r.Dir, Suite: r.Meta.Suite, Started: r.Meta.Started, Version: r.Meta.Version, Select: s.String()}
}

// plan pairs the cells and finds what became of each side.
func (j *judge) plan() error {
	base, head := j.runs[0], j.runs[j.head]
	pairs, err := pair(base.Meta.Cells, head.Meta.Cells, j.From, j.To, j.out.OneRun)
	if err != nil {
		return err
	}
	j.out.Warnings = append(j.out.Warnings, j.Policy.unmatched(pairs)...)
	states := j.states(pairs)
	for i, q := range pairs {
		p := pairState{pairing: q, terms: j.Policy.of(q, j.own)}
		if p.terms.ignore {
			j.out.Ignored = append(j.out.Ignored, q.name)
			continue
		}
		p.base, p.head = states[0][i], states[1][i]
		if q.base != nil && q.head != nil && q.base.Hash != q.head.Hash {
			p.otherWork = !j.meantToDiffer()
		}
		if err := j.checkMetrics(p); err != nil {
			return err
		}
		j.cells = append(j.cells, p)
	}
	return nil
}

// states are what became of the cells of base and head, per pair.
func (j *judge) states(pairs []pairing) [2][]state {
	step, _ := results.LookupMetric(compare.DefaultMetric)
	var all []compare.Contrast
	for _, q := range pairs {
		c := compare.Contrast{Metric: step}
		if q.base != nil {
			c.Base = compare.Sample{Run: 0, Cell: *q.base}
		}
		if q.head != nil {
			c.Head = compare.Sample{Run: j.head, Cell: *q.head}
		}
		all = append(all, c)
	}
	var out [2][]state
	base, head := j.sorted.Summaries(all)
	for i, q := range pairs {
		var b, h state
		if q.base != nil {
			b = state{status: base[i].Status, reason: base[i].Reason}
		}
		if q.head != nil {
			h = state{status: head[i].Status, reason: head[i].Reason}
		}
		out[0], out[1] = append(out[0], b), append(out[1], h)
	}
	return out
}

// meantToDiffer reports whether base and head are told apart by something that
// makes another program of a workload.
func (j *judge) meantToDiffer() bool {
	for _, k := range []string{"workload", "mode", "precision", "batch", "accumulate", "checkpoint"} {
		if j.From[k] != j.To[k] {
			return true
		}
	}
	return false
}

// checkMetrics refuses metrics that the trials of a pair cannot have.
func (j *judge) checkMetrics(p pairState) error {
	for i, name := range p.terms.metrics {
		m, ok := results.LookupMetric(name)
		if !ok && name == "" {
			m, _ = results.LookupMetric(compare.DefaultMetric)
			p.terms.metrics[i] = m.Name
			continue
		}
		if !ok {
			return fmt.Errorf("%s: unknown metric %q%s", p.name, name, strictyaml.DidYouMean(name, judgeable()))
		}
		perBlock, blocks := j.shape(p)
		if err := m.Judgeable(perBlock, blocks); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// shape is that of a measured segment of the pair, 0 where none was measured.
func (j *judge) shape(p pairState) (perBlock, blocks int) {
	for i, c := range []*results.Cell{p.pairing.base, p.pairing.head} {
		if c == nil {
			continue
		}
		for _, r := range j.by[i*j.head][*c] {
			if n := r.Steps(); n > 0 {
				return r.StepsPerBlock, n / r.StepsPerBlock
			}
		}
	}
	return 0, 0
}

// short is the beginning of a hash that tells it from others.
func short(hash string) string {
	return hash[:min(len(hash), len("sha256:")+12)]
}

func join[T any](list []T) string {
	s := ""
	for i, v := range list {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(v)
	}
	return s
}

// finite is v, or nil where that is no number that a file can hold.
func finite(v *float64) *float64 {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return nil
	}
	return v
}
