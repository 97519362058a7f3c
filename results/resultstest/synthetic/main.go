// Command synthetic writes a run of made-up records, for measurements of what
// reads runs. The same flags give the same bytes. The trials of a cell scatter
// by 2 % between processes and their blocks by 5 % within one, as real ones do.
//
//	go run ./results/resultstest/synthetic -cells 1000 -rounds 20 -samples 1000 -seed 1 DIR
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

func main() {
	cells := flag.Int("cells", 1000, "cells of the run")
	rounds := flag.Int("rounds", 20, "trials of each cell")
	samples := flag.Int("samples", 1000, "blocks of each trial")
	seed := flag.Uint64("seed", 1, "seed of the noise")
	slower := flag.Float64("slower", 0, "by how much all steps take longer, relative")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "error: expected one folder to write")
		os.Exit(2)
	}
	c := resultstest.Config{Seed: *seed, Cells: plan(*cells), Rounds: *rounds, Samples: *samples, Noise: 0.02, Baseline: "b1"}
	c.Step = func(cell results.Cell) float64 { return resultstest.Step(cell) * (1 + *slower) }
	if err := write(flag.Arg(0), resultstest.Run(c)); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

// plan makes n cells: groups of ten backends, by batch.
func plan(n int) []results.Cell {
	const backends = 10
	var cells []results.Cell
	for i := range n {
		batch := 1 + i/backends
		cells = append(cells, results.Cell{
			Workload: "MnistCnn", Hash: "sha256:" + strings.Repeat(fmt.Sprintf("%04x", batch), 16), Mode: "train", Precision: "f32",
			Device: "cpu", Data: "resident", Batch: batch, Accumulate: 1, Threads: 1, Backend: fmt.Sprintf("b%d", 1+i%backends),
		})
	}
	return cells
}

// write puts the run into a new folder. The records are written at once: a
// journal syncs each of them to the disk, which takes minutes here.
func write(dir string, run results.Run) (err error) {
	j, err := results.Create(dir, run.Meta)
	if err != nil {
		return err
	}
	if err := j.Close(); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "trials.jsonl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	for _, r := range run.Records {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		w.Write(append(line, '\n'))
	}
	return w.Flush()
}
