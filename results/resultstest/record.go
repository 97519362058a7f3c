package resultstest

import (
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

const mib = 1 << 20

// activationWidths are the bytes of an activation where they are not 4.
var activationWidths = map[string]int64{"bf16-mixed": 2, "f16-mixed": 2, "f64": 8}

// work counts one step of the workloads of Cells.
func work(c results.Cell) results.Work {
	perExample := map[string]results.Work{
		"Mlp":           {ModelFLOPs: 1_192_960, ParamBytes: 437_288, ActivationBytes: 4_136},
		"MnistCnn":      {ModelFLOPs: 15_786_240, ParamBytes: 900_136, ActivationBytes: 240_680},
		"TextLstmShort": {ModelFLOPs: 7_890_000, ParamBytes: 1_423_108, ActivationBytes: 121_000},
	}
	w, ok := perExample[c.Workload]
	if !ok {
		w = perExample["Mlp"]
	}
	w.Examples = int64(c.Batch)
	if width, ok := activationWidths[c.Precision]; ok {
		w.ActivationBytes = w.ActivationBytes * width / 4
	}
	w.ModelFLOPs *= w.Examples
	w.ActivationBytes *= w.Examples
	w.InputBytes = w.Examples * 788 // 28x28 pixels and a label of 4 bytes
	if c.Mode == "infer" {
		w.ModelFLOPs /= 3
		return w
	}
	w.GradientBytes, w.OptimizerBytes = w.ParamBytes, 2*w.ParamBytes // Adam
	if k, n := int64(max(1, c.Accumulate)), int64(max(1, c.Checkpoint)); k*n > 1 {
		w.KeptBytes = w.ActivationBytes / (k * n)
	}
	return w
}

// curve is how every cell of a workload learned: its losses fall and its
// accuracy rises alike on all backends, but for an error of the last digits. Ragged
// ones scatter from batch to batch and have the digits of float32.
func (c Config) curve(cell results.Cell) *results.Curve {
	if cell.Mode != "train" {
		return nil
	}
	const epoch = 4
	batches := rand.New(rand.NewPCG(c.Seed, hash(results.KindCheck, 0, cell.Group()))) // the same for all backends
	own := rand.New(rand.NewPCG(c.Seed, hash(results.KindCheck, 1, cell)))
	off := 1e-7 * float64(len(cell.Backend))
	l := &results.Curve{Examples: cell.Batch, Epoch: epoch}
	for i := range c.CurveSteps {
		loss := 0.2 + 2.1*math.Exp(-float64(i)/8)
		got := loss * (1 + off)
		if c.Ragged {
			loss *= math.Exp(0.05 * batches.NormFloat64())
			got = float64(float32(loss * (1 + 1e-6*own.NormFloat64())))
		}
		l.Losses = append(l.Losses, got)
		if i < 12 || c.Ragged {
			l.Oracle = append(l.Oracle, loss)
		}
		l.Correct = append(l.Correct, cell.Batch*(2+i)/(c.CurveSteps+4))
	}
	return l
}

// imported is the level of resident bytes after import.
func imported(c results.Cell) int64 {
	switch c.Backend {
	case "eager", "gorgonia", "gomlx":
		return 38 * mib
	}
	return 540 * mib
}

func ptr[T any](v T) *T { return &v }

// record makes one trial.
func (c Config) record(kind string, round, order int, cell results.Cell, rng *rand.Rand) results.Record {
	f := c.fault(cell, round)
	w := work(cell)
	r := results.Record{
		Schema: results.Schema, Kind: kind, Round: round, Attempt: 1, Order: order, Planned: c.planned(kind), Cell: cell, Work: w,
		End: f.End, Reason: f.Reason, Phase: f.Phase, Signal: f.Signal, Stderr: f.Stderr,
		Worker: results.Worker{
			Kind: "static-graph", Versions: map[string]string{cell.Backend: "v1.2.3", "go": "go1.26.5"},
			Threads: cell.Threads, DTypes: map[string]string{"params": cell.Precision, "activations": cell.Precision},
			Params: w.ParamBytes / 4,
		},
	}
	if cell.Backend == "eager" {
		r.Worker.Kind = "define-by-run"
	}
	step := c.Step(cell) * math.Exp(c.noise(rng))
	if c.Rounds > 1 {
		step *= math.Exp(c.Drift * float64(round-1) / float64(c.Rounds-1))
	}
	measured := slices.DeleteFunc(slices.Clone(results.Phases), func(name string) bool { return name == "learn" })
	for i, name := range measured {
		p := results.Phase{Name: name, HWM: ptr(imported(cell) + int64(i)*w.ParamBytes + held(w))}
		switch name {
		case "import":
			p.WallNS, p.HWM = 30e6+rng.Int64N(5e6), ptr(imported(cell))
		case "build":
			p.WallNS = 4e6 + rng.Int64N(1e6)
		case "first":
			p.WallNS, p.Steps = int64(step*1.6e9), 1
		case "check":
			p.WallNS, p.Steps = int64(step*3.3e9), 3
		case "warm-up":
			p.WallNS, p.Steps = int64(step*15e9), 15
		case "measure":
			p.Steps = c.Samples
			if kind == results.KindTime {
				c.measure(&r, &p, step, rng)
			} else {
				p.WallNS = int64(step * 1e9 * float64(p.Steps))
			}
		}
		if r.End != results.EndOK && name == cmp.Or(r.Phase, "import") {
			p.HWM, p.HWMWhy = nil, "the worker was gone"
			r.Phases = append(r.Phases, p)
			r.WallNS += p.WallNS
			r.BlockNS, r.Usage, r.Steady, r.Loss, r.FinalCheck, r.StepsPerBlock = nil, nil, nil, nil, nil, 0
			return r
		}
		r.Phases = append(r.Phases, p)
		r.WallNS += p.WallNS
	}
	r.Steady = &results.Steady{Reached: !f.NotSteady, Steps: 15}
	r.Check = &results.Check{Status: "ok", Worst: "param/fc1.weight", Got: 2.8713, Want: 2.8712, Error: 1e-4, Ceiling: 4e-4, Floor: 1e-9}
	if f.Unproven {
		r.Check = &results.Check{Status: "unproven", Reason: "no oracle for an opaque workload"}
	}
	if kind == results.KindCheck && !f.Unproven {
		r.Check.Curve = c.curve(cell)
	}
	r.Disturb = &results.Disturbance{StealNS: ptr(int64(0)), PSICPUNS: ptr(int64(1e6)), OthersCPUNS: ptr(int64(2e6)), CanaryNS: 5_000_000 + rng.Int64N(50_000)}
	if f.Disturbed {
		r.Disturb.StealNS = ptr(r.WallNS / 4)
		r.Disturb.OthersCPUNS = ptr(r.WallNS / 2)
		r.Disturb.CanaryNS = 9_000_000
	}
	if kind == results.KindMemory {
		r.Memory = c.memory(cell, w, r.WallNS-r.Phases[0].WallNS, rng)
	}
	if c.Ragged {
		roughen(&r, rng)
	}
	return r
}

// roughen gives a trial the digits that a real one has: peaks end at any page, and
// what else happens on a host is never the same twice.
func roughen(r *results.Record, rng *rand.Rand) {
	const page = 4096
	for i := range r.Phases {
		if p := &r.Phases[i]; p.HWM != nil {
			p.HWM = ptr(*p.HWM + page*rng.Int64N(64))
		}
	}
	for _, ns := range []*int64{r.Disturb.PSICPUNS, r.Disturb.OthersCPUNS} {
		*ns += rng.Int64N(1e6)
	}
	if r.Memory != nil {
		less := int64(0) // levels stay for a while
		for i := range r.Memory.Timeline {
			if rng.IntN(4) == 0 {
				less = page * rng.Int64N(16)
			}
			p := &r.Memory.Timeline[i]
			p.NS += rng.Int64N(1e5)
			p.RSS -= less
		}
	}
}

// measure fills in the measured segment: blocks of one step that scatter by
// 5 % and correlate, as real steps do.
func (c Config) measure(r *results.Record, p *results.Phase, step float64, rng *rand.Rand) {
	r.StepsPerBlock = 1
	raw, sum, state := make([]float64, c.Samples), 0.0, 0.0
	for i := range raw {
		state = 0.5*state + 0.05*rng.NormFloat64()
		raw[i] = math.Exp(state)
		sum += raw[i]
	}
	// The mean of the blocks is the trial's step time, so that a test knows it.
	var total int64
	for _, x := range raw {
		ns := max(1, int64(math.Round(step*1e9*x*float64(c.Samples)/sum)))
		r.BlockNS = append(r.BlockNS, ns)
		total += ns
	}
	p.WallNS = total + 30_000
	r.Usage = &results.Usage{
		WallNS: total + 10_000, CPUNS: int64(float64(total) * 0.99 * float64(max(1, r.Cell.Threads))), SysNS: ptr(total / 100),
		MinorFaults: ptr(rng.Int64N(40 * int64(c.Samples))), Voluntary: ptr(rng.Int64N(20)), Involuntary: ptr(rng.Int64N(5)), GCNS: ptr(int64(0)),
	}
	r.Loss = ptr(2.1 - 0.01*float64(len(r.Cell.Workload)))
	r.FinalCheck = &results.Check{Status: "ok", Got: *r.Loss, Want: *r.Loss, Ceiling: 4e-4}
}

// held are the bytes of activations that a step holds at its peak.
func held(w results.Work) int64 {
	if w.KeptBytes > 0 {
		return w.KeptBytes
	}
	return w.ActivationBytes
}

// memory makes a memory trial's outcome, the timeline over the wall nanoseconds
// after the import; one cell has a figure that could not be read.
func (c Config) memory(cell results.Cell, w results.Work, wall int64, rng *rand.Rand) *results.Memory {
	base := imported(cell)
	peak := base + 4*w.ParamBytes + 2*held(w) + rng.Int64N(mib)
	m := &results.Memory{ImportPSS: &base, PeakPSS: &peak, PeakRSS: ptr(peak + 3*mib), Absent: map[string]string{"device": "no GPU"}}
	if strings.HasPrefix(cell.Backend, "g") && cell.Workload == "Mlp" && cell.Mode == "infer" {
		m.PeakPSS = nil
		m.Absent["peak_pss"] = "smaps_rollup: permission denied"
	}
	points := int64(c.TimelinePoints)
	for i := range points {
		rss := base
		if j := 40 * i / points; j >= 10 {
			rss += (peak - base) * min(j-9, 20) / 20
		}
		m.Timeline = append(m.Timeline, results.Point{NS: wall * i / points, RSS: rss})
	}
	return m
}

// meta makes run.json.
func meta(c Config) results.Meta {
	m := results.Meta{
		Schema: results.Schema, Suite: "synthetic", Seed: c.Seed, Started: "2026-11-20T08:00:00Z",
		Command: []string{"dlbench", "run", "--suite", "synthetic"}, Version: "v0.1.0",
		Binary: "sha256:" + strings.Repeat("0b", 32), Plan: "sha256:" + strings.Repeat("0a", 32),
		Host: results.Host{
			OS: "linux", Kernel: "6.1.0", Arch: "amd64", CPU: "Synthetic CPU @ 2.00GHz", Cores: 2, Mask: []int{0, 1},
			MemBytes: 24 << 30, Virtual: "kvm", Go: "go1.26.5", Flags: []string{"avx2", "fma"}, Env: map[string]string{"OMP_NUM_THREADS": "1"},
		},
		Baseline: c.Baseline,
		Policy: results.Policy{
			Metric: map[string]string{"train": "step-time", "infer": "step-time"}, MinEffect: 0.05, Alpha: 0.05,
			MinRounds: min(7, c.Rounds), MaxRounds: max(20, c.Rounds),
		},
		Limits:    results.Limits{TrialNS: 60e9, SuiteNS: 600e9, MemoryBytes: 4 << 30},
		Cells:     c.Cells,
		Workloads: map[string]results.Workload{},
		Peaks:     []results.Peak{{Threads: 1, Precision: "f32", FLOPPerSecond: 90e9, BytesPerSecond: 12e9, Kernel: "avx2"}},
		Notes:     map[string]string{"en": "Batches are small so that the suite fits its time.", "zh": "批量较小，以便在限定时间内完成。"},
	}
	titles := map[string]map[string]string{
		"Mlp":           {"en": "Multilayer perceptron", "zh": "多层感知机"},
		"MnistCnn":      {"en": "MNIST convolutional network", "zh": "MNIST 卷积神经网络"},
		"TextLstmShort": {"en": "LSTM text classifier, short", "zh": "LSTM 文本分类(短)"},
	}
	for _, cell := range c.Cells {
		title, ok := titles[cell.Workload]
		if !ok {
			title = map[string]string{"en": `<script>alert("` + cell.Workload + `")</script> & 'quotes' 🚀`, "zh": "恶意<标题>"}
		}
		w := work(cell)
		m.Workloads[cell.Workload] = results.Workload{
			Title: maps.Clone(title), Source: map[string]string{"article": "003", "place": "4.1"}, Params: w.ParamBytes / 4,
			Layers: []results.Layer{
				{Op: "flatten", Shape: []int{784}},
				{Op: "dense", Name: "fc1", Shape: []int{128}, Params: 100_480, FLOPs: 200_704, Activations: 128},
				{Op: "relu", Shape: []int{128}, Activations: 128},
				{Op: "dense", Name: "fc2", Shape: []int{10}, Params: 1_290, FLOPs: 2_560, Activations: 10},
			},
		}
	}
	m.Cells = slices.Clone(m.Cells)
	return m
}
