package compare

import "github.com/dlbench/dlbench/results"

// untilMax is the policy of a run that measures all rounds, whatever they show.
const untilMax = "max"

// endedEarly says of which comparisons of a run one knows that they ended where
// they did for another reason than what their rounds showed, such as a limit on
// time: only then may the last round have the error that the design had kept for
// later ones.
//
// A run that was resumed had reports before, each of them a look that nobody
// planned. A run that stops cells at their verdicts stopped by its own rule: for
// a question under that rule (own), a cell that was measured in every round of
// the run has not been stopped; for another question, that is not known.
func endedEarly(meta results.Meta, by map[results.Cell]*cellTrials, own bool) func(rounds int) bool {
	if len(meta.Resumes) > 0 {
		return nil
	}
	if meta.Policy.Until == untilMax {
		return func(int) bool { return true }
	}
	if !own {
		return nil
	}
	made := 0
	for _, c := range by {
		made = max(made, len(c.timed))
	}
	return func(rounds int) bool { return rounds == made }
}

// endedEarly is that of several runs, under a question's policy.
func (s Sorted) endedEarly(contrasts []Contrast, p results.Policy) func(rounds int) bool {
	if len(s.runs) == 0 {
		return nil
	}
	own := len(s.runs) == 1 && asksItsOwn(s.metas[0], contrasts, p)
	first := endedEarly(s.metas[0], s.runs[0], own)
	for i := 1; i < len(s.runs) && first != nil; i++ {
		if endedEarly(s.metas[i], s.runs[i], false) == nil {
			first = nil
		}
	}
	return first
}

// asksItsOwn reports whether contrasts are the comparisons of the run itself,
// under its own policy.
func asksItsOwn(meta results.Meta, contrasts []Contrast, p results.Policy) bool {
	if len(contrasts) > 0 && contrasts[0].Base.Cell.Backend != meta.Baseline {
		return false // as most are, and planning takes longer
	}
	a := &analyst{baseline: meta.Baseline, policy: Complete(meta.Policy)}
	a.plan(meta)
	if len(contrasts) != a.family || p.Alpha != a.policy.Alpha || p.MinRounds != a.policy.MinRounds || p.MaxRounds != a.policy.MaxRounds {
		return false
	}
	for _, q := range contrasts {
		if q.MinEffect != a.policy.MinEffect || q.Base.Cell.Backend != meta.Baseline || q.Base.Cell.Group() != q.Head.Cell.Group() || q.Metric.Name != a.metric(q.Head.Cell.Mode).Name {
			return false
		}
	}
	return true
}
