package gomlx

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/notimplemented"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// slot is one tensor that lives on the device between steps.
type slot struct {
	name    string
	dims    []int
	dtype   dtypes.DType
	initial any // flat slice of dtype's Go type; nil: zeros
}

// shape returns the slot's shape.
func (s slot) shape() shapes.Shape { return shapes.Make(s.dtype, s.dims...) }

// compiled is a graph that was compiled for fixed shapes.
type compiled struct {
	graph *graph.Graph
	exec  compute.Executable
}

// compile builds and compiles one graph. The library reports errors of graph
// building by panics; an op that its backend lacks becomes ErrUnsupported.
func compile(backend compute.Backend, name string, build func(*graph.Graph) ([]*graph.Node, error)) (c *compiled, err error) {
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, asError(name, r)
		}
	}()
	g := graph.NewGraph(backend, name)
	outputs, err := build(g)
	if err != nil {
		return nil, err
	}
	if err := g.Compile(outputs...); err != nil {
		return nil, asError(name, err)
	}
	return &compiled{graph: g, exec: g.Executable()}, nil
}

// asError turns what the library threw into an error of one line.
func asError(name string, thrown any) error {
	err, ok := thrown.(error)
	if !ok {
		err = fmt.Errorf("%v", thrown)
	}
	if errors.Is(err, notimplemented.NotImplementedError) {
		return unsupported("graph %q: %s", name, err)
	}
	return fmt.Errorf("gomlx: graph %q: %w", name, err)
}

// run executes the graph and returns when its outputs are complete: the Go
// backend is synchronous. The first donated inputs lend their memory to the
// outputs and must not be used again.
func (c *compiled) run(inputs []compute.Buffer, donated int) ([]compute.Buffer, error) {
	donate := make([]bool, len(inputs))
	for i := range donated {
		donate[i] = true
	}
	return c.exec.Execute(inputs, donate, 0)
}

// parameters declares one graph parameter per slot and returns them by name.
func parameters(g *graph.Graph, slots []slot) map[string]*graph.Node {
	nodes := make(map[string]*graph.Node, len(slots))
	for _, s := range slots {
		nodes[s.name] = graph.Parameter(g, s.name, s.shape())
	}
	return nodes
}

// inOrder returns the slots' nodes in the order of the slots.
func inOrder(slots []slot, nodes map[string]*graph.Node) []*graph.Node {
	out := make([]*graph.Node, len(slots))
	for i, s := range slots {
		out[i] = nodes[s.name]
	}
	return out
}

// upload copies a flat slice to the device; nil uploads zeros.
func upload(backend compute.Backend, s slot) (compute.Buffer, error) {
	flat := s.initial
	if flat == nil {
		flat = dtypes.MakeAnySlice(s.dtype, s.shape().Size())
	}
	return backend.BufferFromFlatData(0, flat, s.shape())
}

// download copies a buffer of floats to the host.
func download(b compute.Buffer) ([]float64, error) {
	shape, err := b.Shape()
	if err != nil {
		return nil, err
	}
	switch shape.DType {
	case dtypes.Float64:
		flat := make([]float64, shape.Size())
		return flat, b.ToFlatData(flat)
	case dtypes.BFloat16:
		half := make([]bfloat16.BFloat16, shape.Size())
		if err := b.ToFlatData(half); err != nil {
			return nil, err
		}
		out := make([]float64, len(half))
		for i, v := range half {
			out[i] = v.Float64()
		}
		return out, nil
	}
	flat := make([]float32, shape.Size())
	if err := b.ToFlatData(flat); err != nil {
		return nil, err
	}
	return widen(flat), nil
}

// widen converts to float64, exactly.
func widen(in []float32) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = float64(v)
	}
	return out
}

// free returns buffers to the backend's pool.
func free(buffers []compute.Buffer) error {
	var errs []error
	for _, b := range buffers {
		if b != nil {
			errs = append(errs, b.Finalize())
		}
	}
	return errors.Join(errs...)
}
