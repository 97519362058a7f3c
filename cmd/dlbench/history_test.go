package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// synthetic DIR N FROM: the folders of N runs that were made elsewhere, a day and
// a commit apart; from the run numbered FROM on, gorgonia takes 8 % longer.
func synthetic(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	from, err := strconv.Atoi(args[2])
	ts.Check(err)
	for day := range n {
		run := resultstest.Run(resultstest.Config{
			Seed: uint64(day + 1), Rounds: 7, Noise: 0.01, Cells: resultstest.Cells()[:3],
			Step: func(c results.Cell) float64 {
				if c.Backend == "gorgonia" && day >= from {
					return 1.08 * resultstest.Step(c)
				}
				return resultstest.Step(c)
			},
		})
		run.Meta.Started = time.Date(2026, 11, 1+day, 8, 0, 0, 0, time.UTC).Format(time.RFC3339)
		run.Meta.Label = fmt.Sprintf("c%02d", day)
		journal, err := results.Create(filepath.Join(ts.MkAbs(args[0]), fmt.Sprintf("%02d", day)), run.Meta)
		ts.Check(err)
		for _, r := range run.Records {
			ts.Check(journal.Append(r))
		}
		ts.Check(journal.Close())
	}
}

func TestReadLabels(t *testing.T) {
	got, err := readLabels(strings.NewReader("\n a1 \r\n\nb2\n"))
	if err != nil || strings.Join(got, ",") != "a1,b2" {
		t.Errorf("got %q, %v", got, err)
	}
	for in, want := range map[string]string{"": "no label", "x\n\nx\n": `line 3: label "x" is in line 1 already`, strings.Repeat("x", 70_000): "too long"} {
		if _, err := readLabels(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", in, err, want)
		}
	}
}

func TestCheckLabel(t *testing.T) {
	for _, good := range []string{"", "3f6e501", "v1.2.3 with tuned allocator", "分支"} {
		if err := checkLabel(good, false); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{" x", "a\nb", "\x1b[31m", strings.Repeat("x", 201), "\xff"} {
		if err := checkLabel(bad, false); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if err := checkLabel("x", true); err == nil {
		t.Error("a label for a run that has one")
	}
}
