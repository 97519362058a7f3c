package resultstest

import (
	"strings"

	"github.com/dlbench/dlbench/results"
)

// Modes is a run of two workloads on three backends with several settings each:
// precisions, accumulation, checkpoints. One backend cannot do one of them, memory
// trials come in pairs, and the run holds forecasts and what a compliance suite saw.
func Modes() results.Run {
	var cells []results.Cell
	for _, workload := range []string{"Mlp", "MnistCnn"} {
		for _, backend := range []string{"eager", "pytorch", "jax"} {
			for _, s := range []struct {
				precision              string
				accumulate, checkpoint int
			}{{"f32", 1, 0}, {"bf16-mixed", 1, 0}, {"f32", 4, 0}, {"f32", 1, 4}, {"bf16-mixed", 4, 4}} {
				cells = append(cells, results.Cell{
					Workload: workload, Hash: "sha256:" + strings.Repeat("0c", 32), Mode: "train", Precision: s.precision, Device: "cpu", Data: "resident",
					Batch: 256, Accumulate: s.accumulate, Threads: 1, Checkpoint: s.checkpoint, Backend: backend,
				})
			}
		}
	}
	run := Run(Config{
		Seed: 11, Cells: cells, Rounds: 13, Noise: 0.01, Memory: true, MemoryTrials: 2, Check: true, Ragged: true, Baseline: "pytorch", Samples: 60,
		Step: func(c results.Cell) float64 {
			s := 8 * Step(c)
			if c.Precision == "bf16-mixed" {
				s *= map[string]float64{"eager": 1.6, "pytorch": 0.7, "jax": 1}[c.Backend]
			}
			if c.Accumulate > 1 {
				s *= 1.1
			}
			if c.Checkpoint > 0 {
				s *= 1.3
			}
			if c.Backend == "jax" {
				s *= 0.6
			}
			return s
		},
		Faults: []Fault{{
			Cell: func(c results.Cell) bool {
				return c.Backend == "jax" && c.Precision == "bf16-mixed" && c.Checkpoint > 0
			},
			End: results.EndUnsupported, Phase: "build", Reason: "unsupported: checkpoints in bf16-mixed",
		}},
	})
	run.Meta.Suite, run.Meta.Policy.MaxRounds, run.Meta.Policy.Until = "modes", 13, "max"
	run.Meta.Forecasts = map[string]results.Forecast{}
	for i, c := range cells {
		if c.Workload == "MnistCnn" {
			w := work(c)
			run.Meta.Forecasts[c.Name()] = results.Forecast{AboveImport: (4*w.ParamBytes + 2*held(w)) * int64(70+10*(i%6)) / 100, RestsOn: []string{"measured here", "reference", "estimated"}[i%3]}
		}
	}
	run.Meta.Backends = map[string]results.Backend{
		"eager": {Proven: &results.Capabilities{
			Date: "2026-11-20", Versions: map[string]string{"go": "go1.26.5"}, Precisions: []string{"f32", "f64", "bf16-mixed", "f16-mixed"}, Features: []string{"accumulate", "checkpoint", "host"},
		}},
		"jax": {Proven: &results.Capabilities{
			Date: "2026-11-20", Versions: map[string]string{"jax": "v1.2.3"}, Precisions: []string{"f32", "bf16-mixed"}, Features: []string{"accumulate"}, Failed: []string{"checkpoint"},
		}},
	}
	for i := range run.Records {
		r := &run.Records[i]
		r.Worker.Segments = r.Cell.Checkpoint
		if r.Cell.Backend != "eager" {
			r.Worker.Versions = map[string]string{r.Cell.Backend: "v1.2.3", "python": "3.11.7"}
			r.Worker.Kind = map[string]string{"pytorch": "eager", "jax": "compiled"}[r.Cell.Backend]
		}
		if m := r.Memory; m != nil && m.PeakPSS != nil && r.Cell.Backend == "pytorch" && r.Cell.Workload == "Mlp" && r.Cell.Accumulate > 1 {
			*m.PeakPSS = *m.ImportPSS // as where the import had freed more than the step took
		}
	}
	return run
}
