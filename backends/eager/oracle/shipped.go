package oracle

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/workloads"
)

// Cell is a program whose golden is shipped, with the steps that it covers.
type Cell struct {
	Program workloads.Program
	Dialect string // "" or the variant that the oracle follows
	Steps   int
	// Precisions that need a budget beside f64 and f32.
	Precisions []workloads.Precision
}

// Name is the name of its golden, and the dialect if there is one.
func (c Cell) Name() string {
	if c.Dialect != "" {
		return Name(c.Program) + " " + c.Dialect
	}
	return Name(c.Program)
}

// tinyBatch is the batch of the tiny workloads in the compliance suite.
const tinyBatch = 4

// standard is one batch of each workload for users' own suites, small where
// the model is large.
var standard = map[string]int{
	"AttentionText": 8, "CheckpointStack": 32, "CheckpointStackDeep": 8, "CheckpointStackDeepNarrow": 8,
	"ImageCnn": 2, "ImageCnn32px": 8, "ImageCnn64px": 8, "InputPipeline": 64, "KerasMlp": 32, "MlpInfer": 32, "MnistCnn": 32, "MnistMlp": 64,
	"ResNet18Cifar": 8, "SpeechRnn": 8, "TextLstm": 32, "TextLstmShort": 8,
}

// Shipped lists every program with a committed golden: all cells of the
// shipped suites, the tiny workloads as the compliance suite runs them, and one
// batch of every other workload; each that Adam trains also in the dialect of
// TensorFlow and Keras. The cheapest come first.
func Shipped() ([]Cell, error) {
	var cells []Cell
	add := func(spec workloads.Spec, set workloads.Settings, precisions ...workloads.Precision) error {
		p, err := spec.Resolve(set)
		if err != nil {
			return err
		}
		steps := max(CheckSteps, spec.Steps.Measured())
		if own, ok := workloads.Find(spec.Workload); ok {
			steps = max(steps, own.Steps.Measured()) // room for a suite that grows
		}
		if p.Mode == workloads.Infer {
			steps = max(CheckSteps, p.Data.Batches) // without updates a step's loss depends on its batch alone
		}
		if i := slices.IndexFunc(cells, func(c Cell) bool { return c.Program.Hash == p.Hash }); i >= 0 {
			cells[i].Steps = max(cells[i].Steps, steps)
			cells[i].need(precisions)
			return nil
		}
		c := Cell{Program: p, Steps: steps}
		c.need(precisions)
		cells = append(cells, c)
		return nil
	}
	for _, suite := range workloads.ShippedSuites() {
		points, err := suite.Expand()
		if err != nil {
			return nil, err
		}
		for _, point := range points {
			if err := add(point.Spec, point.Settings, point.Settings.Precision); err != nil {
				return nil, err
			}
		}
	}
	for _, spec := range workloads.Shipped() {
		set := workloads.DefaultSettings()
		set.Batch = standard[spec.Workload]
		modes := []workloads.Mode{workloads.Train}
		if strings.HasPrefix(spec.Workload, "Tiny") {
			set.Batch, modes = tinyBatch, workloads.Modes
		}
		if set.Batch == 0 {
			return nil, fmt.Errorf("oracle: the workload %s has no standard batch", spec.Workload)
		}
		for _, set.Mode = range modes {
			if set.Mode == workloads.Train && spec.Optimizer.Op == "" {
				set.Mode = workloads.Infer
			}
			var precisions []workloads.Precision
			if strings.HasPrefix(spec.Workload, "Tiny") {
				precisions = Precisions(set.Mode)
			}
			if err := add(spec, set, precisions...); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range slices.Clone(cells) {
		if c.Program.Mode == workloads.Train && c.Program.Optimizer.Op == workloads.OptAdam {
			c.Dialect = workloads.AdamUncorrected
			cells = append(cells, c)
		}
	}
	slices.SortStableFunc(cells, func(a, b Cell) int {
		return int(min(max(a.cost()-b.cost(), -1), 1))
	})
	return cells, nil
}

// need adds precisions that the cell's golden has no budget for anyway.
func (c *Cell) need(precisions []workloads.Precision) {
	for _, p := range precisions {
		if slices.Contains(Precisions(c.Program.Mode), p) && !slices.Contains(always, p) && !slices.Contains(c.Precisions, p) {
			c.Precisions = append(c.Precisions, p)
		}
	}
}

// cost orders cells: arithmetic and parameters of all steps.
func (c Cell) cost() int64 {
	return int64(c.Steps) * (c.Program.Work.ModelFLOPs + 100*c.Program.Work.ParamBytes)
}

// Select keeps the cells whose name ("MnistCnn/train/32", and the dialect)
// contains one of words, all without words.
func Select(cells []Cell, words ...string) []Cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool {
		return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(c.Name(), w) })
	})
}

// WriteAll computes the goldens of cells and writes one file each into dir. Where
// missing is set, goldens that are committed stay, and get the budgets that they
// lack. It tells progress a line per cell, and returns the first error.
func WriteAll(ctx context.Context, dir string, cache workloads.Cache, cells []Cell, missing bool, progress io.Writer) error {
	for i, c := range cells {
		began := time.Now()
		weights, err := cache.Weights(c.Program)
		if err != nil {
			return err
		}
		batches, err := cache.Batches(c.Program, "")
		if err != nil {
			return err
		}
		g, ok := workloads.GoldenFor(c.Program, c.Dialect)
		switch {
		case !missing || !ok || len(g.Losses) < c.Steps:
			g, err = Compute(ctx, c.Program, weights, batches, c.Dialect, c.Steps, c.Precisions...)
		case len(Missing(g, c.Program.Mode, c.Precisions)) == 0:
			continue
		default:
			g, err = Extend(ctx, g, c.Program, weights, batches, c.Precisions...)
		}
		if err != nil {
			return err
		}
		path, err := workloads.WriteGolden(dir, g)
		if err != nil {
			return err
		}
		fmt.Fprintf(progress, "%d/%d %s: %d steps, %s, %.1fs\n", i+1, len(cells), c.Name(), c.Steps, path, time.Since(began).Seconds())
	}
	return nil
}
