package harness

// CountedBytes is the memory that a cell's tensors take by count: parameters,
// in training also gradients, optimizer state and the activations that a step
// holds at the same time, and the resident batches. It is a lower bound of no
// backend: one that reuses activations may need less, and every runtime adds its
// own.
func CountedBytes(c Cell) int64 {
	w := c.Work
	return w.ParamBytes + w.GradientBytes + w.OptimizerBytes + w.KeptBytes + int64(c.Program.Data.Batches)*w.InputBytes
}
