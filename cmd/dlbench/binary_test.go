package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dlbench/dlbench/results"
)

// testscript.Main puts the test binary on PATH a second time, under the name
// dlbench, where it behaves as the program: so the tests run the real program,
// and its workers are this same binary.
func TestMain(m *testing.M) {
	if os.Getenv(bareLoop) != "" {
		if err := serveBareLoop(); err != nil {
			panic(err)
		}
		return
	}
	testscript.Main(m, map[string]func(){"dlbench": func() {
		if dir := os.Getenv(requirementsVariable); dir != "" {
			lockedRequirements = os.DirFS(dir)
		}
		main()
	}})
}

// TestScripts runs the command line as a user types it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv(fakesVariable, "1")
			env.Setenv("DLBENCH_CACHE", filepath.Join(os.TempDir(), "dlbench-test-cache"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "synthetic": synthetic, "madeup": madeup, "swap": swap},
	})
}

// exits CODE[|CODE] ARGS...: dlbench ends with one of these codes. A run whose
// trials the host may disturb ends with 0 or 4.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("dlbench", args[1:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if !slices.Contains(strings.Split(args[0], "|"), itoa(code)) {
		ts.Fatalf("exit %d, want %s", code, args[0])
	}
}

// outcome is what one run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// program returns the command that runs dlbench with the fakes in its catalog
// and a cache shared by all tests of this process.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "dlbench", args...)
	cmd.Env = append(os.Environ(), fakesVariable+"=1", "DLBENCH_CACHE="+filepath.Join(os.TempDir(), "dlbench-test-cache"))
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// dlbench runs the program to its end.
func dlbench(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := program(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	code := exitCode(t, cmd.Run())
	return outcome{code: code, stdout: stdout.String(), stderr: stderr.String(), took: time.Since(began)}
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return 128 + int(s.Signal())
		}
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// suiteFile writes a suite of one tiny workload for the named backends and
// returns its path. More lines, in YAML, may override parts of it.
func suiteFile(t *testing.T, backends string, more ...string) string {
	t.Helper()
	text := `suite: planted
title: {en: Planted faults, zh: 植入的故障}
backends: [` + backends + `]
common: {device: cpu, data: resident, threads: 1}
` + strings.Join(more, "\n") + "\n"
	if !strings.Contains(text, "cells:") {
		text += "cells: [{workload: TinyMlp, mode: train, batch: 4, precision: f32, steps: {warmup-max: 10, blocks: 4, per-block: 5}}]\n"
	}
	if !strings.Contains(text, "rounds:") {
		text += "rounds: {min: 2, max: 2, until: max}\n"
	}
	if !strings.Contains(text, "limits:") {
		text += "limits: {trial: 20s, memory: 4GiB}\n"
	}
	if !strings.Contains(text, "compare:") {
		text += "compare: {baseline: eager, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}\n"
	}
	path := filepath.Join(t.TempDir(), "planted.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// planted runs a suite in which eager stands beside a fake with a fault, and
// returns the fake's records, after checking that the honest backend was
// measured in every round all the same.
func planted(t *testing.T, fault string, more ...string) (outcome, []results.Record, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	out := dlbench(t, "run", "--suite", suiteFile(t, "eager, fake-"+fault, more...), "--out", dir)
	run, err := results.Read(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.stderr)
	}
	var faulty []results.Record
	honest := 0
	for _, r := range run.Records {
		switch {
		case r.Cell.Backend == "fake-"+fault:
			faulty = append(faulty, r)
		case r.Kind == results.KindTime && r.End == results.EndOK:
			honest++
		default:
			if r.End != results.EndOK {
				t.Errorf("the honest backend ended %s: %s", r.End, r.Reason)
			}
		}
	}
	if honest != 2 {
		t.Errorf("the honest backend has %d valid rounds, want 2", honest)
	}
	if len(faulty) == 0 {
		t.Fatal("the faulty backend left no record")
	}
	return out, faulty, dir
}

// first returns the first record with the given end.
func first(records []results.Record, end string) (results.Record, bool) {
	for _, r := range records {
		if r.End == end {
			return r, true
		}
	}
	return results.Record{}, false
}

// ends lists the ends of records, for messages.
func ends(records []results.Record) string {
	var b strings.Builder
	for _, r := range records {
		b.WriteString(r.Kind + "=" + r.End + "(" + r.Reason + ") ")
	}
	return b.String()
}

// processesNaming returns the processes whose command line or environment
// holds mark, the caller excluded.
func processesNaming(mark string) []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		if filepath.Base(d) == "self" || filepath.Base(d) == itoa(os.Getpid()) {
			continue
		}
		env, err := os.ReadFile(filepath.Join(d, "environ"))
		if err != nil {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(d, "cmdline"))
		if bytes.Contains(env, []byte(mark)) || bytes.Contains(cmdline, []byte(mark)) {
			found = append(found, filepath.Base(d)+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}
