// Package calibration reads the noise of a host off A/A runs: runs in which every
// cell is measured under two labels of the same backend. It is a pure function of
// records.
package calibration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// The labels of an A/A run: backend X is measured as X@A and as X@B.
const (
	LabelA = "@A"
	LabelB = "@B"
)

// MinRounds is the smallest number of rounds that say something about noise: the
// interval of a standard deviation from fewer spans more than a factor of two.
const MinRounds = 7

// Budgets are the numbers of rounds for which the smallest visible effect is told.
var Budgets = []int{7, 10, 15, 20}

// Of calibrates with a run. Cells that cannot be used are left out, and skipped
// says why, one line each; with no cell left it says so of the run.
func Of(run results.Run) (c results.CalibrationRun, skipped []string, err error) {
	m := run.Meta
	c = results.CalibrationRun{
		Started: m.Started, Command: m.Command, Version: m.Version, Suite: m.Suite, Mask: m.Host.Mask,
		MinEffect: m.Policy.MinEffect, Alpha: m.Policy.Alpha,
	}
	if !(c.Alpha > 0 && c.Alpha < 1) {
		c.Alpha = compare.DefaultAlpha
	}
	pairs, skipped := usable(run)
	if len(pairs) == 0 {
		return c, skipped, fmt.Errorf("nothing to calibrate with: no cell was measured twice, under the labels %s and %s of its backend, in %d rounds or more%s", LabelA, LabelB, MinRounds, first(skipped))
	}
	c.Family = len(pairs)
	c.Disturbed, c.Trials = compare.Disturbed(run)
	for _, p := range pairs {
		c.Cells = append(c.Cells, p.noise(c.MinEffect, c.Alpha, c.Family))
	}
	gates := drawGates(pairs, m, c.MinEffect, c.Alpha)
	c.Gates = gates.all
	for i := range c.Cells {
		c.Cells[i].Gates = gates.cells[i]
	}
	return c, skipped, nil
}

func first(skipped []string) string {
	if len(skipped) == 0 {
		return ""
	}
	return "; " + skipped[0]
}

// twins are the trials of one cell under both labels, round by round.
type twins struct {
	a, b   results.Cell
	trials [][2]results.Record // of a round: a's and b's
	proven bool                // both did the oracle's work
}

// cell is the cell without its label.
func (t twins) cell() results.Cell {
	c := t.a
	c.Backend = strings.TrimSuffix(c.Backend, LabelA)
	return c
}

// usable pairs the cells of a run. A cell with a failure is left out: the noise of
// its survivors is not that of the cell.
func usable(run results.Run) (pairs []twins, skipped []string) {
	m, _ := results.LookupMetric(compare.DefaultMetric)
	status := map[results.Cell]compare.Summary{}
	for _, s := range compare.Summarize(run, m) {
		status[s.Cell] = s
	}
	at := map[results.Cell]map[int]results.Record{}
	for _, r := range run.Trials() {
		if _, ok := m.Of(r); !ok {
			continue
		}
		if at[r.Cell] == nil {
			at[r.Cell] = map[int]results.Record{}
		}
		at[r.Cell][r.Round] = r
	}
	for _, a := range run.Meta.Cells {
		name, ok := strings.CutSuffix(a.Backend, LabelA)
		b := a
		b.Backend = name + LabelB
		if _, twin := status[b]; !ok || !twin {
			continue
		}
		t := twins{a: a, b: b, proven: status[a].Status == compare.StatusOK && status[b].Status == compare.StatusOK}
		if why := cmp.Or(unusable(status[a]), unusable(status[b])); why != "" {
			skipped = append(skipped, t.cell().Name()+": "+why)
			continue
		}
		for _, round := range rounds(at[a]) {
			if r, both := at[b][round]; both {
				t.trials = append(t.trials, [2]results.Record{at[a][round], r})
			}
		}
		if n := len(t.trials); n < MinRounds {
			skipped = append(skipped, fmt.Sprintf("%s: %d rounds, it takes %d", t.cell().Name(), n, MinRounds))
			continue
		}
		pairs = append(pairs, t)
	}
	return pairs, skipped
}

func unusable(s compare.Summary) string {
	if s.Status == compare.StatusOK || s.Status == compare.StatusUnproven {
		return ""
	}
	return cmp.Or(s.Reason, s.Status)
}

func rounds(trials map[int]results.Record) []int {
	var list []int
	for n := range trials {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}
