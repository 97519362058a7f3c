package gomlx

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Read implements [backends.Backend].
func (b *backend) Read(what string, batch int) (map[string]backends.Tensor, error) {
	values, err := b.read(what, batch)
	if err != nil {
		return nil, fmt.Errorf("gomlx: read %s: %w", what, err)
	}
	return values, nil
}

func (b *backend) read(what string, batch int) (map[string]backends.Tensor, error) {
	switch what {
	case "loss":
		return b.readLoss()
	case "params":
		return b.tensors(b.state[:len(b.program.Params)])
	case "logits", "grads":
	default:
		return nil, fmt.Errorf("unknown: expected loss, logits, grads or params")
	}
	if batch < 0 || batch >= len(b.batches) {
		return nil, fmt.Errorf("batch %d: there are %d", batch, len(b.batches))
	}
	if what == "logits" {
		return b.readLogits(batch)
	}
	if b.purpose != backends.ForCheck || b.program.Mode != workloads.Train {
		return nil, errors.New("gradients can be read in a training build for check only")
	}
	return b.readGradients(batch)
}

// readLoss returns the loss of the last step.
func (b *backend) readLoss() (map[string]backends.Tensor, error) {
	if b.last == nil {
		return nil, errors.New("no step has run since the last reset")
	}
	loss := b.last
	if b.program.Mode == workloads.Infer {
		if err := lazily(&b.lossOf, b.compileLoss); err != nil {
			return nil, err
		}
		xy, copied, err := b.batches[b.lastBatch].parts[0].buffers(b.engine)
		if err != nil {
			return nil, err
		}
		outputs, err := b.lossOf.run([]compute.Buffer{b.last, xy[1]}, 0)
		if err != nil {
			return nil, err
		}
		defer func() { _ = free(outputs) }()
		if copied {
			defer func() { _ = free(xy[:]) }()
		}
		loss = outputs[0]
	}
	v, err := download(loss)
	return map[string]backends.Tensor{"loss": {Shape: []int{1}, Data: v}}, err
}

// readLogits runs the forward pass on every micro-batch and joins the logits.
// The state is not donated, so nothing changes.
func (b *backend) readLogits(n int) (map[string]backends.Tensor, error) {
	if err := lazily(&b.forward, b.compileForward); err != nil {
		return nil, err
	}
	var all []float64
	for _, p := range b.batches[n].parts {
		inputs, release, err := b.inputs(p, b.state, false)
		if err != nil {
			return nil, err
		}
		outputs, err := b.forward.run(inputs, 0)
		release()
		if err != nil {
			return nil, err
		}
		v, err := download(outputs[0])
		if err := errors.Join(err, free(outputs)); err != nil {
			return nil, err
		}
		all = append(all, v...)
	}
	return map[string]backends.Tensor{"logits": {Shape: []int{b.program.Batch, len(all) / b.program.Batch}, Data: all}}, nil
}

// readGradients averages the gradients of the micro-batches.
func (b *backend) readGradients(n int) (map[string]backends.Tensor, error) {
	if err := lazily(&b.gradient, b.compileGradient); err != nil {
		return nil, err
	}
	parts := b.batches[n].parts
	sum := map[string]backends.Tensor{}
	for _, p := range parts {
		inputs, release, err := b.inputs(p, b.state, true)
		if err != nil {
			return nil, err
		}
		outputs, err := b.gradient.run(inputs, 0)
		release()
		if err != nil {
			return nil, err
		}
		one, err := b.tensors(outputs)
		if err := errors.Join(err, free(outputs)); err != nil {
			return nil, err
		}
		for name, t := range one {
			total, seen := sum[name]
			if !seen {
				total = backends.Tensor{Shape: t.Shape, Data: make([]float64, len(t.Data))}
				sum[name] = total
			}
			for i, v := range t.Data {
				total.Data[i] += v / float64(len(parts))
			}
		}
	}
	return sum, nil
}

// tensors downloads buffers that lie in the order of the first slots, in
// canonical layout.
func (b *backend) tensors(buffers []compute.Buffer) (map[string]backends.Tensor, error) {
	out := make(map[string]backends.Tensor, len(buffers))
	for i, buffer := range buffers {
		v, err := download(buffer)
		if err != nil {
			return nil, err
		}
		layout := b.canon[b.slots[i].name]
		out[b.slots[i].name] = backends.Tensor{Shape: layout.dims, Data: restore(layout, v)}
	}
	return out, nil
}

// lazily compiles a graph at its first use.
func lazily(c **compiled, make func() (*compiled, error)) (err error) {
	if *c == nil {
		*c, err = make()
	}
	return err
}
