package harness

import (
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

func TestJudgeDropout(t *testing.T) {
	g := workloads.Golden{
		Schema: 1, Program: "sha256:x", Dropout: true,
		Losses:   []float64{2.0, 1.9, 1.8},
		LossBand: []workloads.Band{{Low: 1.8, High: 2.4}, {Low: 1.7, High: 2.3}, {Low: 1.6, High: 2.2}},
		Budgets:  map[workloads.Precision]workloads.Budget{workloads.F32: {Losses: []float64{1e-6, 1e-6, 1e-6}}},
	}
	for _, tc := range []struct {
		name   string
		losses []float64
		want   string
	}{
		{"random masks", []float64{2.1, 2.0, 1.75}, workloads.StatusOK},
		{"one step as without masks", []float64{2.0, 2.0, 1.75}, workloads.StatusOK},
		{"nothing dropped", []float64{2.0, 1.9, 1.8}, workloads.StatusWrong},
		{"outside the band", []float64{2.1, 3.0, 1.75}, workloads.StatusWrong},
	} {
		if j := judgeDropout(g, tc.losses, workloads.F32); j.Status != tc.want {
			t.Errorf("%s: %s (%s), want %s", tc.name, j.Status, j.Reason, tc.want)
		}
	}
}
