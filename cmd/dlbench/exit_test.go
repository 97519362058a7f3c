package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The exit code tells a script what a person reads in the report. Wrong work is
// in faults_test.go, interrupts in durability_test.go.
func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		suite  string
		args   []string
		code   int
		stderr string
	}{
		{"all is well", suiteFile(t, "eager, fake-ok"), nil, exitOK, ""},
		{"no verdict is possible", suiteFile(t, "eager, fake-ok"), nil, exitOK, "warning: no verdict is possible"},
		{"nothing can be timed", suiteFile(t, "gorgonia",
			"cells: [{workload: TinyAttention, mode: train, batch: 4, precision: f32}]",
			"compare: {baseline: gorgonia, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.05}"),
			nil, exitUndecided, "nothing was compared"},
		{"every trial times out", suiteFile(t, "eager"), []string{"--limit", "trial=1ms"}, exitTrialNotOK, "did not end ok"},
		{"a limit that is none", suiteFile(t, "eager"), []string{"--limit", "trial=0s"}, exitBadInput, "more than 0"},
		{"a budget that is none", suiteFile(t, "eager"), []string{"--budget", "0"}, exitBadInput, "more than 0"},
		{"an end that is none", suiteFile(t, "eager"), []string{"--until", "tired"}, exitBadInput, "expected decided or max"},
		{"without the baseline", suiteFile(t, "eager, fake-ok"), []string{"--backend", "fake-ok"}, exitOK, "the baseline eager is not among"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := dlbench(t, append([]string{"run", "--suite", tc.suite, "--out", filepath.Join(t.TempDir(), "run")}, tc.args...)...)
			if out.code != tc.code || !strings.Contains(out.stderr, tc.stderr) {
				t.Errorf("exit %d, want %d with %q\n%s", out.code, tc.code, tc.stderr, out.stderr)
			}
		})
	}
}
