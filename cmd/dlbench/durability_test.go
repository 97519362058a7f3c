package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
)

// started is a run in progress in a process of its own.
type started struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	dir    string
}

// start begins a run and returns when its folder holds at least n records.
func start(t *testing.T, suite, dir string, n int) *started {
	t.Helper()
	return startRun(t, dir, n, "run", "--suite", suite, "--out", dir)
}

// startRun is start with all arguments.
func startRun(t *testing.T, dir string, n int, args ...string) *started {
	t.Helper()
	s := &started{cmd: program(t.Context(), args...), dir: dir}
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); lines(dir) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %d records after a minute\n%s", n, s.stderr.String())
		}
	}
	return s
}

func lines(dir string) int {
	f, err := os.Open(filepath.Join(dir, "trials.jsonl"))
	if err != nil {
		return 0
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
	}
	return n
}

// workersOf returns the processes that a run left behind, found by the folder
// that is in the environment of every worker.
func workersOf(dir string) []string { return processesNaming(dir) }

// longSuite has enough rounds that a test can interrupt it in the middle.
func longSuite(t *testing.T) string {
	return suiteFile(t, "eager, fake-busy", "rounds: {min: 6, max: 6, until: max}")
}

func TestKilledHarnessLeavesNoOrphanAndResumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	suite := longSuite(t)
	s := start(t, suite, dir, 7) // the check and memory trials and most of two rounds
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	time.Sleep(time.Second)
	if left := workersOf(dir); len(left) > 0 {
		t.Errorf("one second after the harness was killed: %v", left)
	}
	out := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume")
	if out.code != exitOK {
		t.Fatalf("resume: exit %d\n%s", out.code, out.stderr)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	attempt := 0
	for _, r := range run.Records {
		attempt = max(attempt, r.Attempt)
	}
	if attempt != 2 {
		t.Errorf("the highest attempt is %d, want 2: the interrupted round is redone", attempt)
	}
	rounds := map[string]map[int]int{}
	for _, r := range run.Trials() {
		if r.Kind == results.KindTime && r.End == results.EndOK {
			if rounds[r.Cell.Backend] == nil {
				rounds[r.Cell.Backend] = map[int]int{}
			}
			rounds[r.Cell.Backend][r.Round]++
		}
	}
	for _, backend := range []string{"eager", "fake-busy"} {
		if len(rounds[backend]) != 6 {
			t.Errorf("%s has %d valid rounds, want 6", backend, len(rounds[backend]))
		}
		for round, n := range rounds[backend] {
			if n != 1 {
				t.Errorf("%s counts %d times in round %d", backend, n, round)
			}
		}
	}
}

func TestTornAndGarbledJournals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	suite := suiteFile(t, "eager, fake-ok")
	if out := dlbench(t, "run", "--suite", suite, "--out", dir); out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	path := filepath.Join(dir, "trials.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("torn last line", func(t *testing.T) {
		if err := os.WriteFile(path, whole[:len(whole)-40], 0o644); err != nil {
			t.Fatal(err)
		}
		out := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume")
		if out.code != exitOK || !strings.Contains(out.stderr, "warning") {
			t.Errorf("exit %d, want 0 with a warning\n%s", out.code, out.stderr)
		}
		if _, err := results.Read(dir); err != nil {
			t.Errorf("after the resume: %v", err)
		}
	})
	t.Run("garbled third line", func(t *testing.T) {
		parts := bytes.SplitAfter(whole, []byte("\n"))
		parts[2] = append([]byte("#!garbage"), parts[2][9:]...)
		bad := bytes.Join(parts, nil)
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		out := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume")
		if out.code != exitBadInput || !strings.Contains(out.stderr, "trials.jsonl:3") {
			t.Errorf("exit %d, want 2 naming trials.jsonl:3\n%s", out.code, out.stderr)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, bad) {
			t.Error("the journal was changed")
		}
	})
}

func TestOneFolderOneRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	suite := longSuite(t)
	s := start(t, suite, dir, 1)
	second := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume")
	if second.code != exitBadInput || !strings.Contains(second.stderr, fmt.Sprint(s.cmd.Process.Pid)) {
		t.Errorf("the second run: exit %d, want 2 naming process %d\n%s", second.code, s.cmd.Process.Pid, second.stderr)
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()

	changed := suiteFile(t, "eager, fake-busy", "rounds: {min: 7, max: 7, until: max}")
	third := dlbench(t, "run", "--suite", changed, "--out", dir, "--resume")
	if third.code != exitBadInput || !strings.Contains(third.stderr, "rounds") {
		t.Errorf("resume of another suite: exit %d, want 2 naming the field\n%s", third.code, third.stderr)
	}
}

func TestInterrupt(t *testing.T) {
	for _, signals := range []int{1, 2} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			s := start(t, longSuite(t), dir, 9)
			began := time.Now()
			for range signals {
				if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			code := exitCode(t, s.cmd.Wait())
			if took := time.Since(began); code != exitInterrupted || took > 2*time.Second {
				t.Errorf("exit %d after %v, want 130 within 2 s\n%s", code, took, s.stderr.String())
			}
			time.Sleep(200 * time.Millisecond)
			if left := workersOf(dir); len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
			page := filepath.Join(t.TempDir(), "report.html")
			if out := dlbench(t, "report", dir, "-o", page); out.code != exitOK {
				t.Errorf("the report of the complete rounds: exit %d\n%s", out.code, out.stderr)
			}
			if info, err := os.Stat(page); err != nil || info.Size() < 10_000 {
				t.Errorf("report.html: %v, %v", info, err)
			}
		})
	}
}
