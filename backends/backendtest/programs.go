package backendtest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/dlbench/dlbench/workloads"
)

// program is one small model of the suite, built so that the ops it is about
// decide its numbers. Sides differ wherever a mistaken layout could hide.
type program struct {
	name     string
	spec     workloads.Spec
	settings workloads.Settings
	alter    func(*workloads.Program) // after Resolve; may be nil
}

// resolve makes the program with these settings.
func (p program) resolve(settings workloads.Settings) (workloads.Program, error) {
	r, err := p.spec.Resolve(settings)
	if err == nil && p.alter != nil {
		p.alter(&r)
		sum := sha256.Sum256([]byte(r.Hash + p.name)) // goldens are kept by hash
		r.Hash = "sha256:" + hex.EncodeToString(sum[:])
	}
	return r, err
}

// steps of a check, and of the longer trajectories that state cases compare.
const (
	checkSteps = 3
	longSteps  = 9
)

func layer(op, name string, a workloads.Attr) workloads.Layer {
	return workloads.Layer{Op: op, Name: name, Attr: a}
}

func dense(name string, units int) workloads.Layer {
	return layer(workloads.OpDense, name, workloads.Attr{Units: units, Bias: true})
}

func plain(op string) workloads.Layer { return workloads.Layer{Op: op} }

func conv(name string, filters, kernel, stride, pad int) workloads.Layer {
	return layer(workloads.OpConv2D, name, workloads.Attr{Filters: filters, Kernel: kernel, Stride: stride, Pad: pad, Bias: true})
}

// unbiased leaves the bias out: before a normalisation its gradient is zero up
// to rounding, so that nothing can be learned from it.
func unbiased(l workloads.Layer) workloads.Layer {
	l.Bias = false
	return l
}

func lstm(name string, units int, last bool) workloads.Layer {
	l := layer(workloads.OpLSTM, name, workloads.Attr{Units: units})
	l.Last = last
	return l
}

func attention(name string, heads int, causal bool) workloads.Layer {
	return layer(workloads.OpAttention, name, workloads.Attr{Heads: heads, Causal: causal})
}

var (
	vector   = workloads.Input{Kind: "vector", Shape: []int{11}}
	image    = workloads.Input{Kind: "image", Shape: []int{2, 9, 7}}
	tokens   = workloads.Input{Kind: "tokens", Shape: []int{6}, Vocab: 20}
	sequence = workloads.Input{Kind: "sequence", Shape: []int{5, 6}}

	generators = map[string]string{"vector": "class-blobs", "image": "class-blobs", "tokens": "planted-tokens", "sequence": "class-sequences"}

	sgd  = workloads.Layer{Op: workloads.OptSGD, Attr: workloads.Attr{Rate: 0.1, Momentum: 0.9}}
	adam = workloads.Layer{Op: workloads.OptAdam, Attr: workloads.Attr{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}}
)

// model makes a training program of three classes in batches of six.
func model(name string, input workloads.Input, optimizer workloads.Layer, layers ...workloads.Layer) program {
	settings := workloads.DefaultSettings()
	settings.Batch = 6
	return program{name: name, settings: settings, spec: workloads.Spec{
		Workload:  "Check",
		Title:     map[string]string{"en": name},
		Input:     input,
		Data:      workloads.Data{Generator: generators[input.Kind], Classes: 3, Batches: 4, Seed: 7},
		Layers:    layers,
		Loss:      workloads.Layer{Op: workloads.LossSoftmax, Attr: workloads.Attr{Reduction: "mean"}},
		Optimizer: optimizer,
		Steps:     workloads.Steps{Check: checkSteps, WarmupMax: 10, Blocks: 4, PerBlock: 2},
	}}
}

// with changes a copy of the program.
func (p program) with(name string, change func(*program)) program {
	p.name = name
	p.spec.Layers = slices.Clone(p.spec.Layers)
	change(&p)
	return p
}

