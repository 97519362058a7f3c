package workloads

// KeptBytes counts the activations that a step must hold at the same time, by
// the shapes alone: outputs of ops for the examples of one micro-batch, as wide
// as the precision stores them.
//
// A training step holds the outputs of all ops when its backward pass begins.
// With checkpoints it holds what leaves each segment, all that is in none, and
// the inside of the one segment that is being recomputed, the largest at worst
// (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016,
// arXiv:1604.06174, section 4.1). In inference an output is held until its last
// use. What an op keeps besides its output, such as the gates of an LSTM or the
// weights of attention, is not counted.
func (p Program) KeptBytes(prec Precision) int64 {
	sizes := make([]int64, len(p.Ops))
	for i, o := range p.Ops {
		sizes[i], _ = elements(o.Shape)
	}
	kept := p.heldInTraining(sizes)
	if p.Mode != Train {
		kept = p.heldInInference(sizes)
	}
	_, width := prec.widths()
	return kept * int64(p.Batch/max(1, p.Accumulate)) * width
}

// heldInTraining counts elements for one example.
func (p Program) heldInTraining(sizes []int64) int64 {
	var kept, recomputed int64
	for _, n := range sizes {
		kept += n
	}
	for _, s := range p.Segments {
		var inside int64
		for _, n := range sizes[s.First:s.Last] { // the output of Last is kept
			inside += n
		}
		kept -= inside
		recomputed = max(recomputed, inside)
	}
	return kept + recomputed
}

// heldInInference counts elements for one example: the most that are alive
// together, an op's output beside what later ops still read.
func (p Program) heldInInference(sizes []int64) int64 {
	last := make([]int, len(p.Ops))
	for i, o := range p.Ops {
		for _, in := range o.In {
			if in >= 0 {
				last[in] = i
			}
		}
	}
	var most int64
	for i := range p.Ops {
		alive := sizes[i]
		for j, n := range sizes[:i] {
			if last[j] >= i {
				alive += n
			}
		}
		most = max(most, alive)
	}
	return most
}
