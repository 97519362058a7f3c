package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/gate"
	"github.com/dlbench/dlbench/results/compare/selection"
)

// ComparisonQuery is what a table of comparisons shows.
type ComparisonQuery struct {
	selection.Query
	Metric string // empty: the primary one of each mode, as the runs name it
	// MinEffect (relative) and Alpha (of all comparisons together); nil: those of
	// the first run.
	MinEffect, Alpha *float64
	// AcrossHosts lets runs of different hosts be compared, with a warning beside
	// each value.
	AcrossHosts bool
}

// Comparison is any two cells held against each other, line by line: what
// CompareText, CompareMarkdown, CompareCSV and CompareJSON write.
type Comparison struct {
	Runs      []ComparedRun    `json:"runs"`
	Base      []selection.Part `json:"base"` // what the base has, in the keys that are compared
	Alpha     float64          `json:"alpha"`
	MinEffect float64          `json:"min_effect"`
	Family    int              `json:"family"` // comparisons that share alpha: those that were planned
	Lines     []ComparisonLine `json:"comparisons"`
	Warnings  []string         `json:"warnings,omitempty"` // of the runs as a whole
}

// ComparedRun is one of the runs.
type ComparedRun struct {
	Label   string `json:"label"`
	Dir     string `json:"dir"`
	Suite   string `json:"suite"`
	Started string `json:"started"`
	// NoiseFloor is what A/A runs had shown of its host; empty: nothing.
	NoiseFloor string `json:"noise_floor,omitempty"`
}

// ComparisonLine is one comparison. The ratio is head over base.
type ComparisonLine struct {
	Table         []selection.Part `json:"table,omitempty"`
	Row           []selection.Part `json:"row"`
	Col           []selection.Part `json:"col"`
	Metric        string           `json:"metric"`
	Unit          string           `json:"unit"`
	Better        string           `json:"better"` // lower, higher
	Base          ComparedSide     `json:"base"`
	Head          ComparedSide     `json:"head"`
	Ratio         *float64         `json:"ratio"`
	RatioLo       *float64         `json:"ratio_low"`
	RatioHi       *float64         `json:"ratio_high"`
	CPURatio      *float64         `json:"cpu_ratio,omitempty"` // the same by CPU time; never judged
	Verdict       compare.Verdict  `json:"verdict"`
	Rounds        int              `json:"rounds"`
	RoundsNeeded  int              `json:"rounds_needed,omitempty"` // by a verdict at least
	Evidence      float64          `json:"evidence"`
	Needed        float64          `json:"evidence_needed"`
	Detectable    *float64         `json:"detectable,omitempty"` // smallest relative effect that could have been seen; undecided only
	Reason        string           `json:"reason,omitempty"`     // why there is no verdict
	Warnings      []string         `json:"warnings,omitempty"`
	withoutReason []string         // warnings but the reason
}

// ComparedSide is one side of a comparison: the median over trials with its
// interval.
type ComparedSide struct {
	Run    string   `json:"run"`
	Cell   string   `json:"cell"`
	Hash   string   `json:"program"`
	Median *float64 `json:"median"`
	Lo     *float64 `json:"low"`
	Hi     *float64 `json:"high"`
	Trials int      `json:"trials"`
	Failed int      `json:"failed"`
	Status string   `json:"status"`
	Reason string   `json:"reason,omitempty"`
}

