// Package gomlx runs programs on GoMLX (github.com/gomlx/gomlx) with its Go
// backend: the graph of a whole training step is built once, differentiated by
// the library, compiled, and executed per step. No cgo, no XLA.
//
// Build compiles the step ahead of the first one. The graphs that only
// Read needs are compiled when they are first asked for, outside every timed
// region. A training step maps (parameters, buffers, optimizer state, x, y) to
// their new values and the loss; the state stays on the device and is donated
// to each step. With accumulation a step is one graph per micro-batch, which
// adds to the gradients, and one for the update.
//
// How bfloat16 values come about, and why there is no float16, stands at arithmetic.
//
// Ops that the library lacks or computes very slowly on this backend are
// composed from its other ops at graph level; each says why where it stands.
package gomlx

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// The versions that go.mod pins.
const (
	gomlxVersion   = "v0.28.2"
	computeVersion = "v0.1.2"
)

// Info says what this backend is and can do.
func Info() backends.Info {
	return backends.Info{
		Name:     "gomlx",
		Kind:     "static-graph",
		Versions: map[string]string{"gomlx": gomlxVersion, "compute": computeVersion},
		Ops: []string{
			workloads.OpDense, workloads.OpConv2D, workloads.OpMaxPool2D, workloads.OpAvgPool,
			workloads.OpBatchNorm, workloads.OpLayerNorm, workloads.OpReLU, workloads.OpGELU,
			workloads.OpSigmoid, workloads.OpFlatten, workloads.OpEmbedding, workloads.OpLSTM,
			workloads.OpAttention, workloads.OpDropout, workloads.OpAdd, workloads.OpLastStep,
			workloads.LossSoftmax, workloads.LossSigmoid, workloads.OptSGD, workloads.OptAdam,
		},
		Precisions: slices.Clone(precisions),
		Features:   []string{"checkpoint", "accumulate"},
		Dialect:    map[string]string{"adam-epsilon": "corrected"},
		Lacks:      map[workloads.Precision]string{workloads.F16Mix: lacking(workloads.F16Mix), workloads.F16: lacking(workloads.F16)},
		Threads:    "worker pool of the Go backend, and GOMAXPROCS",
	}
}

// backend holds one built program.
type backend struct {
	engine  compute.Backend
	program workloads.Program
	purpose backends.Purpose
	types   arithmetic
	micro   int // examples per graph execution
	host    bool

	slots    []slot // the state, in the order of the step's inputs
	names    []string
	state    []compute.Buffer
	canon    map[string]permutation // of every parameter
	batches  []batch
	segments int
	products string // types of the matrix products of the forward pass

	step       *compiled // training, without accumulation; or the forward pass in inference
	accumulate *compiled // training with accumulation: one micro-batch
	update     *compiled // and the optimizer
	sums       []slot    // gradients and loss, added up over micro-batches

	forward  *compiled // for Read
	gradient *compiled
	lossOf   *compiled

	last      compute.Buffer // loss of the last training step, or logits of the last inference
	lastBatch int
}

// New returns a backend that holds nothing yet.
func New() backends.Backend { return &backend{} }

// Build implements [backends.Backend]. It compiles the step.
func (b *backend) Build(ctx context.Context, job backends.Job) (built backends.Built, err error) {
	if b.engine != nil {
		return backends.Built{}, errors.New("gomlx: a program is already built")
	}
	defer func() {
		if err != nil { // leave nothing that the next build would add to
			err = errors.Join(err, b.Close())
			*b = backend{}
		}
	}()
	if err := b.configure(job); err != nil {
		return backends.Built{}, err
	}
	if err := ctx.Err(); err != nil {
		return backends.Built{}, err
	}
	engine, err := newEngine(job.Settings.Threads)
	if err != nil {
		return backends.Built{}, fmt.Errorf("gomlx: %w", err)
	}
	b.engine = engine
	if err := b.load(job); err != nil {
		return backends.Built{}, err
	}
	if err := b.compileStep(); err != nil {
		return backends.Built{}, err
	}
	if err := b.Reset(); err != nil {
		return backends.Built{}, err
	}
	built = backends.Built{
		DTypes:      map[string]string{"params": precisionName(b.slots[0].dtype), "activations": b.products},
		Segments:    b.segments,
		Accumulated: b.program.Batch / b.micro,
	}
	for _, p := range b.slots[:len(b.names)] {
		built.Params += int64(p.shape().Size())
	}
	return built, nil
}

// newEngine starts the Go backend with its pool of workers limited to the
// grant. Ops run one after another, each on all workers, in the order in which
// the graph was written. By default independent ops run at the same time; two
// large matrix products that each hold a worker and wait for more of them
// then never end (compute v0.1.2: Pool.Saturate inside executeParallel).
//
// The limit is set as the option "parallelism" sets it, by the pool's own
// method, but without the line that the option prints at every build. The type
// of the pool is internal to the library, so it is reached by reflection.
func newEngine(threads int) (compute.Backend, error) {
	engine, err := gobackend.New("ops_sequential,creation_order")
	if err != nil {
		return nil, err
	}
	workers, ok := workersOf(engine).(interface{ SetMaxParallelism(int) })
	if !ok {
		return nil, fmt.Errorf("%T has no pool of workers to limit to %d threads", engine, threads)
	}
	workers.SetMaxParallelism(max(threads, 1))
	return engine, nil
}

// workersOf returns the pool of workers of a Go backend, nil where it has none.
func workersOf(engine compute.Backend) any {
	if v := reflect.Indirect(reflect.ValueOf(engine)); v.Kind() == reflect.Struct {
		if f := v.FieldByName("Workers"); f.IsValid() && f.CanInterface() {
			return f.Interface()
		}
	}
	return nil
}

// configure takes over the job and refuses what cannot be done.
func (b *backend) configure(job backends.Job) error {
	s := job.Settings
	var ok bool
	if b.types, ok = arithmetics[s.Precision]; !ok {
		return unsupported("precision %s: %s", s.Precision, lacking(s.Precision))
	}
	if training := job.Program.Mode == workloads.Train; training == (b.types.stored != b.types.wide) && b.types.active != b.types.wide {
		return unsupported("precision %s in mode %s", s.Precision, job.Program.Mode)
	}
	if s.Device != "" && s.Device != workloads.DeviceCPU {
		return unsupported("device %s: the Go backend runs on the CPU only", s.Device)
	}
	if s.Data != "" && s.Data != workloads.DataResident && s.Data != workloads.DataHost {
		return unsupported("data %s: resident and host are built", s.Data)
	}
	b.program, b.purpose = job.Program, job.For
	if job.For == backends.ForCheck {
		b.program = b.program.WithoutDropout()
	}
	b.host = s.Data == workloads.DataHost
	parts := max(b.program.Accumulate, 1)
	if b.program.Batch%parts != 0 {
		return fmt.Errorf("gomlx: accumulate %d does not divide batch %d", parts, b.program.Batch)
	}
	if b.program.Mode == workloads.Infer && parts > 1 {
		return unsupported("accumulation is for training")
	}
	b.micro = b.program.Batch / parts
	return nil
}

// Close implements [backends.Backend].
func (b *backend) Close() error {
	if b.engine == nil {
		return nil
	}
	for _, c := range []*compiled{b.step, b.accumulate, b.update, b.forward, b.gradient, b.lossOf} {
		if c != nil {
			c.graph.Finalize()
		}
	}
	b.engine.Finalize()
	*b = backend{}
	return nil
}
