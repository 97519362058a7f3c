package report

import (
	"bytes"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// golden is a run with one of everything, and its analysis.
func golden(t testing.TB) (results.Run, compare.Analysis) {
	t.Helper()
	run := resultstest.Golden()
	return run, compare.Analyze(run)
}

func renderHTML(t testing.TB, run results.Run, a compare.Analysis) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, run, a); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