// uniform starts a parameter in [center-bound, center+bound].
func uniform(p *workloads.Program, name string, center, bound float64) {
	p.Params = slices.Clone(p.Params)
	for i := range p.Params {
		if p.Params[i].Name == name {
			p.Params[i].Center, p.Params[i].Bound = center, bound
		}
	}
}

func infer(p *program) { p.settings.Mode = workloads.Infer }

func onHost(p *program) { p.settings.Data = workloads.DataHost }

func loaded(p *program) { p.settings.Data = workloads.DataLoader }

// overflow is the program whose first steps in f16-mixed make no update.
const overflow = "overflow"

// overflowing is a model whose activation gradients leave float16 until the
// scale of its loss has been halved twice, on every batch and in every framework
// alike. The hidden units begin near 0, and so does the logit: it is half wrong about
// the one example, and a hidden unit's gradient is 0.5 * 304 = 152, times 1024 2.4
// times the largest float16 (65504). Under 512 it is 1.2 times as much, under 256
// it is 0.6 of it, so rounding decides nothing; and with this rate no later example
// is so wrong that it would overflow again. Weights in front of the hidden units are
// small, so that gradients of parameters are in range where those of activations are.
// The optimizer is Adam, which shows whether steps without an update are counted.
func overflowing() program {
	p := model(overflow, vector, adam, unbiased(dense("in", 8)), unbiased(dense("hidden", 2)), unbiased(dense("out", 1)))
	p.settings.Batch = 1
	p.spec.Data.Classes, p.spec.Loss.Op = 2, workloads.LossSigmoid
	p.spec.Optimizer.Rate = 1e-4
	p.alter = func(p *workloads.Program) {
		uniform(p, "in.weight", 0, 0.2)
		uniform(p, "hidden.weight", 0, 2.5e-4)
		uniform(p, "out.weight", 304, 0)
	}
	return p
}

// subnormal is a model whose first weights and activations are subnormal in
// float16 (below 2^-14 = 6e-5): whoever takes those for 0 computes logits of 0. Its
// last weights bring them back, and are small enough for gradients under the loss scale.
func subnormal() program {
	p := model("subnormal", vector, sgd, unbiased(dense("in", 8)), unbiased(dense("out", 3)))
	p.spec.Optimizer.Rate = 1e-5
	p.alter = func(p *workloads.Program) {
		uniform(p, "in.weight", 0, 2e-5)
		uniform(p, "out.weight", 0, 100)
	}
	return p
}

