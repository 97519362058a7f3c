package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/results"
)

// doctor names the kernels, every trial of eager records them, and a family that
// is forced reaches the workers and stands in the run.
func TestKernelsAreRecorded(t *testing.T) {
	if out := dlbench(t, "doctor"); !strings.Contains(out.stdout, "eager's kernels: ") || !strings.Contains(out.stdout, "f32-product "+kernel.Kernels()["f32-product"]) {
		t.Errorf("doctor does not name the kernels:\n%s", out.stdout)
	}
	for _, forced := range []string{"", "go"} {
		t.Setenv(kernel.KernelsEnv, forced)
		suite := suiteFile(t, "eager, gorgonia", "cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, steps: {warmup-max: 10, blocks: 4, per-block: 5}}]")
		dir := filepath.Join(t.TempDir(), "run")
		if out := dlbench(t, "run", "--suite", suite, "--out", dir); out.code != exitOK {
			t.Fatalf("exit %d\n%s", out.code, out.stderr)
		}
		run, err := results.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if env := run.Meta.Backends["eager"].Env[kernel.KernelsEnv]; env != forced {
			t.Errorf("the run says that %q is forced, want %q", env, forced)
		}
		for _, r := range run.Records {
			k := r.Worker.Kernels
			switch {
			case r.Cell.Backend != "eager":
				if len(k) > 0 {
					t.Errorf("%s: kernels %v", r.Cell.Name(), k)
				}
			case k["forced"] != forced || k["f32-product"] == "" || k["f32-vectors"] == "":
				t.Errorf("%s, %s trial: kernels %v with %q forced", r.Cell.Name(), r.Kind, k, forced)
			case forced == "go" && k["f32-product"] != "plain Go", forced == "" && k["f32-product"] != kernel.Kernels()["f32-product"]:
				t.Errorf("%s: kernels %v with %q forced", r.Cell.Name(), k, forced)
			}
		}
	}
	// A family that is none is refused before anything is measured.
	t.Setenv(kernel.KernelsEnv, "sse")
	suite := suiteFile(t, "eager, gorgonia", "cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, steps: {warmup-max: 10, blocks: 4, per-block: 5}}]")
	dir := filepath.Join(t.TempDir(), "run")
	const want = "eager: DLBENCH_EAGER_KERNELS=sse: expected one of go, avx2, avx512"
	if out := dlbench(t, "run", "--suite", suite, "--out", dir); out.code != exitBadInput || !strings.Contains(out.stderr, "error: "+want+"\n") {
		t.Errorf("exit %d with an unknown family on %s:\n%s", out.code, runtime.GOARCH, out.stderr)
	} else if _, err := os.Stat(dir); err == nil {
		t.Error("the run left a folder")
	}
	if out := dlbench(t, "plan", "--suite", suite); out.code != exitOK || !strings.Contains(out.stdout, "warning: "+want+"\n") {
		t.Errorf("plan: exit %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}
