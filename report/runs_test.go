package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// twoRuns are of other threads, policies and numbers of rounds; the second was
// begun again in round 2.
func twoRuns(t testing.TB) results.Run {
	t.Helper()
	cells := slices.Clone(resultstest.Cells()[:3])
	one := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 12, Cells: cells, Noise: 0.002})
	cells = slices.Clone(cells)
	for i := range cells {
		cells[i].Threads = 2
	}
	two := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 9, Cells: cells, Noise: 0.002})
	for i := range two.Records {
		if two.Records[i].Round == 2 {
			two.Records[i].Attempt = 2
		}
	}
	two.Meta.Suite, two.Meta.Policy.MinEffect, two.Meta.Command = "threads", 0.1, []string{"dlbench", "run", "--suite", "threads"}
	run, err := results.Merge([]results.Run{one, two})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// A round is one of its own run, and so is a policy.
func TestRunsAreJudgedOneByOne(t *testing.T) {
	run := twoRuns(t)
	v := newView(run, compare.Analyze(run))
	if len(v.groups) != 2 {
		t.Fatalf("%d groups", len(v.groups))
	}
	for i, g := range v.groups {
		part := run.Parts[i]
		alone := newView(part, compare.Analyze(part))
		for j, c := range g.cells {
			want := alone.groups[0].cells[j]
			if len(c.timed()) != len(want.timed()) || len(want.timed()) == 0 {
				t.Errorf("run %d, %s: %d trials count, alone %d", i+1, c.Backend.Name, len(c.timed()), len(want.timed()))
			}
			if c.comparison != nil && (c.comparison.Verdict != want.comparison.Verdict || *c.comparison.Lo != *want.comparison.Lo) {
				t.Errorf("run %d, %s: %s, alone %s", i+1, c.Backend.Name, c.comparison.Verdict, want.comparison.Verdict)
			}
		}
		if got, want := v.minEffect(g), part.Meta.Policy.MinEffect; got != want {
			t.Errorf("run %d: bound %g, want %g", i+1, got, want)
		}
	}
	if v.trials[len(run.Parts[0].Records)].ID != "t37" {
		t.Errorf("the second run begins with trial %s", v.trials[len(run.Parts[0].Records)].ID)
	}
}

func TestPageOfTwoRuns(t *testing.T) {
	run := twoRuns(t)
	page := renderHTML(t, run, compare.Analyze(run))
	for _, want := range []string{
		"The runs on this page; each is judged by itself", "本页的各次运行；结论逐次得出", "dlbench run --suite threads", "10" + nbsp + "%, by run", "（依所属运行）",
		"in each run", "No verdict is about cells of two runs", "on from run to run", "2 runs, the first ", `id="t63"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	e, err := ReadEmbedded(strings.NewReader(page))
	if err != nil || len(e.Runs) != 2 {
		t.Fatalf("%d runs, %v", len(e.Runs), err)
	}
	again, err := e.Run()
	if err != nil || renderHTML(t, again, compare.Analyze(again)) != page {
		t.Errorf("the page of the page's runs is another: %v", err)
	}
	safe(t, page)
	if *pages != "" {
		if err := os.WriteFile(filepath.Join(*pages, "two-runs.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Cells of two runs stand apart even where they have the same settings.
func TestRunsOfOneSettingStandApart(t *testing.T) {
	cells := resultstest.Cells()[:3]
	one := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 9, Cells: cells[:2]})
	two := resultstest.Run(resultstest.Config{Seed: 2, Rounds: 9, Cells: cells[2:]})
	run, err := results.Merge([]results.Run{one, two})
	if err != nil {
		t.Fatal(err)
	}
	v := newView(run, compare.Analyze(run))
	if len(v.groups) != 2 || len(v.groups[0].cells) != 2 || len(v.groups[1].cells) != 1 {
		t.Errorf("%d groups", len(v.groups))
	}
}
