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

func (e *engine[T]) readGrads(number int) map[string]backends.Tensor {
	e.tape.frozen = true
	e.gradients(number)
	e.tape.frozen = false
	if e.tape.hooks.grad != nil {
		e.tape.hooks.grad(e.grads)
	}
	return e.collect(func(t *Tensor[T]) []T { return t.grad }, false)
}

func (e *engine[T]) readParams() map[string]backends.Tensor {
	return e.collect(func(t *Tensor[T]) []T { return t.Data }, true)
}

// collect widens one slice of each parameter, with or without the buffers.
func (e *engine[T]) collect(of func(*Tensor[T]) []T, buffers bool) map[string]backends.Tensor {
	out := map[string]backends.Tensor{}
	for _, q := range e.program.Params {
		if q.Buffer && !buffers {
			continue
		}
		from := of(e.model.params[q.Name])
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
	return backends.Built{
		Params:      int64(len(e.weights)),
		DTypes:      dtypes(precision[T]()),
		Segments:    segments,
		Accumulated: e.program.Accumulate,
	}
}
