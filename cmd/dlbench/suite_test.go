package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// What the catalog sets for a backend is recorded with the names of places, not
// with this machine's paths.
func TestConditions(t *testing.T) {
	var plan harness.Plan
	s, err := here(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.entries() {
		if e.Info.Name == "pytorch-compile" || e.Info.Name == "gomlx" || e.Info.Name == "gorgonia" || e.Info.Name == "eager" {
			plan.Cells = append(plan.Cells, harness.Cell{Entry: e, Name: results.Cell{Backend: e.Info.Name}})
		}
	}
	got := s.conditions(plan)
	if got["eager"].AdapterLines != 0 || len(got) != 4 || got["gomlx"].AdapterLines == 0 || got["gorgonia"].AdapterLines == 0 || got["pytorch-compile"].AdapterLines == 0 {
		t.Errorf("conditions of %v", got)
	}
	if c := got["gorgonia"].Proven; c == nil || !slices.Contains(c.Features, "checkpoint") || got["eager"].Proven == nil {
		t.Errorf("what gorgonia and eager were seen to do is not recorded: %+v", c)
	}
	if got["gomlx"].Env["GOMLX_NO_AUTO_INSTALL"] != "1" || got["gomlx"].Environment != "" {
		t.Errorf("gomlx: %+v", got["gomlx"])
	}
	compile := got["pytorch-compile"]
	if compile.Environment != "pytorch" || compile.Env["PATH"] != "{path}" || compile.Env["TORCHINDUCTOR_CACHE_DIR"] != "{cache}/inductor" {
		t.Errorf("pytorch-compile: %+v", compile)
	}
	// The entries that are started keep their paths.
	for _, c := range plan.Cells {
		if strings.Contains(strings.Join(c.Entry.Env, " "), "{") {
			t.Errorf("%s starts with %q", c.Entry.Info.Name, c.Entry.Env)
		}
	}
	if none := s.conditions(harness.Plan{Cells: []harness.Cell{{Entry: backends.Entry{Info: backends.Info{Name: "x"}}}}}); len(none) != 0 {
		t.Errorf("%v", none)
	}
}

// What an environment took to set up goes into the run, where that is known.
func TestSetupIsRecorded(t *testing.T) {
	s := site{store: environment.Store{Dir: t.TempDir()}}
	marker := `{"schema":1,"name":"pytorch","site":"lib","seconds":67.2,"bytes":1000}`
	if err := os.MkdirAll(filepath.Join(s.store.Dir, "pytorch"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.store.Dir, "pytorch", "dlbench-environment.json"), []byte(marker), 0o644); err != nil {
		t.Fatal(err)
	}
	var plan harness.Plan
	for _, name := range []string{"pytorch", "jax"} {
		e := backends.Entry{Info: backends.Info{Name: name}, Environment: name}
		plan.Cells = append(plan.Cells, harness.Cell{Entry: e, Name: results.Cell{Backend: name}})
	}
	got := s.conditions(plan)
	if b := got["pytorch"]; b.SetupNS != 67_200_000_000 || b.DiskBytes != 1000 {
		t.Errorf("pytorch: %+v", b)
	}
	if b := got["jax"]; b.SetupNS != 0 || b.DiskBytes != 0 {
		t.Errorf("jax, which is not set up: %+v", b)
	}
	s.workers = map[string]ownWorker{"jax": {command: "my-jax"}}
	if b := s.conditions(plan)["jax"]; b.AdapterLines != 0 {
		t.Errorf("the user's own worker has %d lines of ours", b.AdapterLines)
	}
}

// A Go backend has no malloc to tune: its tuned cell is unsupported, says why,
// and the default one is measured.
func TestTunedAllocatorOfGo(t *testing.T) {
	t.Parallel()
	suite := suiteFile(t, "eager, gorgonia", "cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, allocator: [default, tuned], steps: {warmup-max: 10, blocks: 4, per-block: 5}}]")
	dir := filepath.Join(t.TempDir(), "run")
	if out := dlbench(t, "run", "--suite", suite, "--out", dir); out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	ok := 0
	for _, r := range run.Records {
		switch {
		case r.Cell.Allocator == "" && r.End == results.EndOK:
			ok++
		case r.Cell.Allocator == "tuned" && r.End == results.EndUnsupported && strings.HasPrefix(r.Reason, "build: allocator tuned: Go programs"):
		default:
			t.Errorf("%s: %s (%s)", r.Cell.Name(), r.End, r.Reason)
		}
	}
	if ok != 8 { // check, memory and two timed trials of two backends
		t.Errorf("%d trials with the default allocator ended ok, want 8", ok)
	}
}

// --until replaces what the suite says, and nothing else does.
func TestUntil(t *testing.T) {
	for flag, want := range map[string]string{"": workloads.UntilMax, "max": workloads.UntilMax, "decided": workloads.UntilDecided} {
		suite := workloads.Suite{Rounds: workloads.Rounds{Min: 7, Max: 20, Until: workloads.UntilMax}}
		f := suiteFlags{until: flag}
		if err := f.override(&suite); err != nil || suite.Rounds != (workloads.Rounds{Min: 7, Max: 20, Until: want}) {
			t.Errorf("--until %q: %+v, %v", flag, suite.Rounds, err)
		}
	}
}

// After an upgrade in it, a user's own environment is another one.
func TestIdentityOfOwnEnvironment(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string { return filepath.Join(dir, "lib", "python3.11", "site-packages", name) }
	make := func(names ...string) {
		for _, n := range names {
			if err := os.MkdirAll(folder(n), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	make("torch-2.13.0.dist-info", "numpy-2.4.0.dist-info", "torch")
	ref := environment.Ref{Name: "pytorch"}
	s := site{own: []environment.Own{{Ref: ref, Python: filepath.Join(dir, "bin", "python")}}}
	before := s.identity("pytorch")
	if !strings.HasPrefix(before, s.own[0].Python) || before == s.own[0].Python {
		t.Errorf("identity %q", before)
	}
	make("__pycache__", "torch/lib")
	if again := s.identity("pytorch"); again != before {
		t.Errorf("%q became %q though no package changed", before, again)
	}
	if err := os.Rename(folder("torch-2.13.0.dist-info"), folder("torch-2.14.0.dist-info")); err != nil {
		t.Fatal(err)
	}
	if after := s.identity("pytorch"); after == before {
		t.Errorf("%q after an upgrade", after)
	}
}
