package main

import (
	"path/filepath"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// A known allocation, touched and freed before the end of the trial, in the
// worker and in a child of it, is what the report shows above an honest run.
func TestKnownAllocationIsReported(t *testing.T) {
	const mib = 1 << 20
	dir := filepath.Join(t.TempDir(), "run")
	suite := suiteFile(t, "fake-ok, fake-alloc-known, fake-alloc-known-grandchild", "rounds: {min: 1, max: 1, until: max}",
		"compare: {baseline: fake-ok, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}")
	if out := dlbench(t, "run", "--suite", suite, "--out", dir); out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	peak := map[string]int64{}
	for _, r := range run.Records {
		if r.Kind == results.KindMemory {
			if r.Memory == nil || r.Memory.PeakPSS == nil || r.Memory.ImportPSS == nil {
				t.Fatalf("%s has no peak: %+v", r.Cell.Backend, r.Memory)
			}
			peak[r.Cell.Backend] = *r.Memory.PeakPSS - *r.Memory.ImportPSS
		}
	}
	own := peak["fake-alloc-known"] - peak["fake-ok"]
	if own < 62*mib || own > 66*mib {
		t.Errorf("64 MiB held by the worker are reported as %.1f MiB", float64(own)/mib)
	}
	// The child is a Go process with a few MiB of its own on top.
	child := peak["fake-alloc-known-grandchild"] - peak["fake-ok"]
	if child < 62*mib || child > 74*mib {
		t.Errorf("64 MiB held by a child of the worker are reported as %.1f MiB", float64(child)/mib)
	}
}
