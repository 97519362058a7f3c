package gomlx

import (
	"cmp"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dlbench/dlbench/workloads"
)

// compileStep compiles what a step executes.
func (b *backend) compileStep() (err error) {
	switch {
	case b.program.Mode == workloads.Infer:
		b.step, err = b.compileForward()
		b.forward = b.step
	case b.micro < b.program.Batch:
		b.sums = append([]slot{}, b.slots[:len(b.names)]...)
		for i := range b.sums {
			b.sums[i].name, b.sums[i].initial = "sum/"+b.sums[i].name, nil
		}
		b.sums = append(b.sums, slot{name: lossName, dtype: b.types.wide})
		if b.accumulate, err = b.compileAccumulate(); err == nil {
			b.update, err = b.compileUpdate()
		}
	default:
		b.step, err = b.compileTrain()
	}
	return err
}

// pass declares x, emits the forward pass and returns its logits.
func (b *backend) pass(g *graph.Graph, nodes map[string]*graph.Node) (*forward, *graph.Node, error) {
	x := b.batches[0].parts[0].x
	input := value{node: graph.Parameter(g, x.name, x.shape()), channelMajor: inputChannelMajor(b.program)}
	if input.node.DType().IsFloat() {
		input.node = graph.ConvertDType(input.node, b.types.active)
	}
	f := &forward{
		program: b.program,
		train:   b.program.Mode == workloads.Train,
		batch:   b.micro,
		types:   b.types,
		params:  nodes,
		input:   input,
		rng:     nodes[rngName],
	}
	logits, err := f.logits()
	b.products = cmp.Or(productTypes(g), precisionName(b.types.active))
	return f, logits, err
}

// backward emits a pass with its loss and the gradients of the trainable
// parameters. nodes gets the new running statistics and generator state.
func (b *backend) backward(g *graph.Graph, nodes map[string]*graph.Node) (loss *graph.Node, gradients []*graph.Node, err error) {
	f, logits, err := b.pass(g, nodes)
	if err != nil {
		return nil, nil, err
	}
	y := b.batches[0].parts[0].y
	loss, err = meanLoss(b.program.Loss, graph.ConvertDType(logits, b.types.wide), graph.Parameter(g, y.name, y.shape()))
	if err != nil {
		return nil, nil, err
	}
	trainable := inOrder(b.slots[:len(b.names)], nodes)
	gradients = graph.Gradient(loss, trainable...)
	for name, node := range f.updated {
		nodes[name] = node
	}
	if f.rng != nil {
		nodes[rngName] = f.rng
	}
	b.segments = f.checkpoints.recomputed(loss)
	return loss, gradients, nil
}

// compileTrain is a whole training step: (state, x, y) -> (state, loss).
func (b *backend) compileTrain() (*compiled, error) {
	return compile(b.engine, b.program.Name+"/train", func(g *graph.Graph) ([]*graph.Node, error) {
		nodes := parameters(g, b.slots)
		loss, gradients, err := b.backward(g, nodes)
		if err != nil {
			return nil, err
		}
		update(b.program.Optimizer, b.names, gradients, nodes)
		return append(inOrder(b.slots, nodes), loss), nil
	})
}

// compileAccumulate is one micro-batch: (state, sums, x, y) -> (state, sums).
// The sums are of the gradients and of the loss, each divided by the number
// of micro-batches.
func (b *backend) compileAccumulate() (*compiled, error) {
	share := float64(b.micro) / float64(b.program.Batch)
	return compile(b.engine, b.program.Name+"/accumulate", func(g *graph.Graph) ([]*graph.Node, error) {
		nodes := parameters(g, b.slots)
		sums := parameters(g, b.sums)
		loss, gradients, err := b.backward(g, nodes)
		if err != nil {
			return nil, err
		}
		added := inOrder(b.sums, sums)
		for i, term := range append(gradients, loss) {
			added[i] = graph.Add(added[i], graph.MulScalar(term, share))
		}
		return append(inOrder(b.slots, nodes), added...), nil
	})
}

// compileUpdate is the optimizer: (state, gradients) -> (state).
func (b *backend) compileUpdate() (*compiled, error) {
	return compile(b.engine, b.program.Name+"/update", func(g *graph.Graph) ([]*graph.Node, error) {
		nodes := parameters(g, b.slots)
		gradients := b.sums[:len(b.names)]
		update(b.program.Optimizer, b.names, inOrder(gradients, parameters(g, gradients)), nodes)
		return inOrder(b.slots, nodes), nil
	})
}

// compileForward is (state, x) -> (logits).
func (b *backend) compileForward() (*compiled, error) {
	return compile(b.engine, b.program.Name+"/forward", func(g *graph.Graph) ([]*graph.Node, error) {
		_, logits, err := b.pass(g, parameters(g, b.slots))
		return []*graph.Node{logits}, err
	})
}

// compileGradient is (state, x, y) -> (gradients).
func (b *backend) compileGradient() (*compiled, error) {
	return compile(b.engine, b.program.Name+"/gradient", func(g *graph.Graph) ([]*graph.Node, error) {
		_, gradients, err := b.backward(g, parameters(g, b.slots))
		return gradients, err
	})
}

// compileLoss is (logits, y) -> (loss).
func (b *backend) compileLoss() (*compiled, error) {
	classes := b.program.Ops[len(b.program.Ops)-1].Shape[0]
	return compile(b.engine, b.program.Name+"/loss", func(g *graph.Graph) ([]*graph.Node, error) {
		logits := graph.Parameter(g, "logits", slot{dims: []int{b.micro, classes}, dtype: b.types.active}.shape())
		y := b.batches[0].parts[0].y
		loss, err := meanLoss(b.program.Loss, graph.ConvertDType(logits, b.types.wide), graph.Parameter(g, y.name, y.shape()))
		return []*graph.Node{loss}, err
	})
}

// copyWords reads the state of a random generator.
func copyWords(t *tensors.Tensor) ([]uint64, error) {
	return tensors.CopyFlatData[uint64](t)
}
