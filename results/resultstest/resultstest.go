// Package resultstest makes synthetic runs for tests: whole, plausible and the
// same bytes for the same Config on every machine. It is imported by tests only.
package resultstest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/results"
)

// Config says what a synthetic run looks like.
type Config struct {
	Seed   uint64
	Cells  []results.Cell // nil: Cells()
	Rounds int            // 0: 10
	// Noise is the standard deviation of a trial's log step time between
	// processes; 0 means none.
	Noise float64
	// HeavyTails draws that noise from Student's t with 2 degrees of freedom.
	HeavyTails bool
	// Drift is the log change of all step times from the first round to the
	// last one, as when a host slows down.
	Drift float64
	// Step is the true seconds per step of a cell; nil: Step.
	Step func(results.Cell) float64
	// Faults replaces trials of a cell, in order; a later one wins.
	Faults []Fault
	// Memory adds one memory trial per cell, Check one check trial.
	Memory, Check bool
	// MemoryTrials adds so many memory trials per cell in place of one.
	MemoryTrials int
	Baseline     string // "": gorgonia
	// Samples is the number of measured blocks of a trial; 0: 20.
	Samples int
	// CurveSteps is the number of steps of a learning curve; 0: 20. TimelinePoints is
	// that of the samples of a memory trial; 0: 40.
	CurveSteps, TimelinePoints int
	// Ragged gives curves, timelines and peaks the scatter and the digits of a real
	// run: smooth ones compress to a fraction of its size.
	Ragged bool
}

// Fault makes trials of a cell end otherwise than ok, or carry a warning.
type Fault struct {
	Cell   func(results.Cell) bool
	Rounds []int  // nil: all rounds, and the check and memory trials
	End    string // a results.End…; "": EndOK
	Reason string
	Phase  string
	Signal string
	Stderr string
	// For trials that end ok.
	Unproven  bool // the check could not be made
	NotSteady bool
	Disturbed bool
}

// Backend selects a cell by its backend, and by workload unless that is empty.
func Backend(name, workload string) func(results.Cell) bool {
	return func(c results.Cell) bool {
		return c.Backend == name && (workload == "" || c.Workload == workload)
	}
}

// Cells is a small plan: three workloads, four groups, three backends.
func Cells() []results.Cell {
	groups := []results.Cell{
		{Workload: "Mlp", Mode: "train", Batch: 64},
		{Workload: "Mlp", Mode: "infer", Batch: 64},
		{Workload: "MnistCnn", Mode: "train", Batch: 8},
		{Workload: "TextLstmShort", Mode: "train", Batch: 8},
	}
	var cells []results.Cell
	for _, g := range groups {
		g.Precision, g.Device, g.Data, g.Accumulate, g.Threads = "f32", "cpu", "resident", 1, 1
		g.Hash = "sha256:" + strings.Repeat(fmt.Sprintf("%02x", len(g.Workload)+len(g.Mode)), 32)
		for _, b := range []string{"eager", "gorgonia", "gomlx"} {
			g.Backend = b
			cells = append(cells, g)
		}
	}
	return cells
}

// Step is a plausible true step time in seconds: eager is fastest, gomlx is as
// fast as gorgonia, the last within 1 %.
func Step(c results.Cell) float64 {
	s := map[string]float64{"Mlp": 6e-3, "MnistCnn": 7.5e-3, "TextLstmShort": 15e-3}[c.Workload]
	if s == 0 {
		s = 5e-3
	}
	if c.Mode == "infer" {
		s /= 3
	}
	switch c.Backend {
	case "eager":
		s *= 0.8
	case "gomlx":
		s *= 1.01
	}
	return s
}

// Run makes the run that c describes, as if it had been read from "testdata".
func Run(c Config) results.Run {
	c = c.withDefaults()
	run := results.Run{Dir: "testdata", Meta: meta(c)}
	clock := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	nth := func(n int, kind string, round, order int, cell results.Cell) {
		// A stream per trial: adding a cell or a fault changes no other trial.
		r := c.record(kind, round, order, cell, rand.New(rand.NewPCG(c.Seed, hash(kind, round+n, cell))))
		r.Start = clock.Format(time.RFC3339Nano)
		clock = clock.Add(time.Duration(r.WallNS))
		run.Records = append(run.Records, r)
	}
	add := func(kind string, round, order int, cell results.Cell) { nth(0, kind, round, order, cell) }
	for _, cell := range c.Cells {
		if c.Check {
			add(results.KindCheck, 0, 0, cell)
		}
	}
	shuffle := rand.New(rand.NewPCG(c.Seed, 1))
	for round := 1; round <= c.Rounds; round++ {
		for order, i := range shuffle.Perm(len(c.Cells)) {
			add(results.KindTime, round, order+1, c.Cells[i])
		}
	}
	for _, cell := range c.Cells {
		for n := range c.MemoryTrials {
			nth(n, results.KindMemory, 0, 0, cell)
		}
	}
	return run
}

