package eager

import (
	"errors"
	"fmt"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// read implements Backend.Read.
func (e *engine[T]) read(what string, number int) (map[string]backends.Tensor, error) {
	if (what == "logits" || what == "grads") && (number < 0 || number >= e.data.batches) {
		return nil, fmt.Errorf("read %s: batch %d: expected 0 to %d", what, number, e.data.batches-1)
	}
	switch what {
	case "loss":
		if e.steps == 0 {
			return nil, errors.New("read loss: no step was run")
		}
		loss := e.loss
		if e.opt == nil {
			loss = e.lossOf(e.last, e.logits)
		}
		return map[string]backends.Tensor{"loss": {Shape: []int{1}, Data: []float64{loss}}}, nil
	case "logits":
		return map[string]backends.Tensor{"logits": e.readLogits(number)}, nil
	case "grads":
		if e.opt == nil {
			return nil, errors.New("read grads: the program infers")
		}
		return e.readGrads(number), nil
	case "params":
		return e.readParams(), nil
	}
	return nil, fmt.Errorf("read %q: expected loss, logits, grads or params", what)
}

func (e *engine[T]) readLogits(number int) backends.Tensor {
	data := e.infer(number, nil)
	return backends.Tensor{Shape: []int{e.program.Batch, len(data) / e.program.Batch}, Data: data}
}

// readGrads reads the gradient on a batch. Where the loss scale makes it overflow
// it is halved, for this reading alone, until it does not.
func (e *engine[T]) readGrads(number int) map[string]backends.Tensor {
	e.tape.frozen = true
	defer func() { e.tape.frozen = false }()
	scale := 1.0
	if e.scaler != nil {
		scale = e.scaler.scale
	}
	for {
		if _, finite := e.gradients(number, scale); finite || scale < leastScale {
			break
		}
		scale /= 2
	}
	return e.collect(func(t *Tensor[T]) []T { return t.grad }, false)
}

// readParams reads what is stored: the master copy where there is one.
func (e *engine[T]) readParams() map[string]backends.Tensor {
	return e.collect(func(t *Tensor[T]) []T {
		if t.Data != nil {
			return t.Data
		}
		wide := make([]T, t.len())
		if t.packed != nil {
			e.tape.math.Unpack(t.Shape[1], t.Shape[0], *t.packed, wide)
			return wide
		}
		e.tape.format.Widen(as32(wide), t.half)
		return wide
	}, true)
}

// collect widens one slice of each parameter, with or without the buffers.
func (e *engine[T]) collect(of func(*Tensor[T]) []T, buffers bool) map[string]backends.Tensor {
	out := map[string]backends.Tensor{}
	for _, q := range e.program.Params {
		if q.Buffer && !buffers {
			continue
		}
		from := of(e.model.params[q.Name])
		if isFilters(q.Shape) {
			from = programFilters(from, q.Shape)
		}
		data := make([]float64, len(from))
		for i, v := range from {
			data[i] = float64(v)
		}
		out[q.Name] = backends.Tensor{Shape: q.Shape, Data: data}
	}
	return out
}

// built is what the engine really holds.
func (e *engine[T]) built() backends.Built {
	segments := len(e.program.Segments)
	if e.program.Mode != workloads.Train || e.tape.hooks.faults.keepAll {
		segments = 0
	}
	b := backends.Built{
		Params:      int64(e.count),
		DTypes:      map[string]string{"params": e.paramType(), "activations": e.activationType()},
		Segments:    segments,
		Accumulated: e.program.Accumulate,
	}
	if e.scaler != nil {
		b.LossScale = e.scaler.scale
	}
	return b
}

// paramType is how the first parameter is stored, the master copy where there is one.
func (e *engine[T]) paramType() string {
	if len(e.trainable) == 0 || e.trainable[0].Data != nil || e.trainable[0].packed != nil {
		return string(precision[T]())
	}
	return e.tape.dtype(e.trainable[0])
}

// activationType is how the tape stores an output.
func (e *engine[T]) activationType() string {
	x := e.tape.output(1)
	defer e.tape.Free(x)
	return e.tape.dtype(x)
}
