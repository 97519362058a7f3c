// Package eager is dlbench's own define-by-run engine in plain Go, generic over
// float32 and float64. In float64 it is the oracle (package oracle). In the 16-bit
// precisions it computes in float32 and stores tensors in 16 bits (storage.go).
//
// A [Tape] runs ops as they are called, on shapes that come from the data, and
// goes back through what it recorded. A program is executed by walking its ops
// anew at every step; nothing is compiled ahead.
package eager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// Version of the engine, in the records.
const Version = "2"

// Info is what the eager backend says of itself.
func Info() backends.Info {
	return backends.Info{
		Name:       "eager",
		Kind:       "eager",
		Versions:   map[string]string{"dlbench-eager": Version},
		Ops:        slices.Concat(supportedOps, supportedLosses, supportedOptimizers),
		Precisions: []workloads.Precision{workloads.F64, workloads.F32, workloads.BF16Mix, workloads.F16Mix, workloads.BF16, workloads.F16},
		Features:   []string{"checkpoint", "accumulate", "loader"},
		Dialect:    map[string]string{"adam-epsilon": epsilonCorrected},
		Threads:    "a pool of as many goroutines, the caller's included",
		Kernels:    kernel.Kernels(),
	}
}

// Environment is what a worker of this backend gets of the variables of whoever
// starts it: a forced family of kernels, which records then name.
func Environment() []string {
	if v := os.Getenv(kernel.KernelsEnv); v != "" {
		return []string{kernel.KernelsEnv + "=" + v}
	}
	return nil
}

// Need says why workers of this backend cannot run here: the family of kernels that is
// forced is none, or none of this machine.
func Need() error { return kernel.CheckForced() }

// New returns the backend, with nothing built.
func New() backends.Backend { return &backend{} }

// backend adapts an engine to the interface.
type backend struct {
	options Options
	job     backends.Job
	run     runner
}

// runner is an engine of either element type.
type runner interface {
	step(number int) error
	reset()
	read(what string, number int) (map[string]backends.Tensor, error)
	built() backends.Built
	close()
}

// Build loads the job's files and binds its ops.
func (b *backend) Build(ctx context.Context, job backends.Job) (backends.Built, error) {
	if b.run != nil {
		return backends.Built{}, errors.New("a program is already built")
	}
	if err := ctx.Err(); err != nil {
		return backends.Built{}, err
	}
	if err := supported(job); err != nil {
		return backends.Built{}, err
	}
	if err := kernel.CheckForced(); err != nil {
		return backends.Built{}, err
	}
	prec := job.Settings.Precision
	if b.options.Mutation == Double {
		prec = workloads.F64
	}
	run, err := newRunner(job, prec, b.options)
	if err != nil {
		return backends.Built{}, err
	}
	b.job, b.run = job, run
	debug.FreeOSMemory() // what was needed to load alone is not held while it runs
	return b.evidence(run.built()), nil
}

func newRunner(job backends.Job, prec workloads.Precision, o Options) (runner, error) {
	if prec == workloads.F64 {
		return newEngine[float64](job, o)
	}
	return newEngine[float32](job, o)
}

// evidence is what the build says; the mutants that compute in another precision lie.
func (b *backend) evidence(e backends.Built) backends.Built {
	if m := b.options.Mutation; m != Double && m != SingleForHalf {
		return e
	}
	prec := b.job.Settings.Precision
	params := prec
	if prec == workloads.BF16Mix || prec == workloads.F16Mix {
		params = workloads.F32
	}
	activations := string(prec)
	if f := formatOf(prec); f != 0 {
		activations = f.String()
	}
	e.DTypes = map[string]string{"params": string(params), "activations": activations}
	return e
}

// Run makes one step per element.
func (b *backend) Run(batches []int) error {
	if b.run == nil {
		return errNotBuilt
	}
	for _, n := range batches {
		if err := b.run.step(n); err != nil {
			return err
		}
	}
	return nil
}

// Reset restores the state after Build.
func (b *backend) Reset() error {
	if b.run == nil {
		return errNotBuilt
	}
	b.run.reset()
	return nil
}

// Read returns values; see [backends.Backend].
func (b *backend) Read(what string, batch int) (map[string]backends.Tensor, error) {
	if b.run == nil {
		return nil, errNotBuilt
	}
	if what == "grads" && b.job.For != backends.ForCheck {
		return nil, fmt.Errorf("grads can be read from a build for check only, this one is for %s", b.job.For)
	}
	return b.run.read(what, batch)
}

// Close releases what Build took.
func (b *backend) Close() error {
	if b.run != nil {
		b.run.close()
		b.run = nil
	}
	return nil
}

var errNotBuilt = errors.New("nothing is built")

// supported says why the job cannot be run, if so.
func supported(job backends.Job) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{backends.ErrUnsupported}, args...)...)
	}
	p, s := job.Program, job.Settings
	switch {
	case !slices.Contains(precisionsOf(p.Mode), s.Precision):
		return no("precision %s in mode %s: this engine has %v", s.Precision, p.Mode, precisionsOf(p.Mode))
	case s.Device != workloads.DeviceCPU:
		return no("device %s: this engine runs on cpu only", s.Device)
	case !slices.Contains(workloads.Placements, s.Data):
		return no("data %q: expected one of %v", s.Data, workloads.Placements)
	case p.Mode != workloads.Train && p.Mode != workloads.Infer:
		return no("mode %q", p.Mode)
	case !slices.Contains(supportedLosses, p.Loss.Op):
		return no("loss %q", p.Loss.Op)
	case p.Loss.Attr.Reduction != "mean":
		return no("%s with reduction %q", p.Loss.Op, p.Loss.Attr.Reduction)
	case p.Mode == workloads.Train && !slices.Contains(supportedOptimizers, p.Optimizer.Op):
		return no("optimizer %q", p.Optimizer.Op)
	case p.Schema != workloads.ProgramSchema:
		return no("program schema %d: this engine reads %d", p.Schema, workloads.ProgramSchema)
	case p.Accumulate < 1 || p.Batch < 1 || p.Batch%p.Accumulate != 0:
		return no("batch %d in %d micro-batches", p.Batch, p.Accumulate)
	case len(p.Ops) == 0:
		return no("a program without ops")
	}
	for _, op := range p.Ops {
		if !slices.Contains(supportedOps, op.Op) {
			return no("op %q", op.Op)
		}
		if err := checkAttr(op); err != nil {
			return err
		}
	}
	if p.Mode == workloads.Train {
		if err := checkAttr(p.Optimizer); err != nil {
			return err
		}
	}
	return checkAttr(p.Loss)
}

// precisionsOf lists what the engine computes in.
func precisionsOf(mode workloads.Mode) []workloads.Precision {
	if mode == workloads.Train {
		return []workloads.Precision{workloads.F64, workloads.F32, workloads.BF16Mix, workloads.F16Mix}
	}
	return []workloads.Precision{workloads.F64, workloads.F32, workloads.BF16, workloads.F16}
}

// precision is the name of T.
func precision[T kernel.Float]() workloads.Precision {
	if kernel.Is32[T]() {
		return workloads.F32
	}
	return workloads.F64
}
