package compare

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// replay runs a suite as the harness does: each round measures the cells that
// are still undecided, with the trials that full holds of them.
func replay(full results.Run) (run results.Run, perRound []int) {
	run = full
	run.Records = nil
	byRound := map[int][]results.Record{}
	for _, r := range full.Records {
		byRound[r.Round] = append(byRound[r.Round], r)
	}
	run.Records = append(run.Records, byRound[0]...)
	for round := 1; round <= full.Meta.Policy.MaxRounds; round++ {
		cells := Undecided(full.Meta, run.Records)
		if len(cells) == 0 {
			break
		}
		perRound = append(perRound, len(cells))
		for _, r := range byRound[round] {
			if slices.Contains(cells, r.Cell) {
				r.Planned = len(cells)
				run.Records = append(run.Records, r)
			}
		}
	}
	return run, perRound
}

func TestUndecided(t *testing.T) {
	full := resultstest.Run(resultstest.Config{Seed: 5, Rounds: 20, Noise: 0.02})
	run, perRound := replay(full)
	for i, n := range perRound {
		if i < 7 && n != 12 || i > 0 && n > perRound[i-1] {
			t.Errorf("cells per round: %v; want 12 for 7 rounds, then fewer and fewer", perRound)
			break
		}
	}
	if perRound[len(perRound)-1] == 12 {
		t.Errorf("cells per round: %v; no cell was ever decided", perRound)
	}
	rounds := map[results.Cell]int{}
	for _, r := range run.Records {
		rounds[r.Cell]++
	}
	for _, g := range Analyze(run).Groups {
		most := 0
		for _, c := range g.Comparisons {
			if c.Rounds != rounds[c.Head] {
				t.Errorf("%s: %d trials, %d of them paired", c.Head.Name(), rounds[c.Head], c.Rounds)
			}
			if c.Verdict == Inconclusive && c.Rounds != 20 {
				t.Errorf("%s: stopped after %d rounds without a verdict", c.Head.Name(), c.Rounds)
			}
			if c.Verdict == Improved && c.Rounds != 10 {
				t.Errorf("%s: a plain effect took %d rounds", c.Head.Name(), c.Rounds)
			}
			most = max(most, c.Rounds)
		}
		base := g.Key
		base.Backend = "gorgonia"
		if rounds[base] != most {
			t.Errorf("%s: the baseline has %d trials, the longest comparison %d", g.Key.Name(), rounds[base], most)
		}
	}
}

// Cells that can have no verdict take no time from the others.
func TestUndecidedGivesUp(t *testing.T) {
	run := resultstest.Golden()
	var got []string
	for round := range 8 {
		cells := Undecided(run.Meta, slices.DeleteFunc(slices.Clone(run.Records), func(r results.Record) bool { return r.Round > round }))
		names := map[string]int{}
		for _, c := range cells {
			names[c.Backend]++
		}
		got = append(got, fmt.Sprint(names))
	}
	// The check trials, before round 1, have failed once already.
	first := "map[eager:5 gomlx:5 gorgonia:4 jax:1 opaque:1 pytorch:1 tensorflow:1]"
	then := "map[eager:5 gomlx:5 gorgonia:4 opaque:1]"
	// The floor is reached: the flaky and the unproven cell are settled, and so is
	// the group whose baseline is unsupported.
	after := "map[eager:4 gomlx:3 gorgonia:4]"
	want := []string{first, then, then, then, then, then, then, after}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestUndecidedEnds(t *testing.T) {
	noisy := resultstest.Run(resultstest.Config{Seed: 5, Rounds: 20, Noise: 0.3})
	if got := Undecided(noisy.Meta, noisy.Records); got != nil {
		t.Errorf("after the cap: %v", got)
	}
	// A round that was killed half-way is no round.
	last := len(noisy.Records) - 1
	if got := Undecided(noisy.Meta, noisy.Records[:last]); len(got) == 0 {
		t.Error("the last round is incomplete, yet nothing is undecided")
	}
	none := resultstest.Run(resultstest.Config{Seed: 5, Rounds: 7})
	none.Meta.Baseline = ""
	if got := Undecided(none.Meta, none.Records); got != nil {
		t.Errorf("no baseline: %v after the floor", got)
	}
	if got := Undecided(none.Meta, none.Records[:12*6]); len(got) != 12 {
		t.Errorf("no baseline: %d cells before the floor", len(got))
	}
	if got := Undecided(none.Meta, nil); len(got) != 12 {
		t.Errorf("at the start: %d cells", len(got))
	}
}
