package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// madeup DIR [KEY=VALUE…]: a run of made-up records; see madeupRun.
func madeup(ts *testscript.TestScript, _ bool, args []string) {
	run, err := madeupRun(args[1:])
	ts.Check(err)
	ts.Check(writeRun(ts.MkAbs(args[0]), run))
}

// writeRun puts a run into a new folder, without the care of a journal, which
// syncs every record.
func writeRun(dir string, run results.Run) error {
	journal, err := results.Create(dir, run.Meta)
	if err != nil {
		return err
	}
	if err := journal.Close(); err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, r := range run.Records {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	return os.WriteFile(filepath.Join(dir, "trials.jsonl"), lines.Bytes(), 0o644)
}

// madeupRun is a run of the backends eager, gorgonia and gomlx on one workload,
// with as many rounds as a verdict takes, changed as the words say.
func madeupRun(words []string) (results.Run, error) {
	c := resultstest.Config{Seed: 1, Cells: resultstest.Cells()[:3], Rounds: 12, Noise: 0.003}
	slower := 1.0
	var meta func(*results.Meta)
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseFloat(value, 64)
		switch key {
		case "seed":
			c.Seed = uint64(n)
		case "rounds":
			c.Rounds = int(n)
		case "cells":
			c.Cells = resultstest.Cells()[:int(n)]
		case "threads":
			for i := range c.Cells {
				c.Cells[i].Threads = int(n)
			}
		case "slower":
			slower = n
		case "fails":
			c.Faults = append(c.Faults, resultstest.Fault{Cell: resultstest.Backend(value, ""), End: results.EndTimeout, Phase: "first", Reason: "no reply within 60 s"})
		case "program":
			for i := range c.Cells {
				c.Cells[i].Hash = "sha256:" + strings.Repeat(value, 64)
			}
		case "host":
			meta = func(m *results.Meta) { m.Host.CPU = value }
		case "metric":
			meta = func(m *results.Meta) { m.Policy.Metric = map[string]string{"train": value} }
		default:
			return results.Run{}, err
		}
		if key != "fails" && key != "host" && key != "metric" && key != "program" && err != nil {
			return results.Run{}, err
		}
	}
	c.Step = func(cell results.Cell) float64 { return slower * resultstest.Step(cell) }
	run := resultstest.Run(c)
	if meta != nil {
		meta(&run.Meta)
	}
	return run, nil
}

// swap FILE OLD NEW: the first OLD of a file becomes NEW.
func swap(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s holds no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

func TestShare(t *testing.T) {
	for text, want := range map[string]float64{"0.02": 0.02, "2%": 0.02, "0": 0, "5 %": 0.05} {
		if got, err := share("--min-effect", text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "NaN", "inf", "two", "%"} {
		if got, err := share("--min-effect", text); err == nil || !strings.Contains(err.Error(), "--min-effect") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// BenchmarkCompare reads and compares two runs of 100 cells with 20 trials of
// 1000 samples each; scripts/compare-speed does so with 1000 cells.
func BenchmarkCompare(b *testing.B) {
	var dirs []string
	for i, name := range []string{"base", "head"} {
		cells := make([]results.Cell, 0, 100)
		for n := range 100 {
			c := resultstest.Cells()[n%3]
			c.Batch = 1 + n/3
			cells = append(cells, c)
		}
		run := resultstest.Run(resultstest.Config{Seed: uint64(i + 1), Cells: cells, Rounds: 20, Samples: 1000, Noise: 0.02})
		dir := filepath.Join(b.TempDir(), name)
		if err := writeRun(dir, run); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "trials.jsonl"))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(2 * info.Size())
		dirs = append(dirs, dir)
	}
	b.ReportAllocs()
	for b.Loop() {
		cmd := newCompare()
		cmd.SetArgs(append(dirs, "-o", filepath.Join(b.TempDir(), "out.txt")))
		if err := cmd.Execute(); err != nil {
			b.Fatal(err)
		}
	}
}