// programs lists the models: one or more for each op, loss and optimizer, in
// both modes, and the features.
func programs() []program {
	linear := model("dense", vector, sgd, dense("fc", 3))
	perceptron := func(hidden ...workloads.Layer) []workloads.Layer {
		return append(append([]workloads.Layer{dense("fc1", 8)}, hidden...), dense("fc2", 3))
	}
	convolution := model("conv2d", image, sgd, conv("conv", 3, 3, 1, 0), plain(workloads.OpFlatten), dense("fc", 3))
	normed := model("batchnorm-image", image, sgd, unbiased(conv("conv", 3, 3, 1, 1)), layer(workloads.OpBatchNorm, "bn", workloads.Attr{}), plain(workloads.OpReLU), plain(workloads.OpFlatten), dense("fc", 3))
	dropped := model("dropout", vector, sgd, perceptron(plain(workloads.OpReLU), layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.4}))...)
	deep := model("relu-stack", vector, sgd, dense("fc1", 9), plain(workloads.OpReLU), dense("fc2", 8), plain(workloads.OpReLU), dense("fc3", 7), plain(workloads.OpReLU), dense("fc4", 3))
	recurrent := model("lstm", sequence, adam, lstm("lstm", 4, true), dense("fc", 3))
	embedded := model("embedding", tokens, adam, layer(workloads.OpEmbedding, "emb", workloads.Attr{Units: 5}), plain(workloads.OpFlatten), dense("fc", 3))
	attending := model("attention", sequence, sgd, attention("attn", 2, false), plain(workloads.OpFlatten), dense("fc", 3))
	standardised := model("layernorm", vector, sgd, perceptron(layer(workloads.OpLayerNorm, "ln", workloads.Attr{}))...)

	// Where nine tenths are dropped, leaving out the factor of ten moves the loss
	// of many examples out of the band that the masks give it.
	scaled := model("dropout-scale", vector, sgd, dense("fc1", 64), layer(workloads.OpDropout, "", workloads.Attr{Rate: 0.9}), dense("fc2", 3))
	scaled.settings.Batch = 256
	scaled.spec.Optimizer.Rate, scaled.spec.Optimizer.Momentum = 0.01, 0

	// A convolution that starts at 0 has the same output everywhere, and which
	// element of a window gets the gradient decides what it learns.
	ties := model("maxpool2d-ties", image, sgd, conv("conv", 3, 2, 1, 0), layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 3, Stride: 2}), plain(workloads.OpFlatten), dense("fc", 3))
	ties.alter = func(p *workloads.Program) { uniform(p, "conv.weight", 0, 0); uniform(p, "conv.bias", 0, 0) }

	residual := workloads.Layer{Op: workloads.LayerResidual, Body: []workloads.Layer{dense("inner", 8), plain(workloads.OpReLU)}}
	list := []program{
		linear,
		linear.with("dense-infer", infer),
		linear.with("dense-without-bias", func(p *program) { p.spec.Layers[0] = unbiased(p.spec.Layers[0]) }),
		linear.with("sgd-without-momentum", func(p *program) { p.spec.Optimizer.Momentum = 0 }),
		linear.with("adam", func(p *program) { p.spec.Optimizer = adam }),
		// An epsilon that is nothing beside the gradients cannot show where it is added.
		linear.with("adam-large-epsilon", func(p *program) { p.spec.Optimizer = adam; p.spec.Optimizer.Epsilon = 0.01 }),
		linear.with("sigmoid-cross-entropy", func(p *program) {
			p.spec.Layers[0] = dense("fc", 1)
			p.spec.Data.Classes = 2
			p.spec.Loss.Op = workloads.LossSigmoid
		}),
		model("relu", vector, sgd, perceptron(plain(workloads.OpReLU))...),
		model("gelu", vector, sgd, perceptron(plain(workloads.OpGELU))...),
		model("sigmoid", vector, sgd, perceptron(plain(workloads.OpSigmoid))...),
		model("flatten", sequence, sgd, plain(workloads.OpFlatten), dense("fc", 3)),
		model("add", vector, sgd, dense("fc1", 8), residual, dense("fc2", 3)),
		convolution,
		convolution.with("conv2d-infer", infer),
		convolution.with("conv2d-stride-and-padding", func(p *program) { p.spec.Layers[0] = conv("conv", 3, 3, 2, 1) }),
		convolution.with("conv2d-without-bias", func(p *program) { p.spec.Layers[0] = unbiased(p.spec.Layers[0]) }),
		convolution.with("conv2d-on-conv2d", func(p *program) {
			p.spec.Layers = slices.Insert(p.spec.Layers, 1, plain(workloads.OpReLU), conv("conv2", 4, 2, 1, 0))
		}),
		model("maxpool2d", image, sgd, conv("conv", 3, 2, 1, 0), layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 2, Stride: 2}), plain(workloads.OpFlatten), dense("fc", 3)),
		model("maxpool2d-overlapping", image, sgd, conv("conv", 3, 2, 1, 0), layer(workloads.OpMaxPool2D, "", workloads.Attr{Size: 3, Stride: 2}), plain(workloads.OpFlatten), dense("fc", 3)),
		ties,
		model("avgpool-image", image, sgd, conv("conv", 5, 3, 1, 0), plain(workloads.OpAvgPool), dense("fc", 3)),
		model("avgpool-sequence", sequence, sgd, plain(workloads.OpAvgPool), dense("fc", 3)),
		model("dense-on-sequence", sequence, sgd, dense("each", 5), plain(workloads.OpReLU), plain(workloads.OpFlatten), dense("fc", 3)),
		normed,
		normed.with("batchnorm-infer", infer),
		model("batchnorm-vector", vector, adam, unbiased(dense("fc1", 8)), layer(workloads.OpBatchNorm, "bn", workloads.Attr{Epsilon: 1e-3, Momentum: 0.3}), plain(workloads.OpReLU), dense("fc2", 3)),
		standardised,
		standardised.with("layernorm-infer", infer),
		embedded,
		embedded.with("embedding-infer", infer),
		model("last-step", sequence, sgd, dense("each", 5), plain(workloads.OpLastStep), dense("fc", 3)),
		recurrent,
		recurrent.with("lstm-infer", infer),
		model("lstm-on-lstm", tokens, adam, layer(workloads.OpEmbedding, "emb", workloads.Attr{Units: 5}), lstm("lstm1", 4, false), lstm("lstm2", 3, true), dense("fc", 3)),
		model("lstm-all-steps", sequence, sgd, lstm("lstm", 4, false), plain(workloads.OpFlatten), dense("fc", 3)),
		attending,
		attending.with("attention-infer", infer),
		model("attention-causal", sequence, sgd, attention("attn", 3, true), plain(workloads.OpFlatten), dense("fc", 3)),
		dropped,
		scaled,
		deep,
		deep.with("accumulate", func(p *program) { p.settings.Accumulate = 3 }),
		normed.with("accumulate-batchnorm", func(p *program) { p.settings.Accumulate = 2 }),
		deep.with("checkpoint", func(p *program) { p.settings.Checkpoint = 2 }),
		deep.with("checkpoint-and-accumulate", func(p *program) { p.settings.Checkpoint, p.settings.Accumulate = 2, 2 }),
		overflowing(),
		subnormal(),
		convolution.with("conv2d-host", onHost),
		embedded.with("embedding-host", onHost),
		convolution.with("conv2d-loader", loaded),
		deep.with("accumulate-loader", func(p *program) { p.settings.Accumulate = 3; loaded(p) }),
		embedded.with("embedding-loader", loaded),
	}
	return list
}