// Compare answers a query. It is a pure function of the runs; every verdict is
// that of compare.Judge. An error is one of the query, or says why these runs
// must not be compared.
func Compare(runs []results.Run, q ComparisonQuery) (Comparison, error) {
	chosen, err := selection.Select(runs, q.Query)
	if err != nil {
		return Comparison{}, err
	}
	labels := selection.Labels(runs)
	apart, err := hostsApart(runs, labels, chosen, q.AcrossHosts)
	if err != nil {
		return Comparison{}, err
	}
	policy := runs[0].Meta.Policy
	if q.MinEffect != nil {
		policy.MinEffect = *q.MinEffect
	}
	if q.Alpha != nil {
		policy.Alpha = *q.Alpha
	}
	t := Comparison{Base: chosen.Base, Alpha: policy.Alpha, MinEffect: policy.MinEffect, Lines: []ComparisonLine{}}
	for i, r := range runs {
		t.Runs = append(t.Runs, ComparedRun{labels[i], r.Dir, r.Meta.Suite, r.Meta.Started, NoiseFloor(r.Meta)})
	}
	by := metricsOf{runs: runs, labels: labels, name: q.Metric}
	contrasts := make([]compare.Contrast, len(chosen.Lines))
	for i, l := range chosen.Lines {
		m, err := by.metric(l)
		if err != nil {
			return Comparison{}, err
		}
		contrasts[i] = compare.Contrast{Base: l.Base, Head: l.Head, Metric: m, MinEffect: policy.MinEffect, Barred: l.Reason}
	}
	sorted := compare.Sort(runs)
	verdicts, family := judge(sorted, chosen.Lines, contrasts, policy)
	t.Family = family
	bases, heads := sorted.Summaries(contrasts)
	for i, l := range chosen.Lines {
		t.Lines = append(t.Lines, comparisonLine(l, contrasts[i].Metric, verdicts[i], bases[i], heads[i], chosen.Base, labels, apart))
	}
	t.Warnings = slices.Concat(by.warnings, t.doubts(runs, sorted, chosen))
	return t, nil
}

// judge has compare judge the lines. Those that could never be compared, which
// the plans tell, take no part of alpha: so the lines of one run are judged as its
// report judges them.
func judge(sorted compare.Sorted, lines []selection.Line, contrasts []compare.Contrast, p results.Policy) (list []compare.Comparison, family int) {
	var planned, others []compare.Contrast
	for i, l := range lines {
		if l.Absent || l.Reason != "" {
			others = append(others, contrasts[i])
		} else {
			planned = append(planned, contrasts[i])
		}
	}
	judged, missing := sorted.Judge(planned, p), sorted.Judge(others, p)
	for i := range missing {
		missing[i].Needed = 0 // of another family
	}
	for _, l := range lines {
		from := &judged
		if l.Absent || l.Reason != "" {
			from = &missing
		}
		list = append(list, (*from)[0])
		*from = (*from)[1:]
	}
	return list, len(planned)
}

// hostsApart lists, by run, what differs between its host and that of the first
// run that it is compared with. Without leave, that is an error.
func hostsApart(runs []results.Run, labels []string, chosen selection.Selection, leave bool) (map[[2]int]string, error) {
	apart := map[[2]int]string{}
	for _, l := range chosen.Lines {
		pair := [2]int{l.Base.Run, l.Head.Run}
		if _, known := apart[pair]; known || pair[0] == pair[1] {
			continue
		}
		diff := compare.SameHost(runs[pair[0]].Meta.Host, runs[pair[1]].Meta.Host)
		apart[pair] = strings.Join(diff, "; ")
		if len(diff) > 0 && !leave {
			return nil, fmt.Errorf("%s and %s were measured on different hosts: %s; hint: measure both on one host, or compare them with --across-hosts",
				labels[pair[0]], labels[pair[1]], apart[pair])
		}
	}
	return apart, nil
}

// metricsOf finds the metric of each comparison.
type metricsOf struct {
	runs     []results.Run
	labels   []string
	name     string
	warnings []string
	shapes   map[compare.Sample][2]int // steps per block and blocks; nil: not looked at yet
}

