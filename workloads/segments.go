package workloads

import "fmt"

// segments cuts the program for gradient checkpointing (Chen et al., Training
// Deep Nets with Sublinear Memory Cost, 2016, arXiv:1604.06174): n segments
// that are recomputed, followed by a rest whose activations are kept, since
// the backward pass begins with them. A cut is legal only where exactly one
// value crosses; of the legal cuts those are taken that split the activation
// elements most evenly.
func (p Program) segments(n int) ([]Segment, error) {
	if n == 0 {
		return nil, nil
	}
	cuts := p.cuts()
	if len(cuts) < n {
		return nil, fmt.Errorf("checkpoint %d: the model can be cut into at most %d segments where a single value crosses", n, len(cuts))
	}
	before := make([]int64, len(p.Ops)) // activation elements up to and including op i
	var total int64
	for i, o := range p.Ops {
		e, _ := elements(o.Shape)
		total += e
		before[i] = total
	}
	out := make([]Segment, 0, n)
	first, next := 0, 0 // next: first legal cut that is still free
	for k := range n {
		want := float64(total) * float64(k+1) / float64(n+1)
		best := next
		// Leave enough legal cuts for the segments that follow.
		for c := next + 1; c <= len(cuts)-(n-k); c++ {
			if abs(float64(before[cuts[c]])-want) < abs(float64(before[cuts[best]])-want) {
				best = c
			}
		}
		out = append(out, Segment{First: first, Last: cuts[best]})
		first, next = cuts[best]+1, best+1
	}
	return out, nil
}

// cuts lists the ops after which only their own output is still needed, except
// the last op.
func (p Program) cuts() []int {
	lastUse := make([]int, len(p.Ops)+1) // of value i-1; index 0 is the batch
	for i, o := range p.Ops {
		for _, in := range o.In {
			lastUse[in+1] = i
		}
	}
	var cuts []int
	reach := lastUse[0] // the furthest use of any value before op i's output
	for i := range len(p.Ops) - 1 {
		if reach <= i {
			cuts = append(cuts, i)
		}
		reach = max(reach, lastUse[i+1])
	}
	return cuts
}

func abs(x float64) float64 { return max(x, -x) }