// Golden is a run that holds one of everything: all ends of trials, a flaky
// and a wrong cell, an unproven one, memory with an absent figure, titles that
// need escaping and ones that are not ASCII, and notes.
func Golden() results.Run {
	cells := Cells()
	for _, c := range cells[:12:12] { // the first backend of each group, again under other names
		if c.Backend != "eager" {
			continue
		}
		for _, b := range []string{"onnxruntime", "pytorch", "tensorflow", "jax", "opaque"} {
			if c.Workload == "Mlp" && c.Mode == "train" {
				c.Backend = b
				cells = append(cells, c)
			}
		}
	}
	xss := cells[0]
	xss.Workload, xss.Hash = "Ångström", "sha256:"+strings.Repeat("ab", 32)
	for _, b := range []string{"eager", "gorgonia", "gomlx"} {
		xss.Backend = b
		cells = append(cells, xss)
	}
	return Run(Config{
		Seed: 1, Cells: cells, Rounds: 12, Noise: 0.03, Memory: true, Check: true,
		Faults: []Fault{
			{Cell: Backend("gorgonia", "TextLstmShort"), End: results.EndUnsupported, Phase: "build",
				Reason: "unsupported: lstm lstm1: the library has no fused LSTM <b>&amp;</b>"},
			{Cell: Backend("gomlx", "MnistCnn"), Rounds: []int{3}, End: results.EndCrashed, Phase: "measure", Signal: "SIGKILL",
				Reason: "killed by SIGKILL in measure", Stderr: "last words\n</script><script>alert(1)</script>\n"},
			{Cell: Backend("onnxruntime", ""), End: results.EndWrong, Phase: "check",
				Reason: "wrong: param/fc1.weight: 2.8713, expected 2.7011 ± 0.0004"},
			{Cell: Backend("pytorch", ""), End: results.EndTimeout, Phase: "first", Reason: "no reply within 60 s"},
			{Cell: Backend("tensorflow", ""), End: results.EndOOM, Phase: "build", Reason: "4.1 GiB used, limit 4 GiB"},
			{Cell: Backend("jax", ""), End: results.EndProtocol, Phase: "import", Reason: `expected a JSON line, got "\x00\x00{"`},
			{Cell: Backend("gomlx", "TextLstmShort"), Rounds: []int{12}, End: results.EndInterrupted, Phase: "warm-up", Reason: "interrupted"},
			{Cell: Backend("opaque", ""), Unproven: true},
			{Cell: Backend("eager", "TextLstmShort"), Rounds: []int{5}, NotSteady: true},
			{Cell: Backend("eager", "MnistCnn"), Rounds: []int{2, 7}, Disturbed: true},
		},
	})
}

func (c Config) withDefaults() Config {
	if c.Cells == nil {
		c.Cells = Cells()
	}
	if c.Rounds == 0 {
		c.Rounds = 10
	}
	if c.Step == nil {
		c.Step = Step
	}
	if c.Baseline == "" {
		c.Baseline = "gorgonia"
	}
	if c.Samples == 0 {
		c.Samples = 20
	}
	if c.CurveSteps == 0 {
		c.CurveSteps = 20
	}
	if c.TimelinePoints == 0 {
		c.TimelinePoints = 40
	}
	if c.Memory && c.MemoryTrials == 0 {
		c.MemoryTrials = 1
	}
	return c
}

// fault is the last fault that meets the trial.
func (c Config) fault(cell results.Cell, round int) Fault {
	for _, f := range slices.Backward(c.Faults) {
		if f.Cell(cell) && (f.Rounds == nil || slices.Contains(f.Rounds, round)) {
			f.End = cmp.Or(f.End, results.EndOK)
			return f
		}
	}
	return Fault{End: results.EndOK}
}

// noise is the log deviation of one trial from its cell's true step time.
func (c Config) noise(rng *rand.Rand) float64 {
	z := rng.NormFloat64()
	if c.HeavyTails {
		z /= math.Sqrt(rng.ExpFloat64()) // chi-square with 2 degrees of freedom, over 2, is exponential
	}
	return c.Noise * z
}

func hash(kind string, round int, c results.Cell) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	// Field by field: a setting that is added later changes no trial without it.
	name := fmt.Sprintf("{Workload:%s Hash:%s Mode:%s Precision:%s Device:%s Data:%s Batch:%d Accumulate:%d Threads:%d Checkpoint:%d Backend:%s}%s",
		c.Workload, c.Hash, c.Mode, c.Precision, c.Device, c.Data, c.Batch, c.Accumulate, c.Threads, c.Checkpoint, c.Backend, c.Allocator)
	for _, b := range []byte(fmt.Sprintf("%s %d %s", kind, round, name)) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// planned is what Record.Planned says.
func (c Config) planned(kind string) int {
	if kind != results.KindTime {
		return 0
	}
	return len(c.Cells)
}
