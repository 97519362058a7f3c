package report

import "github.com/dlbench/dlbench/results"

// operations are the FLOPs of one step of a cell as the roofline counts them: in
// training one forward pass and two such for the gradients, less the gradient of
// the network's input, which no backend computes. Records hold three forward
// passes (results.Work); whole reports that this figure stands because the run
// lists no layers.
func (c *cell) operations() (flops float64, whole bool) {
	flops = float64(c.work().ModelFLOPs)
	if c.Cell.Mode != "train" {
		return flops, false
	}
	forward := 0.0
	for _, l := range c.layers {
		forward += float64(l.FLOPs)
	}
	if !(forward > 0) {
		return flops, flops > 0
	}
	return flops * (1 - inputGradient(c.layers)/(3*forward)), false
}

// inputGradient are the FLOPs per example that the gradient of a network's input
// would take: those of the layers that stand at it, one in each branch that starts
// there. One that only looks up or normalizes has no multiply-adds, and what follows
// it needs the gradient of its own input. Where a run does not say which layers
// stand at the input, as older ones do not, the first one with parameters counts.
func inputGradient(layers []results.Layer) float64 {
	first, sum, seen, said := 0.0, 0.0, false, false
	for _, l := range layers {
		if l.AtInput {
			sum, said = sum+inputProducts(l), true
		}
		if l.Params > 0 && !seen {
			first, seen = inputProducts(l), true
		}
	}
	if said {
		return sum
	}
	return first
}

// inputProducts are the FLOPs per example of a layer's products with its input.
func inputProducts(l results.Layer) float64 {
	width := 0.0 // of the output
	if n := len(l.Shape); n > 0 {
		width = float64(l.Shape[n-1])
	}
	flops := float64(l.FLOPs)
	switch l.Op {
	case "lstm": // the recurrent products keep their gradient; parameters are 4 H (I + H + 1)
		if sum := float64(l.Params)/(4*width) - 1; width > 0 && sum > width {
			return flops * (sum - width) / sum
		}
		return 0
	case "attention": // the three projections of the input, of 4 D² T + 2 T² D multiply-adds
		if len(l.Shape) == 2 {
			return min(flops, 2*3*width*width*float64(l.Shape[0]))
		}
		return 0
	}
	return flops
}
