package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/memprof"
	"github.com/dlbench/dlbench/results"
)

// The memory limit is kept in the run itself, not only near some limit: what
// the record says was held is at most 1.3 times what the suite allows, and the
// trials after it are measured (planted checks that).
func TestPeakStaysNearTheMemoryLimit(t *testing.T) {
	const limit = 1 << 30
	_, records, _ := planted(t, "alloc-runaway", "limits: {trial: 60s, memory: 1GiB}")
	timed, sampled := 0, 0
	for _, r := range records {
		if r.Kind == results.KindCheck {
			continue // it allocates in the measured run alone
		}
		if r.End != results.EndOOM {
			t.Errorf("%s trial ended %s: %s", r.Kind, r.End, r.Reason)
			continue
		}
		var held, allowed float64
		_, figures, _ := strings.Cut(r.Reason, "held ")
		if _, err := fmt.Sscanf(figures, "%f MiB, the memory limit is %f MiB", &held, &allowed); err != nil {
			t.Errorf("the reason names no figures: %q", r.Reason)
		} else if allowed != limit>>20 || held < allowed || held > 1.3*allowed {
			t.Errorf("the tree held %v MiB of %v, want at most 1.3 times the limit of 1 GiB", held, allowed)
		}
		if r.Memory == nil {
			timed++
			continue
		}
		sampled++
		// The sampler is a second witness: it knows nothing of the limit.
		if r.Memory.PeakRSS == nil {
			t.Errorf("there is no sampled peak: %v", r.Memory.Absent)
		} else if *r.Memory.PeakRSS > limit*13/10 {
			t.Errorf("the sampled peak is %d bytes", *r.Memory.PeakRSS)
		}
	}
	if timed != 2 || sampled != 1 {
		t.Errorf("%d timed trials and %d memory trials, want 2 and 1", timed, sampled)
	}
}

// A reply with 10^7 samples is 40 MB that the harness must not hold: its peak is
// held against that of a run without such a reply, since most of both is the
// program itself.
func TestFloodOfSamplesCostsLittleMemory(t *testing.T) {
	plain, flooded := harnessPeak(t, "fake"), harnessPeak(t, "fake-many-samples")
	t.Logf("the harness held at most %.1f MiB, without the flood %.1f", float64(flooded)/(1<<20), float64(plain)/(1<<20))
	if flooded > plain+25_000_000 {
		t.Errorf("the harness held %d bytes, want at most 25 MB more than the %d of a plain run", flooded, plain)
	}
}

// harnessPeak runs a suite with one backend and returns the largest resident
// size of dlbench itself, its workers apart. The kernel's figure is read while
// the process lives: that of a reaped child may be its parent's.
func harnessPeak(t *testing.T, backend string) (peak int64) {
	t.Helper()
	suite := suiteFile(t, backend, "compare: {baseline: "+backend+", metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}")
	cmd := program(t.Context(), "run", "--suite", suite, "--out", filepath.Join(t.TempDir(), "run"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for tick := time.Tick(time.Millisecond); ; {
		select {
		case <-ended:
			if peak == 0 {
				t.Fatal("the process was never seen")
			}
			return peak
		case <-tick:
			if now, err := memprof.ReadPeak(cmd.Process.Pid); err == nil {
				peak = max(peak, now)
			}
		}
	}
}
