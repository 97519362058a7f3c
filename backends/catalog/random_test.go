package catalog_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/dlbench/dlbench/workloads"
)

// randomModel draws small models whose shapes nobody chose: strides above the
// kernel, windows that leave a rest, one step, one feature, one example.
type randomModel struct {
	*rand.Rand
	named int
	out   []workloads.Layer
}

// between is a number from a to b, both included.
func (r *randomModel) between(a, b int) int { return a + r.IntN(b-a+1) }

func (r *randomModel) coin() bool { return r.IntN(2) == 0 }

func (r *randomModel) add(op string, a workloads.Attr) { r.out = append(r.out, r.layer(op, a)) }

func (r *randomModel) layer(op string, a workloads.Attr) workloads.Layer {
	r.named++
	l := workloads.Layer{Op: op, Attr: a}
	switch op {
	case workloads.OpDense, workloads.OpConv2D, workloads.OpBatchNorm, workloads.OpLayerNorm, workloads.OpEmbedding, workloads.OpLSTM, workloads.OpAttention:
		l.Name = fmt.Sprintf("p%d", r.named)
	}
	return l
}

func (r *randomModel) activation() workloads.Layer {
	return r.layer([]string{workloads.OpReLU, workloads.OpSigmoid}[r.IntN(2)], workloads.Attr{})
}

func (r *randomModel) residual(body ...workloads.Layer) {
	r.out = append(r.out, workloads.Layer{Op: workloads.LayerResidual, Body: body})
}

// image draws layers for feature maps and returns their input.
func (r *randomModel) image() workloads.Input {
	c, h, w := r.between(1, 4), r.between(3, 14), r.between(3, 14)
	in := workloads.Input{Kind: workloads.KindImage, Shape: []int{c, h, w}}
	for range r.between(1, 5) {
		switch kind := r.IntN(7); {
		case kind <= 1:
			a := workloads.Attr{Filters: r.between(1, 17), Kernel: r.between(1, min(5, h, w)), Stride: r.between(1, 4), Bias: r.coin()}
			a.Pad = r.between(0, a.Kernel-1)
			r.add(workloads.OpConv2D, a)
			c, h, w = a.Filters, (h+2*a.Pad-a.Kernel)/a.Stride+1, (w+2*a.Pad-a.Kernel)/a.Stride+1
		case kind == 2:
			size, stride := r.between(1, min(3, h, w)), r.between(1, 3)
			r.add(workloads.OpMaxPool2D, workloads.Attr{Size: size, Stride: stride})
			h, w = (h-size)/stride+1, (w-size)/stride+1
		case kind == 3:
			r.add(workloads.OpBatchNorm, workloads.Attr{})
		case kind == 4:
			r.out = append(r.out, r.activation())
		case kind == 5:
			r.add(workloads.OpDropout, workloads.Attr{Rate: 0.3})
		case h >= 3 && w >= 3:
			r.residual(r.layer(workloads.OpConv2D, workloads.Attr{Filters: c, Kernel: 3, Pad: 1}), r.activation())
		}
	}
	r.add([]string{workloads.OpFlatten, workloads.OpAvgPool}[r.IntN(2)], workloads.Attr{})
	return in
}

// vector draws layers for vectors.
func (r *randomModel) vector() workloads.Input {
	for range r.between(1, 4) {
		switch r.IntN(4) {
		case 0, 1:
			r.add(workloads.OpDense, workloads.Attr{Units: r.between(1, 70), Bias: r.coin()})
		case 2:
			r.out = append(r.out, r.activation())
		default:
			r.add(workloads.OpBatchNorm, workloads.Attr{})
		}
	}
	return workloads.Input{Kind: workloads.KindVector, Shape: []int{r.between(1, 70)}}
}

