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

// feed is the value of an input for every micro-batch, with the nodes of all
// graphs that have the input.
type feed struct {
	nodes  []*G.Node
	values []*tensor.Dense
	bound  *tensor.Dense // with data on the host: what the nodes are bound to, copied into in each pass; else nil
}

// load makes the tensors of all micro-batches from "x" [batches, batch, ...]
// and "y" [batches, batch].
func (c *chain) load(from map[string]workloads.Tensor, job backends.Job) (*data, error) {
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
	micros := d.batches * c.micros
	add := func(nodes []*G.Node, of func(micro int) *tensor.Dense) {
		f := feed{nodes: nodes, values: make([]*tensor.Dense, micros)}
		for i := range f.values {
			f.values[i] = of(i)
		}
		if job.Settings.Data == "host" {
			f.bound = f.values[0].Clone().(*tensor.Dense)
		}
		d.feeds = append(d.feeds, f)
	}
	if len(c.examples) > 0 {
		if x.F32 == nil {
			return nil, fmt.Errorf("batches: x is %s: expected F32", x.DType())
		}
		add(c.examples, func(i int) *tensor.Dense {
			return c.numbers(x.F32[i*c.batch*example:(i+1)*c.batch*example], p.Input.Shape)
		})
	}
	if len(c.tokens) > 0 {
		if x.I32 == nil {
			return nil, fmt.Errorf("batches: x is %s: expected I32 tokens", x.DType())
		}
		add(c.tokens, func(i int) *tensor.Dense {
			return c.indices(x.I32[i*c.batch*example:(i+1)*c.batch*example], example)
		})
	}
	if len(c.labels) > 0 {
		add(c.labels, func(i int) *tensor.Dense {
			return c.labelTensor(p.Loss.Op, y.I32[i*c.batch:(i+1)*c.batch])
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
func (c *chain) numbers(examples []float32, shape []int) *tensor.Dense {
	t := tensor.New(tensor.Of(c.dt), tensor.WithShape(c.examples[0].Shape()...))
	steps, width := 1, len(examples)/c.batch
	if len(shape) == 2 {
		steps, width = shape[0], shape[1]
	}
	for i, v := range examples {
		set(t, c.row(i/width, steps)*width+i%width, float64(v))
	}
	return t
}

// indices holds the tokens of a micro-batch.
func (c *chain) indices(tokens []int32, steps int) *tensor.Dense {
	data := make([]int, len(tokens))
	for i, v := range tokens {
		data[c.row(i, steps)] = int(v)
	}
	return tensor.New(tensor.WithShape(len(data)), tensor.WithBacking(data))
}

// row is where row i of batch-major sequences of the given length is held.
func (c *chain) row(i, steps int) int {
	if !c.timeMajor {
		return i
	}
	return i%steps*c.batch + i/steps
}

// feed binds a micro-batch to the graphs' inputs.
func (d *data) feed(micro int) error {
	for _, f := range d.feeds {
		v := f.values[micro]
		if f.bound != nil {
			if err := tensor.Copy(f.bound, v); err != nil {
				return err
			}
			v = f.bound
		}
		for _, n := range f.nodes {
			if err := G.Let(n, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// labelsOf returns the labels of a batch.
func (d *data) labelsOf(batch int) []int32 {
	return d.labels[batch*d.batch : (batch+1)*d.batch]
}
