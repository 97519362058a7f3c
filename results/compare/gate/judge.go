package gate

import (
	"fmt"
	"math"
	"slices"

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
	runs  []results.Run
	head  int // index of the head's run
	own   results.Policy
	cells []pairState
	by    []map[results.Cell][]results.Record // per run
	out   Result
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
	j.out = Result{OneRun: j.head == 0, Policy: j.Policy, Alpha: j.Policy.Alpha}
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
		by := map[results.Cell][]results.Record{}
		for _, rec := range r.Records {
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
	step, _ := results.LookupMetric(compare.DefaultMetric)
	states := make([]map[results.Cell]state, len(j.runs))
	for i, r := range j.runs {
		states[i] = map[results.Cell]state{}
		for _, s := range compare.Summarize(r, step) {
			states[i][s.Cell] = state{status: s.Status, reason: s.Reason}
		}
	}
	for _, q := range pairs {
		p := pairState{pairing: q, terms: j.Policy.of(q, j.own)}
		if p.terms.ignore {
			j.out.Ignored = append(j.out.Ignored, q.name)
			continue
		}
		if q.base != nil {
			p.base = states[0][*q.base]
		}
		if q.head != nil {
			p.head = states[j.head][*q.head]
		}
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
			if len(r.BlockNS) > 0 {
				return r.StepsPerBlock, len(r.BlockNS)
			}
		}
	}
	return 0, 0
}

// timed judges what scatters, all cells in one family.
func (j *judge) timed() {
	var contrasts []compare.Contrast
	var at []int // index of the check
	medians := j.medians()
	for _, p := range j.cells {
		if p.pairing.base == nil || p.pairing.head == nil {
			j.add(j.alone(p))
			continue
		}
		for _, name := range p.terms.metrics {
			m, _ := results.LookupMetric(name)
			c := Check{Kind: Timed, Metric: m.Name, Unit: m.Unit, Better: m.Better, Tolerance: p.terms.effect(name),
				BaseValue: medians(0, *p.pairing.base, m), HeadValue: medians(j.head, *p.pairing.head, m)}
			if p.otherWork {
				c.Verdict, c.Outcome = compare.Missing, Fail
				c.Reason = fmt.Sprintf("not the same work: the programs are %s and %s; hint: measure the base again", short(p.pairing.base.Hash), short(p.pairing.head.Hash))
				j.add(p, c)
				continue
			}
			contrasts = append(contrasts, compare.Contrast{
				Base: compare.Sample{Run: 0, Cell: *p.pairing.base}, Head: compare.Sample{Run: j.head, Cell: *p.pairing.head},
				Metric: m, MinEffect: c.Tolerance,
			})
			at = append(at, len(j.out.Checks))
			j.add(p, c)
		}
	}
	policy := j.own
	policy.Alpha = j.out.Alpha
	j.out.Family = len(contrasts)
	for i, v := range compare.Judge(j.runs, contrasts, policy) {
		c := &j.out.Checks[at[i]]
		c.Ratio, c.Lo, c.Hi, c.Rounds, c.RoundsNeeded, c.Detectable = v.Ratio, v.Lo, v.Hi, v.Rounds, v.RoundsNeeded, v.Detectable
		c.Verdict, c.Reason, c.Warnings = v.Verdict, v.Reason, v.Warnings
		if v.Rounds > 0 && v.Ratio != nil {
			j.out.Compared++
		}
	}
}

// medians returns a function that looks up the median of a cell under a metric.
func (j *judge) medians() func(run int, c results.Cell, m results.Metric) *float64 {
	type key struct {
		run    int
		metric string
	}
	known := map[key]map[results.Cell]*float64{}
	return func(run int, c results.Cell, m results.Metric) *float64 {
		k := key{run, m.Name}
		if known[k] == nil {
			known[k] = map[results.Cell]*float64{}
			for _, s := range compare.Summarize(j.runs[run], m) {
				known[k][s.Cell] = s.Median
			}
		}
		return known[k][c]
	}
}

