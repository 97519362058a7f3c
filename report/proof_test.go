package report

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// The proof speaks of the cells that ran: what a backend cannot run, and what
// was planned and never run, is neither proven nor unproven.
func TestProofCountsWhatRan(t *testing.T) {
	unsupported := resultstest.Fault{Cell: resultstest.Backend("gorgonia", "TextLstmShort"), End: results.EndUnsupported, Reason: "unsupported in build: lstm lstm1", Phase: "build"}
	unproven := resultstest.Fault{Cell: resultstest.Backend("gomlx", "MnistCnn"), Unproven: true}
	crashed := resultstest.Fault{Cell: resultstest.Backend("gomlx", "MnistCnn"), End: results.EndCrashed, Reason: "crashed in build", Phase: "build"}
	for _, test := range []struct {
		name   string
		faults []resultstest.Fault
		idle   string // a backend of which no trial ran
		en, zh string
		badge  badge
	}{
		{"all", nil, "", "12 of the 12 cells that ran proven within their error budgets.", "已运行的 12 个单元中有 12 个在误差预算内得到证明。", checkBadge("ok")},
		{"one unsupported", []resultstest.Fault{unsupported}, "", "11 of the 11 cells that ran proven within their error budgets; 1 unsupported.", "已运行的 11 个单元中有 11 个在误差预算内得到证明；另有 1 个不支持。", checkBadge("ok")},
		{"one unproven", []resultstest.Fault{unsupported, unproven}, "", "10 of the 11 cells that ran proven within their error budgets; 1 unsupported.", "已运行的 11 个单元中有 10 个在误差预算内得到证明；另有 1 个不支持。", badge{"i-q", "b-open", text{"not all proven", "并非全部证明"}}},
		{"one crashed", []resultstest.Fault{crashed}, "", "11 of the 12 cells that ran proven within their error budgets.", "已运行的 12 个单元中有 11 个在误差预算内得到证明。", badge{"i-q", "b-open", text{"not all proven", "并非全部证明"}}},
		{"a backend not run", nil, "gomlx", "8 of the 8 cells that ran proven within their error budgets; 4 not run.", "已运行的 8 个单元中有 8 个在误差预算内得到证明；另有 4 个未运行。", checkBadge("ok")},
	} {
		run := resultstest.Run(resultstest.Config{Seed: 3, Rounds: 7, Check: true, Faults: test.faults})
		run.Records = slices.DeleteFunc(run.Records, func(r results.Record) bool { return r.Cell.Backend == test.idle })
		s := newView(run, compare.Analyze(run)).proof()
		if s.Verdict != (text{test.en, test.zh}) || s.Badge != test.badge {
			t.Errorf("%s: %q %q, badge %q", test.name, s.Verdict.EN, s.Verdict.ZH, s.Badge.Word.EN)
		}
		for _, p := range s.Panels {
			for _, r := range p.Rows {
				if b := endBadge(results.EndUnsupported); (r.Badge == b) != (len(test.faults) > 0 && test.faults[0].End == results.EndUnsupported && r.Backend.Name == "gorgonia" && r.What.EN == "check steps" && r.Reason.EN != "") {
					t.Errorf("%s: %s has the badge %q", test.name, r.Backend.Name, r.Badge.Word.EN)
				}
			}
		}
	}
}
