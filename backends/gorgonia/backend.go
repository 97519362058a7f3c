package gorgonia

import (
	"context"
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	// The tensor library checks at start that the garbage collector does not
	// move objects, through a package that must know the Go version in use.
	_ "go4.org/unsafe/assume-no-moving-gc"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Backend holds one compiled program.
type Backend struct {
	job     backends.Job
	chain   *chain
	data    *data
	initial map[string]workloads.Tensor
	solver  G.Solver
	last    int     // batch of the last step that Run executed; -1 before the first
	loss    float64 // of that step, if priced
	priced  bool    // false after inference: the loss is computed from the logits when it is read
	held    int     // batch of the logits that the last graph holds; -1 where they may be of other parameters
}

// New returns an empty backend.
func New() backends.Backend { return &Backend{} }

// Build reads parameters and batches, builds the graphs with their gradients and
// compiles them.
func (b *Backend) Build(ctx context.Context, job backends.Job) (backends.Built, error) {
	weights, err := workloads.ReadSafetensors(job.Weights)
	if err != nil {
		return backends.Built{}, err
	}
	batches, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		return backends.Built{}, err
	}
	return b.build(ctx, job, weights, batches)
}

func (b *Backend) build(ctx context.Context, job backends.Job, weights, batches map[string]workloads.Tensor) (backends.Built, error) {
	if err := supported(job); err != nil {
		return backends.Built{}, err
	}
	if job.For == backends.ForCheck {
		job.Program = job.Program.WithoutDropout()
	}
	c, err := newChain(job.Program, dtypeOf(job.Settings.Precision))
	if err != nil {
		return backends.Built{}, err
	}
	if err := ctx.Err(); err != nil {
		return backends.Built{}, err
	}
	d, err := c.load(batches, job)
	if err != nil {
		return backends.Built{}, err
	}
	*b = Backend{job: job, chain: c, data: d, initial: weights}
	if err := b.Reset(); err != nil {
		return backends.Built{}, err
	}
	return backends.Built{
		Params: backends.Trainable(job.Program),
		DTypes: map[string]string{
			"params":      string(job.Settings.Precision),
			"activations": string(job.Settings.Precision),
		},
		Segments:    c.segments(),
		Accumulated: c.micros,
	}, nil
}

// supported says what of the job the library cannot do.
func supported(job backends.Job) error {
	s := job.Settings
	switch {
	case s.Precision != workloads.F32 && s.Precision != workloads.F64:
		return fmt.Errorf("%w: precision %s: %s", backends.ErrUnsupported, s.Precision, noHalves)
	case s.Device != "" && s.Device != "cpu":
		return fmt.Errorf("%w: device %s: Gorgonia's CUDA kernels are of the CUDA 10 era and need nvcc at build time", backends.ErrUnsupported, s.Device)
	case s.Data != "" && s.Data != "resident" && s.Data != "host":
		return fmt.Errorf("%w: data %q: expected resident or host", backends.ErrUnsupported, s.Data)
	}
	return nil
}

func dtypeOf(p workloads.Precision) tensor.Dtype {
	if p == workloads.F64 {
		return tensor.Float64
	}
	return tensor.Float32
}

// Run executes one step per batch number.
func (b *Backend) Run(batches []int) error {
	for _, i := range batches {
		loss, err := b.pass(i)
		if err != nil {
			return err
		}
		b.last, b.held = i, i
		b.loss, b.priced = loss, b.solver != nil
		if b.solver == nil {
			continue
		}
		b.held = -1
		if err := b.solver.Step(b.chain.learnables); err != nil {
			return fmt.Errorf("optimizer: %w", err)
		}
	}
	return nil
}

// pass runs the chain on every micro-batch of a batch and returns their mean
// loss (0 in inference, where the loss is not part of it). Gradients,
// where there are any, are left in the learnables.
func (b *Backend) pass(batch int) (loss float64, err error) {
	for i := range b.chain.micros {
		if err := b.micro(batch, i, true); err != nil {
			return 0, err
		}
		if v := b.chain.last().lossValue; v != nil {
			loss += scalar(v)
		}
	}
	return loss / float64(b.chain.micros), nil
}

