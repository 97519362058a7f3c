package compare

import (
	"testing"

	"github.com/dlbench/dlbench/results"
)

// Any two cells may be held against each other, in one run or in two, and the
// family is what was asked for.
func TestJudge(t *testing.T) {
	run := func(backend string, ms ...float64) results.Run {
		var r results.Run
		cell := results.Cell{Workload: "M", Mode: "train", Precision: "f32", Device: "cpu", Batch: 1, Threads: 1, Backend: backend}
		r.Meta.Cells = []results.Cell{cell}
		for i, v := range ms {
			r.Records = append(r.Records, results.Record{Kind: results.KindTime, End: results.EndOK, Round: 2*i + len(backend), Cell: cell,
				BlockNS: []int64{int64(v * 1e6)}, StepsPerBlock: 1, Check: &results.Check{Status: "ok"}})
		}
		return r
	}
	base := run("old", 100, 101, 99, 100, 102, 100, 101, 99, 100)
	head := run("young", 200, 201, 199, 200, 202, 200, 201, 199, 200, 100)
	m, _ := results.LookupMetric("step-time")
	sample := func(i int, r results.Run) Sample { return Sample{Run: i, Cell: r.Meta.Cells[0]} }
	absent := sample(1, head)
	absent.Cell.Batch = 2
	runs := []results.Run{base, head}
	got := Judge(runs, []Contrast{
		{Base: sample(0, base), Head: sample(1, head), Metric: m, MinEffect: 0.02},
		{Base: sample(1, head), Head: sample(0, base), Metric: m, MinEffect: 0.02},
		{Base: sample(0, base), Head: absent, Metric: m},
	}, results.Policy{Alpha: 0.05})
	want := []Verdict{Regressed, Improved, Missing}
	for i, c := range got {
		if c.Verdict != want[i] {
			t.Errorf("contrast %d is %s, want %s: %+v", i, c.Verdict, want[i], c)
		}
	}
	if got[0].Rounds != 9 || got[0].Needed != needed(3, 0.05) || got[0].MinEffect != 0.02 {
		t.Errorf("want the 9 rounds that both have, a family of 3, the contrast's own margin: %+v", got[0])
	}
}
