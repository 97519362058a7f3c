package workloads

// StateBytes counts, analytically, what a step needs beside its parameters and
// activations.
type StateBytes struct {
	Gradients int64 // one per trainable parameter, as wide as it; 0 in inference
	// Optimizer is what it keeps from step to step: the velocities of SGD with
	// momentum, the two moments of Adam (Kingma and Ba 2015, algorithm 1), as wide
	// as the parameters; its step counter is left out. 0 in inference, and for SGD
	// without momentum.
	Optimizer int64
	// Inputs are the examples of one step, as wide as the parameters and tokens of 4
	// bytes, and their labels of 4 bytes.
	Inputs int64
}

// State counts the bytes of a program's state. In mixed precision parameters,
// gradients and the optimizer's state are float32: that is what the update is made
// with, whatever the activations are.
func (p Program) State(prec Precision) StateBytes {
	const token, label = 4, 4 // int32
	width, _ := prec.widths()
	var params int64
	for _, q := range p.Params {
		if !q.Buffer {
			n, _ := elements(q.Shape)
			params += n
		}
	}
	var s StateBytes
	each, _ := elements(p.Input.Shape)
	if p.Input.Kind == KindTokens {
		s.Inputs = int64(p.Batch) * (each*token + label)
	} else {
		s.Inputs = int64(p.Batch) * (each*width + label)
	}
	if p.Mode != Train {
		return s
	}
	s.Gradients = params * width
	switch {
	case p.Optimizer.Op == OptAdam:
		s.Optimizer = 2 * s.Gradients
	case p.Optimizer.Op == OptSGD && p.Optimizer.Attr.Momentum != 0:
		s.Optimizer = s.Gradients
	}
	return s
}
