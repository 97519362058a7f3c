package gorgonia

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// param is one parameter of the program. A trainable one is held as one or
// more pieces in the layout that the graph multiplies with; a buffer is held
// by the batch normalisation that owns it.
type param struct {
	workloads.Param
	pieces []piece
	buffer *tensor.Dense
}

// piece is an input node that holds some rows of a parameter. A parameter of
// shape [n, rest...] has n rows of the product of rest.
type piece struct {
	node       *G.Node
	value      *tensor.Dense
	first, n   int
	transposed bool // held as [rest, rows]
}

func (p *param) rows() int { return p.Shape[0] }

func (p *param) size() int { return tensor.ProdInts(p.Shape) }

// load sets the parameter from its canonical layout.
func (p *param) load(t workloads.Tensor) error {
	data := t.Float64s()
	if len(data) != p.size() {
		return fmt.Errorf("weights: %s has %d elements, the program's shape %v has %d", p.Name, len(data), p.Shape, p.size())
	}
	if p.Buffer {
		for i, v := range data {
			set(p.buffer, i, v)
		}
		return nil
	}
	cols := p.size() / p.rows()
	for _, q := range p.pieces {
		q.each(cols, func(held, canonical int) { set(q.value, held, data[canonical]) })
	}
	return nil
}

// read collects the canonical layout from the tensors that of returns.
func (p *param) read(of func(piece) *tensor.Dense) backends.Tensor {
	out := backends.Tensor{Shape: p.Shape, Data: make([]float64, p.size())}
	if p.Buffer {
		for i := range out.Data {
			out.Data[i] = get(p.buffer, i)
		}
		return out
	}
	cols := p.size() / p.rows()
	for _, q := range p.pieces {
		src := of(q)
		q.each(cols, func(held, canonical int) { out.Data[canonical] = get(src, held) })
	}
	return out
}

// each visits the elements of the piece with their positions in the held and
// in the canonical layout.
func (q piece) each(cols int, visit func(held, canonical int)) {
	for r := range q.n {
		for c := range cols {
			held := r*cols + c
			if q.transposed {
				held = c*q.n + r
			}
			visit(held, (q.first+r)*cols+c)
		}
	}
}

func (q piece) weights() *tensor.Dense { return q.value }

// gradient returns the gradient that the last pass left.
func (q piece) gradient() *tensor.Dense {
	v, err := q.node.Grad()
	if err != nil {
		return nil // compile checked that there is one
	}
	d, _ := v.(*tensor.Dense)
	return d
}

func set(t *tensor.Dense, i int, v float64) {
	if t.Dtype() == tensor.Float32 {
		t.Float32s()[i] = float32(v)
		return
	}
	t.Float64s()[i] = v
}

func get(t *tensor.Dense, i int) float64 {
	if t.Dtype() == tensor.Float32 {
		return float64(t.Float32s()[i])
	}
	return t.Float64s()[i]
}

// scalar widens a scalar result of the graph.
func scalar(v G.Value) float64 {
	switch x := v.Data().(type) {
	case float32:
		return float64(x)
	case float64:
		return x
	}
	return 0
}
