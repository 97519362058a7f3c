package harness

import "github.com/dlbench/dlbench/workloads"

// CountedBytes is the memory that a cell's tensors take by count: parameters,
// in training also gradients, optimizer state and all activations of one
// micro-batch, and the resident batches. It is a lower bound of no backend:
// one that reuses activations may need less, and every runtime adds its own.
func CountedBytes(c Cell) int64 {
	n := c.Work.ParamBytes
	if c.Settings.Mode == workloads.Train {
		copies := int64(1) // gradients
		switch c.Program.Optimizer.Op {
		case workloads.OptAdam:
			copies += 2
		case workloads.OptSGD:
			if c.Program.Optimizer.Attr.Momentum != 0 {
				copies++
			}
		}
		n += copies * c.Work.ParamBytes
	}
	n += c.Work.ActivationBytes / int64(max(1, c.Program.Accumulate))
	example := int64(4)
	for _, d := range c.Program.Input.Shape {
		example *= int64(d)
	}
	return n + int64(c.Program.Data.Batches)*int64(c.Program.Batch)*(example+4)
}