// alone is the check of a cell that one side did not plan.
func (j *judge) alone(p pairState) (pairState, Check) {
	if p.pairing.head == nil {
		return p, Check{Kind: Presence, Verdict: Vanished, Outcome: Fail, Reason: "the base has it, the head does not"}
	}
	return p, Check{Kind: Presence, Verdict: New, Outcome: Skip, Reason: "the head has it, the base does not"}
}

func (j *judge) add(p pairState, c Check) {
	c.Name, c.Base, c.Head = p.name, p.pairing.base, p.pairing.head
	j.out.Checks = append(j.out.Checks, c)
}

// exact judges the facts of cells.
func (j *judge) exact() {
	for _, t := range j.Policy.Exact {
		if t.Metric == setupBytes {
			continue
		}
		f := factOf(t.Metric)
		for _, p := range j.cells {
			if !p.measured() {
				continue
			}
			base, why := f.value(j.by[0][*p.pairing.base])
			head, whyNot := f.value(j.by[j.head][*p.pairing.head])
			j.add(p, j.fact(f, t, base, head, why, whyNot))
		}
	}
}

// fact holds two values of a fact against each other.
func (j *judge) fact(f fact, t Tolerance, base, head *float64, why, whyNot string) Check {
	c := Check{Kind: Exact, Metric: f.name, Unit: f.unit, Better: -1, Tolerance: t.Relative, BaseValue: base, HeadValue: head}
	switch {
	case base == nil && head == nil:
		c.Verdict, c.Outcome, c.Reason = compare.Missing, Skip, why
	case head == nil:
		c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "head: "+whyNot
	case base == nil:
		c.Verdict, c.Outcome, c.Reason = New, Skip, "base: "+why
	default:
		c.Ratio = ratio(*base, *head)
		c.Verdict = map[int]compare.Verdict{+1: compare.Regressed, 0: compare.Equivalent, -1: compare.Improved}[beyond(*base, *head, t.Relative)]
		j.out.Compared++
	}
	return c
}

// memory judges the peaks of memory trials.
func (j *judge) memory() {
	for _, t := range j.Policy.Memory {
		m, _ := results.LookupMetric(t.Metric)
		for _, p := range j.cells {
			if !p.measured() {
				continue
			}
			base, head := peaks(j.by[0][*p.pairing.base], m), peaks(j.by[j.head][*p.pairing.head], m)
			c := Check{Kind: Memory, Metric: m.Name, Unit: m.Unit, Better: m.Better, Tolerance: t.Relative}
			switch {
			case len(base) == 0 && len(head) == 0:
				c.Verdict, c.Outcome, c.Reason = compare.Missing, Undecided, "no memory trial tells "+m.Name
			case len(head) == 0:
				c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "head: no memory trial tells "+m.Name
			case len(base) == 0:
				c.Verdict, c.Outcome, c.Reason = New, Skip, "base: no memory trial tells "+m.Name
			default:
				judgePeaks(&c, base, head)
				j.out.Compared++
			}
			j.add(p, c)
		}
	}
}

// setups judges the disk that backends take, once per pair of backends.
func (j *judge) setups() {
	i := slices.IndexFunc(j.Policy.Exact, func(t Tolerance) bool { return t.Metric == setupBytes })
	if i < 0 {
		return
	}
	type backends struct{ base, head string }
	seen := map[backends]bool{}
	for _, p := range j.cells {
		if p.pairing.base == nil || p.pairing.head == nil {
			continue
		}
		b := backends{p.pairing.base.Backend, p.pairing.head.Backend}
		if seen[b] {
			continue
		}
		seen[b] = true
		base, why := setup(j.runs[0], b.base)
		head, whyNot := setup(j.runs[j.head], b.head)
		c := j.fact(factOf(setupBytes), j.Policy.Exact[i], base, head, why, whyNot)
		c.Name = "backend=" + b.head
		j.out.Checks = append(j.out.Checks, c)
	}
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