func (by *metricsOf) metric(l selection.Line) (results.Metric, error) {
	if by.name != "" {
		m, ok := results.LookupMetric(by.name)
		if !ok {
			var names []string
			for _, m := range results.Metrics {
				names = append(names, m.Name)
			}
			return m, fmt.Errorf("--metric %q: expected one of %s", by.name, strings.Join(names, ", "))
		}
		if err := m.Judgeable(0, 0); err != nil {
			return m, fmt.Errorf("--metric: %w", err)
		}
		if l.Absent || l.Reason != "" {
			return m, nil
		}
		for _, s := range []compare.Sample{l.Base, l.Head} {
			if err := m.Judgeable(by.shape(s)); err != nil {
				return m, fmt.Errorf("%s: %w", s.Cell.Name(), err)
			}
		}
		return m, nil
	}
	base := by.primary(l.Base)
	if head := by.primary(l.Head); head.Name != base.Name {
		return base, fmt.Errorf("%s is judged by %s (%s) in %s and by %s (%s) in %s: these have different units; hint: name one with --metric",
			l.Head.Cell.Name(), base.Name, base.Unit, by.labels[l.Base.Run], head.Name, head.Unit, by.labels[l.Head.Run])
	}
	return base, nil
}

// shape is that of a measured segment of a sample, 0 where none was measured.
func (by *metricsOf) shape(s compare.Sample) (perBlock, blocks int) {
	if by.shapes == nil {
		by.shapes = map[compare.Sample][2]int{}
		for i, run := range by.runs {
			for _, r := range run.Records {
				if n := r.Steps(); n > 0 {
					by.shapes[compare.Sample{Run: i, Cell: r.Cell}] = [2]int{r.StepsPerBlock, n / r.StepsPerBlock}
				}
			}
		}
	}
	shape := by.shapes[s]
	return shape[0], shape[1]
}

func (by *metricsOf) primary(s compare.Sample) results.Metric {
	m, warning := compare.Primary(by.runs[s.Run].Meta.Policy, s.Cell.Mode)
	if warning != "" {
		if w := by.labels[s.Run] + ": " + warning; !slices.Contains(by.warnings, w) {
			by.warnings = append(by.warnings, w)
		}
	}
	return m
}

func comparisonLine(l selection.Line, m results.Metric, c compare.Comparison, base, head compare.Summary, key []selection.Part, labels []string, apart map[[2]int]string) ComparisonLine {
	line := ComparisonLine{
		Table: l.Table, Row: l.Row, Col: l.Col, Metric: m.Name, Unit: m.Unit, Better: "lower",
		Base: side(base, labels[l.Base.Run]), Head: side(head, labels[l.Head.Run]),
		Ratio: finite(c.Ratio), RatioLo: finite(c.Lo), RatioHi: finite(c.Hi), CPURatio: finite(c.CPURatio),
		Verdict: c.Verdict, Rounds: c.Rounds, RoundsNeeded: c.RoundsNeeded, Evidence: c.Evidence, Needed: c.Needed, Reason: c.Reason,
	}
	if m.Better > 0 {
		line.Better = "higher"
	}
	// Where the verdict was withheld no effect would have been shown.
	proven := base.Status == compare.StatusOK && head.Status == compare.StatusOK
	if c.Verdict == compare.Inconclusive && c.Detectable > 0 && proven && c.Reason == "" && !c.TooShort {
		line.Detectable = finite(&c.Detectable)
	}
	warn := func(w string) {
		if w != "" && w != line.Reason && !slices.Contains(line.withoutReason, w) {
			line.withoutReason = append(line.withoutReason, w)
		}
	}
	if d := apart[[2]int{l.Base.Run, l.Head.Run}]; d != "" {
		warn("measured on different hosts: " + d)
	}
	// What compare says of a side it heads with the backend, which both may share.
	for _, w := range c.Warnings {
		if !strings.HasPrefix(w, base.Cell.Backend+": ") && !strings.HasPrefix(w, head.Cell.Backend+": ") {
			warn(w)
		}
	}
	for i, s := range []compare.Summary{base, head} {
		name := sideName(key, []compare.Sample{l.Base, l.Head}[i], labels)
		if s.Reason != "" && l.Reason == "" && !(l.Absent && s.Trials == 0 && s.Status == compare.StatusMissing) {
			why := s.Reason
			if s.Status != compare.StatusOK && s.Status != compare.StatusMissing && !strings.HasPrefix(why, s.Status+" in ") {
				why = s.Status + ": " + why
			}
			switch {
			case line.Reason == "" && i == 1 && s.Status != compare.StatusOK:
				line.Reason = name + ": " + why
			case !strings.HasSuffix(line.Reason, s.Reason):
				warn(name + ": " + why)
			}
		}
		for _, w := range s.Warnings {
			warn(name + ": " + w)
		}
	}
	line.Warnings = line.withoutReason
	if line.Reason != "" {
		line.Warnings = append([]string{line.Reason}, line.withoutReason...)
	}
	return line
}

