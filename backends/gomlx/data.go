package gomlx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Names of the inputs of a step that are no state.
const (
	inputName  = "x"
	labelsName = "y"
	rngName    = "rng"
	lossName   = "loss"
)

// batch is one numbered batch: its micro-batches, on the host and, unless the
// job wants them copied inside the step, on the device.
type batch struct {
	parts []part
}

type part struct {
	x, y     slot
	resident [2]compute.Buffer
}

// buffers returns x and y on the device, and whether they must be freed after
// the step.
func (p part) buffers(engine compute.Backend) (xy [2]compute.Buffer, copied bool, err error) {
	if p.resident[0] != nil {
		return p.resident, false, nil
	}
	if xy[0], err = upload(engine, p.x); err != nil {
		return xy, false, err
	}
	xy[1], err = upload(engine, p.y)
	return xy, true, err
}

// load reads the job's files and lays out the state.
func (b *backend) load(job backends.Job) error {
	weights, err := workloads.ReadSafetensors(job.Weights)
	if err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	if err := b.loadParams(weights); err != nil {
		return fmt.Errorf("gomlx: %s: %w", job.Weights, err)
	}
	batches, err := workloads.ReadSafetensors(job.Batches)
	if err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	if err := b.loadBatches(batches); err != nil {
		return fmt.Errorf("gomlx: %s: %w", job.Batches, err)
	}
	return nil
}

// loadParams fills slots: trainable parameters, buffers, optimizer state, and
// the state of the random generator.
func (b *backend) loadParams(weights map[string]workloads.Tensor) error {
	owner := map[string]string{}
	for _, op := range b.program.Ops {
		owner[op.Name] = op.Op
	}
	b.canon = map[string]permutation{}
	var buffers []slot
	for _, p := range b.program.Params {
		t, ok := weights[p.Name]
		if !ok || t.F32 == nil || !slices.Equal(t.Shape, p.Shape) {
			return fmt.Errorf("parameter %q: expected F32 %v in the file, found %s %v", p.Name, p.Shape, t.DType(), t.Shape)
		}
		layout, dims := parameterLayout(owner[ownerName(p.Name)], p)
		b.canon[p.Name] = layout
		s := slot{name: p.Name, dims: dims, dtype: b.types.stored, initial: flat(b.types.stored, permute(layout, t.F32))}
		if p.Buffer {
			buffers = append(buffers, s)
			continue
		}
		b.slots = append(b.slots, s)
		b.names = append(b.names, p.Name)
	}
	if len(b.names) == 0 {
		return unsupported("a program without trainable parameters")
	}
	trainable := b.slots
	b.slots = append(b.slots, buffers...)
	if b.program.Mode != workloads.Train {
		return nil
	}
	state, err := optimizerState(b.program.Optimizer, trainable, b.types.stored)
	if err != nil {
		return err
	}
	b.slots = append(b.slots, state...)
	if b.drops() {
		seed, err := graph.RNGStateFromSeed(int64(b.program.Data.Seed))
		if err != nil {
			return err
		}
		words, err := copyWords(seed)
		if err != nil {
			return err
		}
		b.slots = append(b.slots, slot{name: rngName, dims: graph.RNGStateShape.Dimensions, dtype: graph.RNGStateShape.DType, initial: words})
	}
	return nil
}

// ownerName is what stands before the last dot of a parameter's name: the name
// of the op that owns it, or of a part of an attention, whose layout is plain.
func ownerName(param string) string {
	for i := len(param) - 1; i >= 0; i-- {
		if param[i] == '.' {
			return param[:i]
		}
	}
	return param
}

// drops says whether the program has a dropout that is in force.
func (b *backend) drops() bool {
	return slices.ContainsFunc(b.program.Ops, func(op workloads.Op) bool {
		return op.Op == workloads.OpDropout && op.Attr.Rate > 0
	})
}

// loadBatches cuts the file's batches into micro-batches.
func (b *backend) loadBatches(file map[string]workloads.Tensor) error {
	p := b.program
	x, y := file[inputName], file[labelsName]
	size := 1
	for _, d := range p.Input.Shape {
		size *= d
	}
	want := append([]int{p.Data.Batches, p.Batch}, p.Input.Shape...)
	if !slices.Equal(x.Shape, want) {
		return fmt.Errorf("tensor x: expected shape %v, found %v", want, x.Shape)
	}
	if !slices.Equal(y.Shape, want[:2]) || y.I32 == nil {
		return fmt.Errorf("tensor y: expected I32 %v, found %s %v", want[:2], y.DType(), y.Shape)
	}
	if tokens := p.Input.Kind == workloads.KindTokens; tokens != (x.I32 != nil) || !tokens && x.F32 == nil {
		return fmt.Errorf("tensor x: expected F32, or I32 for tokens, found %s", x.DType())
	}
	for n := range p.Data.Batches {
		var one batch
		for m := range p.Batch / b.micro {
			first := n*p.Batch + m*b.micro
			labels := y.I32[first : first+b.micro]
			one.parts = append(one.parts, part{
				x: b.inputSlot(x, first*size, b.micro*size),
				y: slot{name: labelsName, dims: []int{b.micro}, dtype: dtypes.Int32, initial: labels},
			})
		}
		b.batches = append(b.batches, one)
	}
	if b.host {
		return nil
	}
	for n := range b.batches {
		for m := range b.batches[n].parts {
			p := &b.batches[n].parts[m]
			xy, _, err := p.buffers(b.engine)
			if err != nil {
				return err
			}
			p.resident = xy
			p.x.initial, p.y.initial = nil, nil
		}
	}
	return nil
}

// inputSlot lays one micro-batch out as the graph wants it.
func (b *backend) inputSlot(x workloads.Tensor, at, n int) slot {
	dims := append([]int{b.micro}, b.program.Input.Shape...)
	s := slot{name: inputName, dims: dims, dtype: b.types.wide}
	switch {
	case x.I32 != nil:
		s.dtype, s.initial = dtypes.Int32, x.I32[at:at+n]
	case inputChannelMajor(b.program):
		layout := permutation{dims: dims, axes: []int{1, 0, 2, 3}}
		s.dims = []int{dims[1], dims[0], dims[2], dims[3]}
		s.initial = flat(b.types.wide, permute(layout, x.F32[at:at+n]))
	default:
		s.initial = flat(b.types.wide, x.F32[at:at+n])
	}
	return s
}
