package workloads

import (
	"fmt"
	"slices"
)

// LayerWork is one row of a program's cost table, per example.
type LayerWork struct {
	Op          string `json:"op"`
	Name        string `json:"name,omitempty"`
	Shape       []int  `json:"shape"`
	Params      int64  `json:"params"`      // trainable elements
	FLOPs       int64  `json:"flops"`       // forward, 2 x multiply-adds
	Activations int64  `json:"activations"` // elements of the output
	// AtInput: the op has parameters, and what it reads depends on none: nothing needs
	// the gradient of its input. Two branches that start at the batch have one each.
	AtInput bool `json:"at_input,omitempty"`
}

// Layers returns the cost of every op, in order.
func (p Program) Layers() []LayerWork {
	rows := make([]LayerWork, len(p.Ops))
	learned := make([]bool, len(p.Ops)) // its output depends on parameters
	for i, o := range p.Ops {
		r := LayerWork{Op: o.Op, Name: o.Name, Shape: o.Shape}
		in := p.Input.Shape
		if o.In[0] >= 0 {
			in = p.Ops[o.In[0]].Shape
		}
		kind := opKinds[o.Op] // zero for add
		if kind.params != nil {
			for _, q := range kind.params(o, in) {
				if !q.Buffer {
					n, _ := elements(q.Shape)
					r.Params += n
				}
			}
		}
		if kind.macs != nil {
			r.FLOPs = 2 * kind.macs(o, in)
		}
		r.Activations, _ = elements(o.Shape)
		above := slices.ContainsFunc(o.In, func(j int) bool { return j >= 0 && learned[j] })
		r.AtInput, learned[i] = r.Params > 0 && !above, r.Params > 0 || above
		rows[i] = r
	}
	return rows
}

// count fills in Work, and refuses programs whose counts leave exact range.
func (p *Program) count(prec Precision) error {
	const limit = 1e17 // batch x 3 stays far below the range of int64
	var params, flops, acts float64
	p.Work = Work{Examples: int64(p.Batch)}
	paramWidth, actWidth := prec.widths()
	for _, r := range p.Layers() {
		params += float64(r.Params)
		flops += float64(r.FLOPs) * float64(p.Batch)
		acts += float64(r.Activations) * float64(p.Batch)
		if params > maxElements || flops > limit || acts > limit/100 {
			return fmt.Errorf("the model is too large: %.3g parameters, %.3g FLOPs and %.3g activations per step up to %s %s", params, flops, acts, r.Op, r.Name)
		}
		p.Work.ParamBytes += r.Params * paramWidth
		p.Work.ModelFLOPs += r.FLOPs * int64(p.Batch)
		p.Work.ActivationBytes += r.Activations * int64(p.Batch) * actWidth
	}
	if p.Mode == Train {
		p.Work.ModelFLOPs *= 3 // the backward pass multiplies by weights and by activations
	}
	return nil
}
