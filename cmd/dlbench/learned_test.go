package main

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// A run holds what a report wants to know besides times: how the models learned,
// what the machine can do at best, and what a step needs by count.
func TestRunHoldsCurvesAndPeaks(t *testing.T) {
	t.Parallel()
	suite := suiteFile(t, "eager, gorgonia", "cells: [{workload: TinyMlp, mode: [train, infer], batch: 4, precision: f32, steps: {warmup-max: 10, blocks: 4, per-block: 5}}]")
	dir := filepath.Join(t.TempDir(), "run")
	if out := dlbench(t, "run", "--suite", suite, "--out", dir); out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	curves := 0
	for _, r := range run.Records {
		train := r.Cell.Mode == "train"
		if w := r.Work; w.InputBytes == 0 || train != (w.GradientBytes > 0) || train != (w.OptimizerBytes > 0) {
			t.Errorf("%s: work %+v", r.Cell.Name(), w)
		}
		if r.Kind != results.KindCheck {
			continue
		}
		c := r.Check.Curve
		if !train {
			if c != nil {
				t.Errorf("%s has a learning curve", r.Cell.Name())
			}
			continue
		}
		curves++
		if c == nil || len(c.Losses) < 40 || len(c.Correct) != len(c.Losses) || c.Examples != 4 || c.Epoch < 1 || len(c.Oracle) < len(r.Check.Losses) {
			t.Errorf("%s: curve %+v", r.Cell.Name(), c)
			continue
		}
		if !reflect.DeepEqual(c.Losses[:len(r.Check.Losses)], r.Check.Losses) {
			t.Errorf("%s: the curve begins with %v, the judged check had %v", r.Cell.Name(), c.Losses[:3], r.Check.Losses)
		}
		last := r.Phases[len(r.Phases)-1]
		if last.Name != "learn" || last.Steps != len(r.Check.Losses)+len(c.Losses) || last.WallNS <= 0 {
			t.Errorf("%s: the last phase is %+v", r.Cell.Name(), last)
		}
	}
	if curves != 2 {
		t.Errorf("%d learning curves, want one per backend", curves)
	}
	p := run.Meta.Peaks
	if len(p) != 2 || p[0].Threads != 1 || p[0].Precision != "f32" || p[1].Precision != "f64" || p[0].FLOPPerSecond <= 0 || p[0].BytesPerSecond <= 0 {
		t.Errorf("peaks %+v", p)
	}
	if b := run.Meta.Backends["gorgonia"]; b.AdapterLines < 500 {
		t.Errorf("gorgonia: %+v", b)
	}
	// A run that goes on keeps the peaks that it began with.
	if out := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume"); out.code != exitOK {
		t.Fatalf("resume: exit %d\n%s", out.code, out.stderr)
	}
	again, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.Meta.Peaks, p) {
		t.Errorf("a resumed run has other peaks: %+v, it began with %+v", again.Meta.Peaks, p)
	}
}
