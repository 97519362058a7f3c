package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// sized is a run of so many cells, three backends to a workload and settings, with 20
// timed trials each, as ragged as a real run: blocks, losses, timelines and peaks
// that never come twice, a learning curve of 40 steps, a memory trial of 3 seconds.
func sized(n, samples int) results.Run {
	const backends = 3
	var cells []results.Cell
	for i := range n {
		batch := 1 + i/backends
		cells = append(cells, results.Cell{
			Workload: "MnistCnn", Hash: "sha256:" + strings.Repeat(fmt.Sprintf("%04x", batch), 16), Mode: "train", Precision: "f32",
			Device: "cpu", Data: "resident", Batch: batch, Accumulate: 1, Threads: 1, Backend: fmt.Sprintf("b%d", 1+i%backends),
		})
	}
	return resultstest.Run(resultstest.Config{
		Seed: 1, Cells: cells, Rounds: 20, Samples: samples, Noise: 0.02, Memory: true, Check: true, Baseline: "b1",
		Ragged: true, CurveSteps: 40, TimelinePoints: 300,
	})
}

// A page that people send to one another stays small.
func TestPageSize(t *testing.T) {
	run := sized(50, 50)
	var b bytes.Buffer
	if err := HTML(&b, run, compare.Analyze(run)); err != nil {
		t.Fatal(err)
	}
	if *pages != "" { // for scripts/report-speed
		var large bytes.Buffer
		run := sized(1000, 50)
		if err := HTML(&large, run, compare.Analyze(run)); err != nil {
			t.Fatal(err)
		}
		for name, page := range map[string][]byte{"cells-50": b.Bytes(), "cells-1000": large.Bytes()} {
			if err := os.WriteFile(filepath.Join(*pages, name+".html"), page, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	const most = 2_500_000
	if t.Logf("%d bytes", b.Len()); b.Len() > most {
		t.Errorf("the page of 50 cells has %d bytes, the limit is %d", b.Len(), most)
	}
}

func BenchmarkHTML(b *testing.B) {
	for _, cells := range []int{50, 1000} {
		b.Run(fmt.Sprintf("cells=%d", cells), func(b *testing.B) {
			run := sized(cells, 50)
			a := compare.Analyze(run)
			var page bytes.Buffer
			for b.Loop() {
				page.Reset()
				if err := HTML(&page, run, a); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(page.Len()), "B/page")
		})
	}
}
