package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// Where there is no verdict, the row says why: in all forms, in both languages.
func TestWhyOpen(t *testing.T) {
	gorgonia := resultstest.Backend("gorgonia", "")
	for _, test := range []struct {
		name       string
		config     resultstest.Config
		change     func(*results.Run)
		page, text []string
		never      []string // on the page
	}{
		{
			name: "fewer rounds than a verdict takes", config: resultstest.Config{Rounds: 7, Noise: 0.05},
			page:  []string{"7 rounds, a verdict takes at least 9", "仅 7 轮，至少 9 轮才能下结论"},
			text:  []string{"undecided (too few rounds)", "\n- undecided: 7 rounds, a verdict takes at least 9: in 8 of 12 cells\n"},
			never: []string{"could show", "可分辨 ≥"},
		},
		{
			name: "flaky baseline", config: resultstest.Config{Rounds: 12, Faults: []resultstest.Fault{
				{Cell: gorgonia, Rounds: []int{3}, End: results.EndCrashed, Phase: "measure", Reason: "SIGSEGV"}}},
			page: []string{"not comparable", "Gorgonia: flaky, not ranked", "Gorgonia：不稳定，不排名", "the baseline gorgonia is flaky: 1 failed beside 11 valid trials", "基准 gorgonia 不稳定："},
			text: []string{"not comparable (Gorgonia: flaky, not ranked)", "the baseline gorgonia is flaky: 1 failed beside 11 valid trials"},
		},
		{
			name: "wrong baseline", config: resultstest.Config{Rounds: 12, Faults: []resultstest.Fault{
				{Cell: gorgonia, Rounds: []int{3}, End: results.EndWrong, Phase: "check", Reason: "loss"}}},
			page: []string{"not comparable", "Gorgonia: wrong result", "基准 gorgonia 结果错误："},
			text: []string{"not comparable (Gorgonia: wrong result)"},
		},
		{
			name: "unproven baseline", config: resultstest.Config{Rounds: 12, Faults: []resultstest.Fault{{Cell: gorgonia, Unproven: true}}},
			page: []string{"Gorgonia: unproven, not ranked"},
			text: []string{"undecided (Gorgonia: unproven, not ranked)"},
		},
		{
			name: "too short", config: resultstest.Config{Rounds: 12},
			change: func(run *results.Run) {
				for i := range run.Records {
					u := *run.Records[i].Usage
					u.WallNS, u.CPUNS = 9_000_000, 8_900_000
					run.Records[i].Usage = &u
				}
			},
			page:  []string{"see below", "原因见下", "no verdict: most trials of eager measured for less than 10 ms", "不下结论：eager 的多数试验"},
			text:  []string{"undecided (see below)", "no verdict: most trials of eager measured for less than 10 ms"},
			never: []string{"b-faster"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.Seed = 1
			run := resultstest.Run(test.config)
			if test.change != nil {
				test.change(&run)
			}
			a := compare.Analyze(run)
			page := between(t, renderHTML(t, run, a), `<section id="throughput"`, "</section>")
			for _, want := range test.page {
				if !strings.Contains(page, want) {
					t.Errorf("the section lacks %q", want)
				}
			}
			for _, bad := range test.never {
				if strings.Contains(page, bad) {
					t.Errorf("%q in the section", bad)
				}
			}
			var b bytes.Buffer
			if err := Text(&b, run, a, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.text {
				if !strings.Contains(b.String(), want) {
					t.Errorf("the text lacks %q:\n%s", want, b.String())
				}
			}
		})
	}
}

// How the rate of a cell follows from its trials is said once.
func TestRateIsExplained(t *testing.T) {
	run, a := golden(t)
	page := renderHTML(t, run, a)
	for _, want := range []string{"the batch divided by the median time per step", "批量除以各次试验每步时间的中位数"} {
		if n := strings.Count(page, want); n != 1 {
			t.Errorf("%q is there %d times", want, n)
		}
	}
}
