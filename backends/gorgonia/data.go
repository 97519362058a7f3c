package gorgonia

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// data holds all batches as tensors in the layout that the graph reads.
type data struct {
	batches int
	feeds   []feed
	labels  []int32 // [batches*batch]
	batch   int     // examples per batch
}

// feed is one input node with its value for every micro-batch.
type feed struct {
	node   *G.Node
	values []*tensor.Dense
	bound  *tensor.Dense // with data on the host: what the node is bound to, copied into in each pass; else nil
}

// load makes the tensors of all micro-batches from "x" [batches, batch, ...]
// and "y" [batches, batch].
func (g *graph) load(from map[string]workloads.Tensor, job backends.Job) (*data, error) {
	p := job.Program
	x, y := from["x"], from["y"]
	if y.I32 == nil || len(y.Shape) != 2 || y.Shape[1] != p.Batch || len(x.Shape) == 0 || x.Shape[0] != y.Shape[0] {
		return nil, fmt.Errorf("batches: x %v and y %v: expected x [n, %d, ...] and y [n, %d]", x.Shape, y.Shape, p.Batch, p.Batch)
	}
	example := tensor.ProdInts(p.Input.Shape)
	if x.Len() != y.Len()*example {
		return nil, fmt.Errorf("batches: x %v: expected [%d, %d] examples of %v", x.Shape, y.Shape[0], p.Batch, p.Input.Shape)
	}
	if err := checkLabels(p, y.I32); err != nil {
		return nil, err
	}
	d := &data{batches: y.Shape[0], labels: y.I32, batch: p.Batch}
	micros := d.batches * g.micros
	add := func(n *G.Node, of func(micro int) *tensor.Dense) {
		f := feed{node: n, values: make([]*tensor.Dense, micros)}
		for i := range f.values {
			f.values[i] = of(i)
		}
		if job.Settings.Data == "host" {
			f.bound = f.values[0].Clone().(*tensor.Dense)
		}
		d.feeds = append(d.feeds, f)
	}
	if g.examples != nil {
		if x.F32 == nil {
			return nil, fmt.Errorf("batches: x is %s: expected F32", x.DType())
		}
		add(g.examples, func(i int) *tensor.Dense {
			return g.numbers(x.F32[i*g.batch*example:(i+1)*g.batch*example], p.Input.Shape)
		})
	}
	if g.tokens != nil {
		if x.I32 == nil {
			return nil, fmt.Errorf("batches: x is %s: expected I32 tokens", x.DType())
		}
		add(g.tokens, func(i int) *tensor.Dense {
			return g.indices(x.I32[i*g.batch*example:(i+1)*g.batch*example], example)
		})
	}
	if g.labels != nil {
		add(g.labels, func(i int) *tensor.Dense {
			return g.labelTensor(p.Loss.Op, y.I32[i*g.batch:(i+1)*g.batch])
		})
	}
	return d, nil
}

func checkLabels(p workloads.Program, labels []int32) error {
	classes := max(2, p.Ops[len(p.Ops)-1].Shape[0])
	for i, y := range labels {
		if y < 0 || int(y) >= classes {
			return fmt.Errorf("batches: label %d is %d: expected 0 to %d", i, y, classes-1)
		}
	}
	return nil
}

// numbers holds the examples of a micro-batch as the graph reads them.
func (g *graph) numbers(examples []float32, shape []int) *tensor.Dense {
	t := tensor.New(tensor.Of(g.dt), tensor.WithShape(g.examples.Shape()...))
	steps, width := 1, len(examples)/g.batch
	if len(shape) == 2 {
		steps, width = shape[0], shape[1]
	}
	for i, v := range examples {
		set(t, g.row(i/width, steps)*width+i%width, float64(v))
	}
	return t
}

// indices holds the tokens of a micro-batch.
func (g *graph) indices(tokens []int32, steps int) *tensor.Dense {
	data := make([]int, len(tokens))
	for i, v := range tokens {
		data[g.row(i, steps)] = int(v)
	}
	return tensor.New(tensor.WithShape(len(data)), tensor.WithBacking(data))
}

// row is where row i of batch-major sequences of the given length is held.
func (g *graph) row(i, steps int) int {
	if !g.timeMajor {
		return i
	}
	return i%steps*g.batch + i/steps
}

// feed binds a micro-batch to the graph's inputs.
func (d *data) feed(micro int) error {
	for _, f := range d.feeds {
		v := f.values[micro]
		if f.bound != nil {
			if err := tensor.Copy(f.bound, v); err != nil {
				return err
			}
			v = f.bound
		}
		if err := G.Let(f.node, v); err != nil {
			return err
		}
	}
	return nil
}

// labelsOf returns the labels of a batch.
func (d *data) labelsOf(batch int) []int32 {
	return d.labels[batch*d.batch : (batch+1)*d.batch]
}