// micro runs the chain on one micro-batch, as far as gradients need it or to the
// logits.
func (b *Backend) micro(batch, i int, gradients bool) error {
	if batch < 0 || batch >= b.data.batches {
		return fmt.Errorf("batch %d: the file holds batches 0 to %d", batch, b.data.batches-1)
	}
	if err := b.data.feed(batch*b.chain.micros + i); err != nil {
		return err
	}
	b.chain.drop()
	if err := b.chain.run(gradients); err != nil {
		return fmt.Errorf("batch %d: %w", batch, err)
	}
	return nil
}

// Reset restores initial parameters, statistics and optimizer state.
func (b *Backend) Reset() error {
	for _, p := range b.chain.params {
		t, ok := b.initial[p.Name]
		if !ok {
			return fmt.Errorf("weights: no tensor %q", p.Name)
		}
		if err := p.load(t); err != nil {
			return err
		}
	}
	b.chain.reseed()
	b.last, b.held, b.priced = -1, -1, false
	b.solver = nil
	if b.job.Program.Mode == workloads.Train {
		b.solver = newSolver(b.job.Program)
	}
	return nil
}

// Read returns values without changing state.
func (b *Backend) Read(what string, batch int) (map[string]backends.Tensor, error) {
	switch what {
	case "loss":
		return b.readLoss()
	case "logits":
		return b.readLogits(batch)
	case "grads":
		return b.readGrads(batch)
	case "params":
		out := make(map[string]backends.Tensor, len(b.chain.params))
		for _, p := range b.chain.params {
			out[p.Name] = p.read(piece.weights)
		}
		return out, nil
	}
	return nil, fmt.Errorf("read %q: expected loss, logits, grads or params", what)
}

func (b *Backend) readLoss() (map[string]backends.Tensor, error) {
	if b.last < 0 {
		return nil, errors.New("read loss: no step was run")
	}
	b.price()
	return map[string]backends.Tensor{"loss": {Shape: []int{1}, Data: []float64{b.loss}}}, nil
}

// price computes the loss of the last step from its logits, where the step
// itself did not.
func (b *Backend) price() {
	if b.last < 0 || b.priced {
		return
	}
	b.loss = lossOf(b.job.Program.Loss.Op, b.chain.logits(), b.data.labelsOf(b.last))
	b.priced = true
}

func (b *Backend) readLogits(batch int) (map[string]backends.Tensor, error) {
	if batch >= 0 && batch == b.held {
		return logitsTensor(b.job.Program.Batch, b.chain.logits()), nil
	}
	b.price() // before other logits take the place of the last step's
	restore := b.chain.save()
	defer restore()
	b.held = -1
	var rows []float64
	for micro := range b.chain.micros {
		if err := b.micro(batch, micro, false); err != nil {
			return nil, err
		}
		rows = append(rows, b.chain.logits()...)
	}
	if b.job.Program.Mode == workloads.Infer {
		b.held = batch
	}
	return logitsTensor(b.job.Program.Batch, rows), nil
}

func logitsTensor(batch int, rows []float64) map[string]backends.Tensor {
	return map[string]backends.Tensor{"logits": {Shape: []int{batch, len(rows) / batch}, Data: rows}}
}

func (b *Backend) readGrads(batch int) (map[string]backends.Tensor, error) {
	if b.job.Program.Mode != workloads.Train {
		return nil, errors.New("read grads: an inference program has none")
	}
	if b.job.For != backends.ForCheck {
		return nil, errors.New(`read grads: expected a build for "check"`)
	}
	restore := b.chain.save()
	defer restore()
	if _, err := b.pass(batch); err != nil {
		return nil, err
	}
	out := map[string]backends.Tensor{}
	for _, p := range b.chain.params {
		if p.Buffer {
			continue
		}
		t := p.read(piece.gradient)
		for i := range t.Data {
			t.Data[i] /= float64(b.chain.micros)
		}
		out[p.Name] = t
	}
	return out, nil
}

// Close releases the machines.
func (b *Backend) Close() error {
	if b.chain == nil {
		return nil
	}
	err := b.chain.close()
	*b = Backend{}
	return err
}