func side(s compare.Summary, run string) ComparedSide {
	return ComparedSide{
		Run: run, Cell: s.Cell.Name(), Hash: s.Cell.Hash, Median: finite(s.Median), Lo: finite(s.Lo), Hi: finite(s.Hi),
		Trials: s.Trials, Failed: s.Failed, Status: s.Status, Reason: s.Reason,
	}
}

// sideName is what a sample has in the compared keys.
func sideName(key []selection.Part, s compare.Sample, labels []string) string {
	var words []string
	for _, p := range key {
		if p.Key == "run" {
			words = append(words, labels[s.Run])
		} else {
			words = append(words, s.Cell.Part(p.Key))
		}
	}
	return strings.Join(words, " ")
}

// doubts are the warnings that concern runs as a whole.
func (t Comparison) doubts(runs []results.Run, sorted compare.Sorted, chosen selection.Selection) (all []string) {
	for i := range runs {
		for _, d := range sorted.Doubts(i) {
			if len(runs) > 1 && !strings.HasPrefix(d, runs[i].Dir) {
				d = t.Runs[i].Label + ": " + d
			}
			all = append(all, d)
		}
	}
	for i, r := range runs[1:] {
		if r.Meta.Shared != runs[0].Meta.Shared {
			all = append(all, fmt.Sprintf("only one of %s and %s forked its trials from one process (--share-process)", t.Runs[0].Label, t.Runs[i+1].Label))
		}
	}
	if n := len(chosen.Alone); n > 0 {
		name := chosen.Alone[0].Cell.Name()
		all = append(all, fmt.Sprintf("%d of the base's cells have nothing to be held against, the first is %s", n, name))
	}
	if len(t.Lines) == 0 {
		all = append(all, "nothing is compared: no cell differs from the base in "+keyNames(t.Base)+" alone")
	} else if slices.ContainsFunc(t.Lines, func(l ComparisonLine) bool { return l.Rounds > 0 && l.RoundsNeeded == 0 }) {
		all = append(all, fmt.Sprintf("no verdict is possible: %s share alpha %g, which takes more rounds than were planned", counts(t.Family, "comparison", "").EN, t.Alpha))
	} else if few := t.tooFewRounds(runs, chosen); few != "" {
		all = append(all, few)
	}
	return all
}

// tooFewRounds says of how many comparisons both sides have fewer rounds than any
// verdict takes, and how to go on; empty of none.
func (t Comparison) tooFewRounds(runs []results.Run, chosen selection.Selection) string {
	n, made, need, planned := 0, 0, 0, 0
	for i, l := range t.Lines {
		if l.Verdict != compare.Inconclusive || l.Rounds == 0 || l.Rounds >= l.RoundsNeeded || l.Reason != "" {
			continue
		}
		n++
		if l.Rounds > made {
			pair := chosen.Lines[i]
			made, planned = l.Rounds, min(runs[pair.Base.Run].Meta.Policy.MaxRounds, runs[pair.Head.Run].Meta.Policy.MaxRounds)
		}
		need = max(need, l.RoundsNeeded)
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("no verdict is possible in %s: %s", counts(n, "comparison", "").EN, gate.TooFewRounds(made, need, planned))
}

func keyNames(parts []selection.Part) string {
	var names []string
	for _, p := range parts {
		names = append(names, p.Key)
	}
	return strings.Join(names, ", ")
}

// Compared reports whether any line has a ratio.
func (t Comparison) Compared() bool {
	return slices.ContainsFunc(t.Lines, func(l ComparisonLine) bool { return l.Ratio != nil })
}
