package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A worker that answers nothing, ignores SIGTERM and has a child in a session of
// its own is the one that outlives a careless end: it never sees its closed
// input, and no signal to its group reaches the child. However the trial ends,
// both are gone.
func TestHungTreeIsGone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limit  string // of the trial
		end    func(t *testing.T, p *os.Process)
		code   int
		within time.Duration // from end to the last process
	}{
		{"trial limit", "3s", nil, exitTrialNotOK, 5 * time.Second},
		{"harness killed", "30s", func(t *testing.T, p *os.Process) { send(t, p, os.Kill) }, 128 + 9, time.Second},
		{"interrupt", "30s", func(t *testing.T, p *os.Process) { send(t, p, os.Interrupt) }, exitInterrupted, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "run")
			suite := suiteFile(t, "fake-hang-ignore-sigterm", "limits: {trial: "+tt.limit+", memory: 4GiB}",
				"rounds: {min: 1, max: 1, until: max}",
				"compare: {baseline: fake-hang-ignore-sigterm, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}")
			s := start(t, suite, dir, 1) // the check trial is over, the memory trial hangs
			child := lingering(t, dir, s)
			began := time.Now()
			if tt.end != nil {
				tt.end(t, s.cmd.Process)
			}
			for exists(child) && time.Since(began) < tt.within+time.Second {
				time.Sleep(5 * time.Millisecond)
			}
			if took := time.Since(began); took > tt.within {
				t.Errorf("process %s lives on after %v, want it gone within %v", child, took, tt.within)
			}
			if code := exitCode(t, s.cmd.Wait()); code != tt.code {
				t.Errorf("exit %d, want %d\n%s", code, tt.code, s.stderr.String())
			}
			if took := time.Since(began); tt.end != nil && took > tt.within {
				t.Errorf("the run ended after %v, want %v", took, tt.within)
			}
			// A killed harness is waited for first, and its supervisor is not.
			left := workersOf(dir)
			for deadline := began.Add(tt.within); len(left) > 0 && time.Now().Before(deadline); left = workersOf(dir) {
				time.Sleep(5 * time.Millisecond)
			}
			if len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
		})
	}
}

func send(t *testing.T, p *os.Process, sig os.Signal) {
	t.Helper()
	if err := p.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// lingering waits for the child of the hung worker and returns its process id.
func lingering(t *testing.T, dir string, s *started) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, p := range workersOf(dir) {
			if pid, line, _ := strings.Cut(p, " "); strings.Contains(line, "fake:linger") {
				return pid
			}
		}
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	t.Fatalf("the worker started no child\n%s", s.stderr.String())
	return ""
}

// exists reports whether a process lives; a zombie's command line is empty.
func exists(pid string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", pid))
	return err == nil && len(line) > 0
}
