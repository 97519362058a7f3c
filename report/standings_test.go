package report

import (
	"fmt"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// Stars and claims of 1000 cells of 20 trials.
func BenchmarkStandings(b *testing.B) {
	var cells []results.Cell
	for i := range 50 {
		c := resultstest.Cells()[0]
		c.Workload = fmt.Sprintf("Workload%c%c", 'a'+i/26, 'a'+i%26)
		if i%3 == 0 {
			c.Mode = "infer"
		}
		for _, name := range []string{"pytorch", "pytorch-compile", "pytorch-jit", "tensorflow", "tensorflow-function", "tensorflow-xla", "tensorflow-session", "keras-tensorflow", "keras-torch", "keras-jax", "jax", "jax-eager", "onnxruntime", "eager", "gorgonia", "gomlx", "mine", "yours", "theirs", "ours"} {
			c.Backend = name
			cells = append(cells, c)
		}
	}
	run := resultstest.Run(resultstest.Config{Seed: 1, Cells: cells, Rounds: 20, Noise: 0.03, Memory: true, Samples: 20})
	a := compare.Analyze(run)
	for b.Loop() {
		newView(run, a).judged()
	}
}

// Workloads that would fill the narrow column of the star table are shown on demand.
func TestManyWorkloadsFold(t *testing.T) {
	for n, folded := range map[int]bool{4: false, 5: true} {
		if (starRow{Workloads: make([]link, n)}).Many() != folded {
			t.Errorf("%d workloads: folded %v, want %v", n, !folded, folded)
		}
	}
}
