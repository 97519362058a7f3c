package compare

import (
	"testing"

	"github.com/dlbench/dlbench/results"
)

// Only what others did disturbs a trial: the threads of a worker that shares
// one CPU among them wait too, and counters that step by 10 ms say nothing of a
// trial of 50.
func TestDisturbances(t *testing.T) {
	ns := func(x int64) *int64 { return &x }
	for _, tc := range []struct {
		name string
		d    results.Disturbance
		want int
	}{
		{"quiet", results.Disturbance{StealNS: ns(0), PSICPUNS: ns(0), OthersCPUNS: ns(0), CanaryNS: 1000}, 0},
		{"the worker's own threads wait", results.Disturbance{PSICPUNS: ns(60e6), OthersCPUNS: ns(0), CanaryNS: 1000}, 0},
		{"a tick of another process", results.Disturbance{OthersCPUNS: ns(20e6), CanaryNS: 1000}, 0},
		{"another process", results.Disturbance{OthersCPUNS: ns(60e6), CanaryNS: 1000}, 1},
		{"a GPU at its power limit", results.Disturbance{GPU: &results.GPU{Limits: []string{"software power cap"}, Others: ns(0)}}, 0},
		{"a hot GPU", results.Disturbance{GPU: &results.GPU{Slowdowns: []string{"hardware thermal slowdown"}}}, 1},
		{"another program on the GPU", results.Disturbance{GPU: &results.GPU{Others: ns(1)}}, 1},
		{"steal and a slow canary", results.Disturbance{StealNS: ns(5e6), CanaryNS: 1300}, 2},
	} {
		r := results.Record{WallNS: 100e6, Disturb: &tc.d}
		if got := disturbances(r, 1000); len(got) != tc.want {
			t.Errorf("%s: %v, want %d", tc.name, got, tc.want)
		}
	}
}
