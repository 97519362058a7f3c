package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
)

// twoCells make a group of two for every backend that forks.
const twoCells = "cells: [{workload: TinyMlp, mode: train, batch: [4, 8], precision: f32, steps: {warmup-max: 10, blocks: 4, per-block: 5}}]"

// shared runs a suite of two cells on eager, which does not fork, and on a fake
// that does, and returns the fake's records after checking that eager was
// measured all the same.
func shared(t *testing.T, fault string, more ...string) (outcome, []results.Record, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	out := dlbench(t, "run", "--suite", suiteFile(t, "eager, fake-"+fault, append(more, twoCells)...), "--out", dir, "--share-process")
	run, err := results.Read(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.stderr)
	}
	if !run.Meta.Shared {
		t.Error("the run does not say that it was shared")
	}
	var its []results.Record
	for _, r := range run.Records {
		switch {
		case r.Cell.Backend == "fake-"+fault:
			its = append(its, r)
			if r.Shared != (r.Kind != results.KindMemory) {
				t.Errorf("%s trial: shared %v", r.Kind, r.Shared)
			}
		case r.End != results.EndOK || r.Shared:
			t.Errorf("eager: %s trial ended %s (%s), shared %v", r.Kind, r.End, r.Reason, r.Shared)
		}
	}
	if left := workersOf(dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	return out, its, dir
}

// forked are the timed trials among records.
func forked(records []results.Record) []results.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r results.Record) bool { return r.Kind != results.KindTime })
}

// Shared or fresh, the same cells have the same records and the same proof:
// only the import and times differ.
func TestSharedRunMeasuresTheSame(t *testing.T) {
	t.Parallel()
	out, its, _ := shared(t, "ok")
	if out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	fresh := filepath.Join(t.TempDir(), "run")
	if out := dlbench(t, "run", "--suite", suiteFile(t, "eager, fake-ok", twoCells), "--out", fresh); out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	run, err := results.Read(fresh)
	if err != nil {
		t.Fatal(err)
	}
	// What a record says besides times, by what it is of.
	type proof struct {
		end           string
		worker        results.Worker
		check, last   *results.Check
		loss          float64
		blocks, steps int
		phases        []string
	}
	proofs := func(records []results.Record, forks bool) map[string]proof {
		m := map[string]proof{}
		for _, r := range records {
			if r.Cell.Backend != "fake-ok" || r.Shared != (forks && r.Kind != results.KindMemory) {
				continue
			}
			p := proof{end: r.End, worker: r.Worker, check: r.Check, last: r.FinalCheck, blocks: len(r.BlockNS), steps: r.StepsPerBlock}
			if r.Loss != nil {
				p.loss = *r.Loss
			}
			for _, phase := range r.Phases {
				if (phase.HWM == nil) != r.Shared || r.Shared != strings.Contains(phase.HWMWhy, "forked") {
					t.Errorf("phase %s of a %s trial, forked %v: peak %v, %q", phase.Name, r.Kind, r.Shared, phase.HWM, phase.HWMWhy)
				}
				if phase.Name != "import" {
					p.phases = append(p.phases, phase.Name)
				} else if r.Shared {
					t.Errorf("a forked %s trial has an import", r.Kind)
				}
			}
			m[r.Cell.Name()+" "+r.Kind+" "+itoa(r.Round)] = p
		}
		return m
	}
	a, b := proofs(its, true), proofs(run.Records, false)
	if len(a) != 8 || !reflect.DeepEqual(a, b) {
		t.Errorf("shared:\n%+v\nfresh:\n%+v", a, b)
	}
	for _, format := range []string{".csv", ".json"} {
		page := filepath.Join(t.TempDir(), "cells"+format)
		if out := dlbench(t, "report", fresh, "-o", page); out.code != exitOK {
			t.Fatalf("exit %d\n%s", out.code, out.stderr)
		}
		if rows, err := os.ReadFile(page); err != nil || strings.Count(string(rows), "fake-ok") < 2 || !strings.Contains(string(rows), "verdict") {
			t.Errorf("%v; %s lacks cells:\n%s", err, format, rows)
		}
	}
	if !strings.Contains(out.stdout, "forked") {
		t.Errorf("the report does not say that trials were forked:\n%s", out.stdout)
	}
}

// However a forked trial ends, its record says so as that of a fresh one does,
// and the next trial of the group is not harmed by it.
func TestSharedFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault, end, phase, signal, reason, stderr string
	}{
		{"sigkill-in-measure", results.EndCrashed, "measure", "SIGKILL", "killed by SIGKILL", "about to be killed\n"},
		{"parent-killed", results.EndCrashed, "measure", "SIGKILL", "killed by SIGKILL", ""},
		{"fails-after-bye", results.EndCrashed, "learn", "", "after the last reply: exit code 2", "fails after bye, as it should"},
		{"half-json", results.EndProtocol, "measure", "", "not a JSON object", ""},
		{"wrong-loss", results.EndWrong, "check", "", "loss ", ""},
		{"alloc-runaway", results.EndOOM, "measure", "", "the memory limit is 1024.0 MiB", ""},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			_, its, _ := shared(t, tt.fault, "limits: {trial: 20s, memory: 1GiB}")
			kind := results.KindTime
			if tt.fault == "wrong-loss" || tt.fault == "fails-after-bye" { // found in the check trials
				kind = results.KindCheck
			}
			n := 0
			for _, r := range its {
				if r.Kind != kind {
					continue
				}
				n++
				if r.End != tt.end || r.Phase != tt.phase || r.Signal != tt.signal || !strings.Contains(r.Reason, tt.reason) {
					t.Errorf("%s in %s, signal %q: %s; want %s in %s, signal %q: %s", r.End, r.Phase, r.Signal, r.Reason, tt.end, tt.phase, tt.signal, tt.reason)
				}
				if tt.stderr != "" && strings.Count(r.Stderr, strings.TrimSpace(tt.stderr)) != 1 {
					t.Errorf("last words %q, want %q once: those of this trial", r.Stderr, tt.stderr)
				}
			}
			if want := map[string]int{results.KindTime: 4, results.KindCheck: 2}[kind]; n != want {
				t.Errorf("%d %s trials, want %d", n, kind, want)
			}
		})
	}
}

