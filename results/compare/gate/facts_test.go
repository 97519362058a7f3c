package gate

import (
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

func TestFacts(t *testing.T) {
	c := config(nil)
	c.Cells = cells("A", "B")
	run := oneRun(c)
	for i := range run.Records {
		r := &run.Records[i]
		if r.Cell.Workload == "A" && r.Cell.Backend == "young" {
			r.Worker.Params += 384
			r.Work.ActivationBytes /= 2
		}
	}
	run.Meta.Backends = map[string]results.Backend{"old": {Environment: "x", DiskBytes: 1000}, "young": {Environment: "x@2", DiskBytes: 1100}}
	exact := func(list ...Tolerance) Policy { return Policy{Exact: list} }
	r := mustJudge(t, Input{Base: run, Policy: exact(Tolerance{"params", 0}, Tolerance{"model-flops", 0}, Tolerance{"activation-bytes", 0}, Tolerance{"param-bytes", 0}, Tolerance{"setup-bytes", 0.05})})
	for id, want := range map[string]compare.Verdict{
		"A" + name + " params": compare.Regressed, "B" + name + " params": compare.Equivalent, "A" + name + " model-flops": compare.Equivalent,
		"A" + name + " activation-bytes": compare.Improved, "A" + name + " param-bytes": compare.Equivalent, "backend=young setup-bytes": compare.Regressed,
	} {
		if got := check(t, r, id); got.Verdict != want || got.BaseValue == nil || got.HeadValue == nil {
			t.Errorf("%s is %s, want %s with both values", id, got.Verdict, want)
		}
	}
	if r.Code() != CodeFail {
		t.Errorf("code %d", r.Code())
	}
	r = mustJudge(t, Input{Base: run, Policy: exact(Tolerance{"params", 0.5}, Tolerance{"setup-bytes", 0.1})})
	if r.Code() != CodePass {
		t.Errorf("with tolerances that cover it: %s", r.Headline())
	}
	delete(run.Meta.Backends, "young")
	r = mustJudge(t, Input{Base: run, Policy: exact(Tolerance{"setup-bytes", 0.1})})
	if got := check(t, r, "backend=young setup-bytes"); got.Verdict != Vanished || !got.Fails {
		t.Errorf("a size that is not known any more: %s", got.Verdict)
	}
	run.Meta.Backends = nil // as Go backends have none
	for _, c := range mustJudge(t, Input{Base: run, Policy: exact(Tolerance{"setup-bytes", 0.1})}).Checks {
		if c.Metric == setupBytes {
			t.Errorf("backends without environments have a check of their size: %+v", c)
		}
	}
}

func TestPeaks(t *testing.T) {
	for _, tc := range []struct {
		base, head []float64
		want       compare.Verdict
	}{
		{[]float64{100}, []float64{109}, compare.Equivalent},
		{[]float64{100}, []float64{111}, compare.Regressed},
		{[]float64{100}, []float64{90}, compare.Improved}, // 100 is 11 % above
		{[]float64{100, 108}, []float64{117, 125}, compare.Inconclusive},
		{[]float64{100, 108}, []float64{119, 125}, compare.Regressed},
		{[]float64{100, 120}, []float64{110}, compare.Equivalent},
		{[]float64{100, 130}, []float64{110}, compare.Inconclusive},
	} {
		c := Check{Tolerance: 0.1}
		judgePeaks(&c, tc.base, tc.head)
		if c.Verdict != tc.want {
			t.Errorf("%v against %v is %s, want %s", tc.head, tc.base, c.Verdict, tc.want)
		}
	}
	c := config(nil)
	c.Cells = cells("A")
	run := oneRun(c)
	for i := range run.Records {
		if m := run.Records[i].Memory; m != nil && run.Records[i].Cell.Backend == "young" {
			*m.PeakPSS *= 2
		}
	}
	r := mustJudge(t, Input{Base: run, Policy: Policy{Memory: []Tolerance{{"peak-memory", 0.1}}}})
	if got := check(t, r, "A"+name+" peak-memory"); got.Verdict != compare.Regressed || r.Code() != CodeFail {
		t.Errorf("%s, code %d", got.Verdict, r.Code())
	}
}
