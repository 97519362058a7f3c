package gomlx

import (
	"fmt"

	"github.com/gomlx/compute"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// Run implements [backends.Backend]. The Go backend executes synchronously: a
// step is complete when the call returns.
func (b *backend) Run(batches []int) error {
	for _, n := range batches {
		if n < 0 || n >= len(b.batches) {
			return fmt.Errorf("gomlx: batch %d: there are %d", n, len(b.batches))
		}
		if err := b.one(n); err != nil {
			return fmt.Errorf("gomlx: batch %d: %w", n, err)
		}
	}
	return nil
}

// one executes one step.
func (b *backend) one(n int) error {
	b.lastBatch = n
	if b.accumulate != nil {
		return b.accumulated(n)
	}
	inputs, release, err := b.inputs(b.batches[n].parts[0], b.state, b.program.Mode == workloads.Train)
	if err != nil {
		return err
	}
	defer release()
	if b.program.Mode == workloads.Infer {
		outputs, err := b.step.run(inputs, 0)
		if err != nil {
			return err
		}
		return b.keep(outputs[0])
	}
	outputs, err := b.step.run(inputs, len(b.state))
	if err != nil {
		return err
	}
	b.state = outputs[:len(b.slots)]
	return b.keep(outputs[len(b.slots)])
}

// accumulated executes one step of several micro-batches.
func (b *backend) accumulated(n int) error {
	sums := make([]compute.Buffer, len(b.sums))
	for i, s := range b.sums {
		var err error
		if sums[i], err = upload(b.engine, s); err != nil {
			return err
		}
	}
	for _, p := range b.batches[n].parts {
		carried := append(append([]compute.Buffer{}, b.state...), sums...)
		inputs, release, err := b.inputs(p, carried, true)
		if err != nil {
			return err
		}
		outputs, err := b.accumulate.run(inputs, len(carried))
		release()
		if err != nil {
			return err
		}
		b.state, sums = outputs[:len(b.slots)], outputs[len(b.slots):]
	}
	gradients, loss := sums[:len(b.names)], sums[len(b.names)]
	inputs := append(append([]compute.Buffer{}, b.state...), gradients...)
	outputs, err := b.update.run(inputs, len(inputs))
	if err != nil {
		return err
	}
	b.state = outputs
	return b.keep(loss)
}

// inputs appends x, and y where the graph wants labels, to the carried buffers.
func (b *backend) inputs(p part, carried []compute.Buffer, labels bool) (all []compute.Buffer, release func(), err error) {
	xy, copied, err := p.buffers(b.engine)
	if err != nil {
		return nil, nil, err
	}
	release = func() {
		if copied {
			// The pool takes the buffers back; an error could only say that
			// they were returned already.
			_ = free(xy[:])
		}
	}
	all = append(append(make([]compute.Buffer, 0, len(carried)+2), carried...), xy[0])
	if labels {
		all = append(all, xy[1])
	}
	return all, release, nil
}

// keep replaces the value that Read("loss") looks at.
func (b *backend) keep(v compute.Buffer) error {
	old := b.last
	b.last = v
	return free([]compute.Buffer{old})
}

// Reset implements [backends.Backend].
func (b *backend) Reset() error {
	if err := free(b.state); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	b.state = make([]compute.Buffer, len(b.slots))
	for i, s := range b.slots {
		var err error
		if b.state[i], err = upload(b.engine, s); err != nil {
			return fmt.Errorf("gomlx: %s: %w", s.name, err)
		}
	}
	return b.keep(nil)
}

var _ backends.Backend = (*backend)(nil)
