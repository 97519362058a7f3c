package main

import (
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// A backend that keeps all activations where the cell asks for checkpointing
// computes the same numbers, so only what it says of its build can tell. The
// honest backend beside it passes (planted checks that).
func TestDroppedCheckpointIsWrong(t *testing.T) {
	t.Parallel()
	_, records, dir := planted(t, "dropped-checkpoint",
		"cells: [{workload: TinyMlp, mode: train, batch: 4, checkpoint: 2, precision: f32, steps: {warmup-max: 10, blocks: 4, per-block: 5}}]")
	r, ok := first(records, results.EndWrong)
	if !ok {
		t.Fatalf("ends: %s", ends(records))
	}
	if r.Check == nil || r.Check.Worst != "build" || !strings.Contains(r.Reason, "recomputes 0 segments, the program has 2") {
		t.Errorf("reason %q, check %+v: want both counts of segments", r.Reason, r.Check)
	}
	for _, r := range records {
		if r.Kind == results.KindTime && r.End == results.EndOK {
			t.Errorf("round %d passed as ok", r.Round)
		}
	}
	if ranked(t, dir, "fake-dropped-checkpoint") {
		t.Error("it was ranked")
	}
}