// A trial that never answers ends at its own limit, not at that of its group.
func TestSharedHang(t *testing.T) {
	_, its, _ := shared(t, "hang-ignore-sigterm", "limits: {trial: 3s, memory: 4GiB}", "rounds: {min: 1, max: 1, until: max}")
	trials := forked(its)
	if len(trials) != 2 {
		t.Fatalf("%d timed trials, want 2", len(trials))
	}
	for _, r := range trials {
		if wall := time.Duration(r.WallNS); r.End != results.EndTimeout || wall < 3*time.Second || wall > 5*time.Second {
			t.Errorf("%s after %v (%s), want a timeout after 3 s", r.End, wall, r.Reason)
		}
	}
}

// What a trial leaves behind is gone before the next one of its group begins.
func TestSharedOrphan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	suite := suiteFile(t, "fake-orphan", strings.Replace(twoCells, "[4, 8]", "[1, 2, 4, 8, 16, 32]", 1),
		"compare: {baseline: fake-orphan, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}")
	s := startRun(t, dir, 1, "run", "--suite", suite, "--out", dir, "--share-process")
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	seen, most := 0, 0
	for {
		select {
		case err := <-ended:
			if code := exitCode(t, err); code != exitOK {
				t.Errorf("exit %d\n%s", code, s.stderr.String())
			}
			if seen == 0 || most > 2 { // one, and one that is being ended
				t.Errorf("in %d looks there were up to %d orphans at once", seen, most)
			}
			if left := workersOf(dir); len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
			return
		default:
			n := 0
			for _, p := range workersOf(dir) {
				if strings.Contains(p, "fake:linger") {
					n++
				}
			}
			if n > 0 {
				seen++
			}
			most = max(most, n)
		}
	}
}

func TestSharedInterruptAndResume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	suite := suiteFile(t, "eager, fake-busy", twoCells, "rounds: {min: 6, max: 6, until: max}")
	s := startRun(t, dir, 14, "run", "--suite", suite, "--out", dir, "--share-process")
	began := time.Now()
	send(t, s.cmd.Process, os.Interrupt)
	if code, took := exitCode(t, s.cmd.Wait()), time.Since(began); code != exitInterrupted || took > 2*time.Second {
		t.Errorf("exit %d after %v, want 130 within 2 s\n%s", code, took, s.stderr.String())
	}
	if left := workersOf(dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}

	fresh := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume")
	if fresh.code != exitBadInput || !strings.Contains(fresh.stderr, "--share-process) changed: true, false") {
		t.Errorf("resumed with fresh processes: exit %d\n%s", fresh.code, fresh.stderr)
	}
	out := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume", "--share-process")
	if out.code != exitOK {
		t.Fatalf("resume: exit %d\n%s", out.code, out.stderr)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	valid := map[string]map[int]int{}
	for _, r := range run.Trials() {
		if r.Kind == results.KindTime && r.End == results.EndOK {
			name := r.Cell.Name()
			if valid[name] == nil {
				valid[name] = map[int]int{}
			}
			valid[name][r.Round]++
		}
	}
	if len(valid) != 4 {
		t.Errorf("%d cells were measured, want 4", len(valid))
	}
	for name, rounds := range valid {
		if len(rounds) != 6 {
			t.Errorf("%s has %d valid rounds, want 6", name, len(rounds))
		}
		for round, n := range rounds {
			if n != 1 {
				t.Errorf("%s counts %d times in round %d", name, n, round)
			}
		}
	}
}

func TestSharedHarnessKilledLeavesNoOrphan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	suite := suiteFile(t, "fake-busy", twoCells, "rounds: {min: 50, max: 50, until: max}",
		"compare: {baseline: fake-busy, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}")
	s := startRun(t, dir, 7, "run", "--suite", suite, "--out", dir, "--share-process")
	send(t, s.cmd.Process, os.Kill)
	_ = s.cmd.Wait()
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := workersOf(dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("two seconds after the harness was killed: %v", left)
		}
	}
}

// Where nothing can be shared the run says so and is what it would be without.
func TestNothingToShare(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	out := dlbench(t, "run", "--suite", suiteFile(t, "eager"), "--out", dir, "--share-process")
	if out.code != exitOK || !strings.Contains(out.stderr, "no worker of this run can be forked") {
		t.Errorf("exit %d\n%s", out.code, out.stderr)
	}
	if run, err := results.Read(dir); err != nil || run.Meta.Shared {
		t.Errorf("%v; shared %v", err, run.Meta.Shared)
	}
}
