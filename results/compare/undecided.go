package compare

import "github.com/dlbench/dlbench/results"

// Undecided returns the planned cells that another round should measure, in
// the order of the plan. Before the policy's floor of rounds that is every
// cell that can still have a verdict; from then on the cells of comparisons
// that are open, the baseline as long as one in its group is; after the cap
// none. A run that compares nothing itself but holds a workload of a backend in several
// settings is made to be asked about them, and so are such cells where the baseline is not
// planned: these are measured to the cap. Only complete rounds count.
func Undecided(meta results.Meta, done []results.Record) []results.Cell {
	a := newAnalyst(meta, done)
	a.early = nil
	rounds := 0
	trials, _ := results.Rounds(done)
	for _, r := range trials {
		rounds = max(rounds, r.Round)
	}
	if rounds >= a.policy.MaxRounds {
		return nil
	}
	settings, several := a.settings(), false
	for _, n := range settings {
		several = several || n > 1
	}
	need := map[results.Cell]bool{}
	for _, g := range a.groups {
		for _, c := range g.cells {
			switch {
			case rounds < a.policy.MinRounds, several && a.family == 0, g.base == nil && settings[subjectOf(c)] > 1:
				need[c] = !a.by[c].settled()
			case g.base != nil && c != *g.base && a.open(g, c):
				need[c], need[*g.base] = true, true
			}
		}
	}
	var cells []results.Cell
	for _, c := range meta.Cells {
		if need[c] {
			cells = append(cells, c)
		}
	}
	return cells
}

// subject is a workload on a backend, in whatever settings.
type subject struct{ workload, mode, backend string }

func subjectOf(c results.Cell) subject { return subject{c.Workload, c.Mode, c.Backend} }

// settings counts in how many settings the run holds each subject.
func (a *analyst) settings() map[subject]int {
	n := map[subject]int{}
	for _, g := range a.groups {
		for _, c := range g.cells {
			n[subjectOf(c)]++
		}
	}
	return n
}

// open reports whether more rounds could still decide a comparison. Trials that
// are too short would be as short in the next round.
func (a *analyst) open(g group, head results.Cell) bool {
	for _, c := range []results.Cell{*g.base, head} {
		if s := a.by[c].status; s != StatusOK && s != StatusMissing {
			return false
		}
		if g.metric.Segment && a.by[c].tooShort() {
			return false
		}
	}
	v := a.compare(g, head).Verdict
	return v == Inconclusive || v == Missing
}

// settled reports whether more trials of the cell would tell nothing: it did
// other work, cannot do the work, or failed twice without a valid trial.
func (c *cellTrials) settled() bool {
	switch c.status {
	case StatusWrong, StatusUnsupported:
		return true
	case StatusFailed:
		return c.failed >= 2
	}
	return false
}
