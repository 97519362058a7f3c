package main

import (
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// ranked reports whether a backend's numbers enter a comparison.
func ranked(t *testing.T, dir, backend string) bool {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range compare.Analyze(run).Groups {
		for _, c := range g.Comparisons {
			if c.Head.Backend == backend && c.Ratio != nil {
				return true
			}
		}
	}
	return false
}

// A worker that breaks the protocol ends as `protocol` with a quote of what it
// wrote; the other backends are measured; the run exits with 4.
func TestNoiseOnStdoutIsProtocol(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"nul-on-stdout", "half-json", "huge-line"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			out, records, _ := planted(t, fault)
			r, ok := first(records, results.EndProtocol)
			if !ok {
				t.Fatalf("ends: %s", ends(records))
			}
			if len(r.Reason) < 20 || len(r.Reason) > 600 {
				t.Errorf("the reason has %d bytes, want a sentence and a quote of at most 200: %q", len(r.Reason), r.Reason)
			}
			if strings.ContainsRune(r.Reason, 0) {
				t.Error("the quote holds a raw NUL")
			}
			if out.code != exitTrialNotOK {
				t.Errorf("exit %d, want %d\n%s", out.code, exitTrialNotOK, out.stderr)
			}
		})
	}
}

func TestKilledWorkerIsCrashed(t *testing.T) {
	t.Parallel()
	out, records, _ := planted(t, "sigkill-in-measure")
	r, ok := first(records, results.EndCrashed)
	if !ok {
		t.Fatalf("ends: %s", ends(records))
	}
	if r.Signal != "killed" && r.Signal != "SIGKILL" {
		t.Errorf("signal %q, want SIGKILL", r.Signal)
	}
	if r.Phase != "measure" {
		t.Errorf("phase %q, want measure", r.Phase)
	}
	if r.Stderr == "" {
		t.Error("the tail of stderr is missing")
	}
	if out.code != exitTrialNotOK {
		t.Errorf("exit %d, want %d", out.code, exitTrialNotOK)
	}
}

// Whatever a worker says of its speed, the harness has a clock of its own, and
// the last loss proves that the steps were taken.
func TestLyingClocksAreNotRanked(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"half-time", "double-time", "never-sync"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			// Long enough that half of it is beyond what even a busy host excuses.
			_, records, dir := planted(t, fault, "cells: [{workload: MnistMlp, mode: infer, batch: 64, precision: f32, steps: {warmup-max: 50, blocks: 20, per-block: 300}}]")
			found := false
			for _, r := range records {
				if r.Kind == results.KindTime && r.End == results.EndOK {
					t.Errorf("round %d passed as ok", r.Round)
				}
				found = found || r.End == results.EndProtocol || r.End == results.EndWrong
			}
			if !found {
				t.Errorf("ends: %s", ends(records))
			}
			if ranked(t, dir, "fake-"+fault) {
				t.Error("it was ranked")
			}
		})
	}
}

func TestHangIsATimeout(t *testing.T) {
	_, records, dir := planted(t, "hang-ignore-sigterm", "limits: {trial: 3s, memory: 4GiB}")
	r, ok := first(records, results.EndTimeout)
	if !ok {
		t.Fatalf("ends: %s", ends(records))
	}
	if wall := time.Duration(r.WallNS); wall < 3*time.Second || wall > 5*time.Second {
		t.Errorf("the trial took %v, want between 3 and 5 s", wall)
	}
	if left := workersOf(dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

func TestMemoryLimit(t *testing.T) {
	_, records, _ := planted(t, "alloc-runaway", "limits: {trial: 20s, memory: 1GiB}")
	r, ok := first(records, results.EndOOM)
	if !ok {
		t.Fatalf("ends: %s", ends(records))
	}
	if !strings.Contains(r.Reason, "limit") {
		t.Errorf("the reason does not name the limit: %q", r.Reason)
	}
	t.Log(r.Reason)
}

// The proof of same work: each planted change of the function is `wrong`, with
// the worst quantity, its value and its budget named.
func TestOtherWorkIsWrong(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"wrong-loss", "transposed-weight", "bf16"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			out, records, dir := planted(t, fault)
			if out.code != exitTrialNotOK {
				t.Errorf("exit %d, want %d", out.code, exitTrialNotOK)
			}
			r, ok := first(records, results.EndWrong)
			if !ok {
				t.Fatalf("ends: %s", ends(records))
			}
			if r.Check == nil || r.Check.Worst == "" || r.Check.Error <= r.Check.Ceiling {
				t.Errorf("check = %+v, want the worst quantity with an error above its ceiling", r.Check)
			}
			if ranked(t, dir, "fake-"+fault) {
				t.Error("it was ranked")
			}
			run, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			var page strings.Builder
			if err := report.HTML(&page, run, compare.Analyze(run)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(page.String(), r.Check.Worst) {
				t.Errorf("the report does not name %s", r.Check.Worst)
			}
		})
	}
}

func TestFloods(t *testing.T) {
	t.Run("samples", func(t *testing.T) {
		_, records, _ := planted(t, "many-samples")
		if _, ok := first(records, results.EndProtocol); !ok {
			t.Errorf("ends: %s", ends(records))
		}
	})
	t.Run("stderr", func(t *testing.T) {
		out, records, _ := planted(t, "stderr-flood")
		for _, r := range records {
			if r.End != results.EndOK {
				t.Errorf("%s trial ended %s: %s", r.Kind, r.End, r.Reason)
			}
		}
		if out.code != exitOK {
			t.Errorf("exit %d, want 0\n%s", out.code, out.stderr)
		}
	})
}