// inferring is list for workers that infer only: each model once, in inference.
// What only training has (optimizers, dropout, features, altered beginnings) is
// left out.
func inferring(list []program) []program {
	var out []program
	type variant struct{ hash, data string }
	seen := map[variant]bool{}
	for _, p := range list {
		if p.alter != nil || p.settings.Accumulate > 1 || p.settings.Checkpoint > 0 || slices.ContainsFunc(p.spec.Layers, isDropout) {
			continue
		}
		if p.settings.Mode != workloads.Infer {
			p = p.with(p.name+"-infer", infer)
		}
		r, err := p.resolve(p.settings)
		key := variant{r.Hash, p.settings.Data}
		if err == nil && seen[key] {
			continue // it differs from an earlier one in its optimizer only
		}
		seen[key] = true
		out = append(out, p)
	}
	return out
}

func isDropout(l workloads.Layer) bool { return l.Op == workloads.OpDropout }

// needs lists the claims that a job of the program rests on.
func needs(p workloads.Program, s workloads.Settings) (ops, features []string) {
	for _, op := range p.Ops {
		ops = append(ops, op.Op)
	}
	ops = append(ops, p.Loss.Op)
	if p.Mode == workloads.Train {
		ops = append(ops, p.Optimizer.Op)
	}
	if s.Checkpoint > 0 {
		features = append(features, "checkpoint")
	}
	if s.Accumulate > 1 {
		features = append(features, "accumulate")
	}
	if s.Data == workloads.DataLoader {
		features = append(features, "loader")
	}
	slices.Sort(ops)
	return slices.Compact(ops), features
}