// sequence draws layers for sequences, of tokens or of features.
func (r *randomModel) sequence() workloads.Input {
	steps, d := r.between(1, 7), r.between(1, 6)
	in := workloads.Input{Kind: workloads.KindSequence, Shape: []int{steps, d}}
	if r.coin() {
		in = workloads.Input{Kind: workloads.KindTokens, Shape: []int{steps}, Vocab: 11}
		r.add(workloads.OpEmbedding, workloads.Attr{Units: d})
	}
	attention := func() workloads.Layer {
		heads := 1 + r.IntN(2)
		if d%heads != 0 {
			heads = 1
		}
		return r.layer(workloads.OpAttention, workloads.Attr{Heads: heads, Causal: r.coin()})
	}
	for range r.between(0, 3) {
		switch r.IntN(6) {
		case 0:
			d = r.between(1, 6)
			r.add(workloads.OpLSTM, workloads.Attr{Units: d})
		case 1:
			r.add(workloads.OpLayerNorm, workloads.Attr{})
		case 2:
			r.out = append(r.out, attention())
		case 3:
			d = r.between(1, 6)
			r.add(workloads.OpDense, workloads.Attr{Units: d, Bias: true})
		case 4:
			r.residual(r.layer(workloads.OpLayerNorm, workloads.Attr{}), attention())
		default:
			r.residual(r.layer(workloads.OpLSTM, workloads.Attr{Units: d}))
		}
	}
	r.add([]string{workloads.OpFlatten, workloads.OpAvgPool, workloads.OpLastStep}[r.IntN(3)], workloads.Attr{})
	return in
}

// randomProgram resolves a model with settings of its own, in float64. It
// returns false for a batch normalisation of single values, which no worker
// has to do.
func randomProgram(seed uint64) (workloads.Program, workloads.Settings, bool) {
	r := &randomModel{Rand: rand.New(rand.NewPCG(seed, 7))}
	data := workloads.Data{Classes: r.between(2, 5), Batches: 2, Seed: seed}
	in := []func() workloads.Input{r.image, r.vector, r.sequence}[r.IntN(3)]()
	data.Generator = map[string]string{
		workloads.KindImage: "class-blobs", workloads.KindVector: "class-blobs",
		workloads.KindTokens: "planted-tokens", workloads.KindSequence: "class-sequences",
	}[in.Kind]
	loss, units := workloads.LossSoftmax, data.Classes
	if r.IntN(3) == 0 {
		data.Classes, loss, units = 2, workloads.LossSigmoid, 1
	}
	r.add(workloads.OpDense, workloads.Attr{Units: units, Bias: r.coin()})
	optimizer := workloads.Layer{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.05, Momentum: 0.9 * float64(r.IntN(2))}}
	if r.IntN(3) == 0 { // the large epsilon keeps gradients that are only rounding from becoming steps
		optimizer = workloads.Layer{Op: workloads.OptAdam, Attr: workloads.Attr{Rate: 0.001, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3}}
	}
	spec := workloads.Spec{
		Workload: "Random", Input: in, Data: data, Layers: r.out, Optimizer: optimizer,
		Loss:  workloads.Layer{Op: loss, Attr: workloads.Attr{Reduction: "mean"}},
		Steps: workloads.Steps{Check: 3, WarmupMax: 1, Blocks: 1, PerBlock: 1},
	}
	set := workloads.DefaultSettings()
	set.Precision, set.Batch = workloads.F64, []int{1, 2, 4, 6}[r.IntN(4)]
	set.Data = []string{workloads.DataResident, workloads.DataHost}[r.IntN(2)] // what all of them have
	switch {
	case r.IntN(5) == 0:
		set.Mode = workloads.Infer
	default:
		if set.Batch > 1 && r.IntN(3) == 0 {
			set.Accumulate = 2
		}
		set.Checkpoint = max(0, r.between(-3, 2))
	}
	p, err := spec.Resolve(set)
	if err != nil { // too few places to cut
		set.Checkpoint = 0
		p, err = spec.Resolve(set)
	}
	if err != nil {
		panic(err)
	}
	for _, op := range p.Ops {
		if op.Op == workloads.OpBatchNorm && set.Mode == workloads.Train && set.Batch == set.Accumulate {
			return p, set, false
		}
	}
	return p, set, true
}
