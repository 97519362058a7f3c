package gorgonia

import (
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

func dense(name string, units int) workloads.Layer {
	return workloads.Layer{Op: workloads.OpDense, Name: name, Attr: workloads.Attr{Units: units, Bias: true}}
}

func conv(name string, filters, kernel, stride, pad int) workloads.Layer {
	return workloads.Layer{Op: workloads.OpConv2D, Name: name, Attr: workloads.Attr{Filters: filters, Kernel: kernel, Stride: stride, Pad: pad, Bias: true}}
}

func plain(op string) workloads.Layer { return workloads.Layer{Op: op} }

func named(op, name string, units int) workloads.Layer {
	return workloads.Layer{Op: op, Name: name, Attr: workloads.Attr{Units: units}}
}

func pool(size, stride int) workloads.Layer {
	return workloads.Layer{Op: workloads.OpMaxPool2D, Attr: workloads.Attr{Size: size, Stride: stride}}
}

func attention(heads int, causal bool) workloads.Layer {
	return workloads.Layer{Op: workloads.OpAttention, Name: "att", Attr: workloads.Attr{Heads: heads, Causal: causal}}
}

func residual(body ...workloads.Layer) workloads.Layer {
	return workloads.Layer{Op: workloads.LayerResidual, Body: body}
}

// cases are programs that together hold every op in every setting that this
// backend treats differently.
var cases = map[string]tiny{
	"dense":             {input: vector, layers: layers{dense("fc", 3)}},
	"dense no bias":     {input: vector, layers: layers{named(workloads.OpDense, "fc", 3)}},
	"dense relu":        {input: vector, layers: layers{dense("fc1", 5), plain("relu"), dense("fc2", 3)}},
	"dense sigmoid":     {input: vector, layers: layers{dense("fc1", 5), plain("sigmoid"), dense("fc2", 1)}, loss: sigmoid},
	"one unit inside":   {input: vector, layers: layers{dense("fc1", 1), plain("relu"), dense("fc2", 3)}},
	"one feature":       {input: workloads.Input{Kind: "vector", Shape: []int{1}}, layers: layers{dense("fc1", 4), plain("relu"), dense("fc2", 3)}},
	"one of all":        {input: workloads.Input{Kind: "vector", Shape: []int{1}}, layers: layers{dense("fc1", 1), dense("fc2", 1)}, loss: sigmoid, settings: func(s *workloads.Settings) { s.Batch = 1 }},
	"dense rows":        {input: series, layers: layers{dense("fc1", 5), plain("relu"), plain("flatten"), dense("fc2", 3)}},
	"conv":              {input: image, layers: layers{conv("c1", 3, 3, 1, 0), plain("flatten"), dense("fc", 3)}},
	"conv pad":          {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"), plain("flatten"), dense("fc", 3)}},
	"conv stride":       {input: image, layers: layers{conv("c1", 3, 3, 2, 1), conv("c2", 2, 2, 1, 0), plain("flatten"), dense("fc", 3)}},
	"maxpool":           {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"), pool(2, 2), plain("flatten"), dense("fc", 3)}},
	"maxpool overlap":   {input: image, layers: layers{conv("c1", 3, 3, 1, 1), pool(3, 2), plain("flatten"), dense("fc", 3)}},
	"avgpool image":     {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"), plain("avgpool"), dense("fc", 3)}},
	"batchnorm image":   {input: image, layers: layers{conv("c1", 3, 3, 1, 1), named("batchnorm", "bn", 0), plain("relu"), plain("avgpool"), dense("fc", 3)}},
	"batchnorm vector":  {input: vector, layers: layers{dense("fc1", 5), named("batchnorm", "bn", 0), plain("relu"), dense("fc2", 3)}},
	"layernorm vector":  {input: vector, layers: layers{dense("fc1", 5), named("layernorm", "ln", 0), dense("fc2", 3)}},
	"layernorm rows":    {input: series, layers: layers{named("layernorm", "ln", 0), plain("avgpool"), dense("fc2", 3)}},
	"residual image":    {input: image, layers: layers{conv("c1", 3, 3, 1, 1), residual(conv("c2", 3, 3, 1, 1), plain("relu"), conv("c3", 3, 3, 1, 1)), plain("relu"), plain("flatten"), dense("fc", 3)}},
	"residual identity": {input: vector, layers: layers{residual(dense("fc1", 6), plain("sigmoid")), residual(plain("relu")), dense("fc2", 3)}},
	"flatten sigmoid":   {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("sigmoid"), plain("flatten"), plain("sigmoid"), dense("fc", 3)}},
	"flatten layernorm": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("sigmoid"), plain("flatten"), named("layernorm", "ln", 0), dense("fc", 3)}},
	"flatten shared": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"),
		{Op: workloads.LayerResidual, Body: layers{plain("flatten"), named("layernorm", "ln", 0), dense("fc1", 4)}, Shortcut: layers{plain("avgpool"), dense("fc2", 4)}}, dense("fc", 3)}},
	"flatten shared again": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"),
		{Op: workloads.LayerResidual, Body: layers{plain("avgpool"), dense("fc2", 4)}, Shortcut: layers{plain("flatten"), named("layernorm", "ln", 0), dense("fc1", 4)}}, dense("fc", 3)}},
	"flatten twice": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("sigmoid"),
		{Op: workloads.LayerResidual, Body: layers{plain("flatten")}, Shortcut: layers{plain("flatten")}}, dense("fc", 3)}},
	"shared rows": {input: series, layers: layers{dense("fc1", 6), plain("relu"),
		{Op: workloads.LayerResidual, Body: layers{named("layernorm", "ln", 0), plain("last-step")}, Shortcut: layers{plain("avgpool")}}, dense("fc", 3)}},
	"flatten input":     {input: image, layers: layers{plain("flatten"), plain("relu"), dense("fc", 3)}},
	"embedding":         {input: tokens, layers: layers{named("embedding", "emb", 4), plain("avgpool"), dense("fc", 3)}},
	"embedding flatten": {input: tokens, layers: layers{named("embedding", "emb", 4), plain("flatten"), dense("fc", 1)}, loss: sigmoid},
	"lstm":              {input: series, layers: layers{named("lstm", "l1", 4), plain("last-step"), dense("fc", 3)}},
	"lstm stack":        {input: tokens, layers: layers{named("embedding", "emb", 4), named("lstm", "l1", 3), named("lstm", "l2", 2), plain("last-step"), dense("fc", 1)}, loss: sigmoid},
	"lstm mean":         {input: series, layers: layers{named("lstm", "l1", 4), plain("avgpool"), dense("fc", 3)}},
	"lstm flatten":      {input: series, layers: layers{named("lstm", "l1", 4), plain("flatten"), dense("fc", 3)}},
	"lstm rows":         {input: series, layers: layers{dense("fc1", 3), named("lstm", "l1", 3), plain("relu"), residual(dense("fc2", 3)), plain("last-step"), dense("fc", 3)}},
	"flatten series":    {input: workloads.Input{Kind: "sequence", Shape: []int{4, 3}}, layers: layers{plain("flatten"), dense("fc", 3)}},
	"attention":         {input: series, layers: layers{attention(2, false), plain("avgpool"), dense("fc", 3)}},
	"attention causal":  {input: series, layers: layers{residual(named("layernorm", "ln", 0), attention(3, true)), plain("last-step"), dense("fc", 3)}},
	"attention lstm":    {input: series, layers: layers{named("lstm", "l1", 6), attention(2, true), plain("last-step"), dense("fc", 3)}},
	"accumulate": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), plain("relu"), plain("flatten"), dense("fc", 3)},
		settings: func(s *workloads.Settings) { s.Accumulate = 2 }},
	"batch of one": {input: vector, layers: layers{dense("fc1", 5), plain("relu"), dense("fc2", 3)},
		settings: func(s *workloads.Settings) { s.Batch = 1 }},
	"batch of one sigmoid": {input: vector, layers: layers{dense("fc1", 5), plain("relu"), dense("fc2", 1)}, loss: sigmoid,
		settings: func(s *workloads.Settings) { s.Batch = 1 }},
	"batch of one image": {input: image, layers: layers{conv("c1", 3, 3, 1, 1), named("batchnorm", "bn", 0), plain("relu"), pool(2, 2), plain("avgpool"), dense("fc2", 3)},
		settings: func(s *workloads.Settings) { s.Batch = 1 }},
	"batch of one lstm": {input: tokens, layers: layers{named("embedding", "emb", 4), named("lstm", "l1", 3), plain("last-step"), dense("fc", 1)}, loss: sigmoid,
		settings: func(s *workloads.Settings) { s.Batch = 1 }},
	"batch of one attention": {input: series, layers: layers{attention(2, false), plain("avgpool"), dense("fc", 3)},
		settings: func(s *workloads.Settings) { s.Batch = 1 }},
	"host data": {input: vector, layers: layers{dense("fc", 3)},
		settings: func(s *workloads.Settings) { s.Data = workloads.DataHost }},
}

// TestForward holds logits and losses, in training and inference, to the
// reference.
func TestForward(t *testing.T) {
	for name, c := range cases {
		for _, mode := range workloads.Modes {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				c := c
				base := c.settings
				c.settings = func(s *workloads.Settings) {
					if base != nil {
						base(s)
					}
					if s.Mode = mode; mode == workloads.Infer {
						s.Accumulate = 1
					}
				}
				f := c.build(t)
				ref := f.reference(t)
				x, y := f.examples(1)
				want := ref.logits(x)
				if f.p.Accumulate > 1 {
					want = nil
					for at := 0; at < len(x); at += len(x) / f.p.Accumulate {
						want = append(want, ref.logits(x[at:at+len(x)/f.p.Accumulate])...)
					}
				}
				got := f.read(t, "logits", 1)["logits"]
				if len(got.Shape) != 2 || got.Shape[0] != len(want) || got.Shape[1] != len(want[0]) {
					t.Fatalf("logits have shape %v, want [%d %d]", got.Shape, len(want), len(want[0]))
				}
				for i, v := range got.Data {
					if w := want[i/got.Shape[1]][i%got.Shape[1]]; !near(v, w, 1e-10, 1) {
						t.Fatalf("logit %d is %v, want %v", i, v, w)
					}
				}
				if err := f.Run([]int{1}); err != nil {
					t.Fatal(err)
				}
				if got, want := f.lossOf(t), ref.loss(x, y); !near(got, want, 1e-10, 1) {
					t.Errorf("loss is %v, want %v", got, want)
				}
			})
		}
	}
}

// TestGradients holds every gradient to central differences of the reference.
func TestGradients(t *testing.T) {
	const h = 1e-5
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := c.build(t)
			ref := f.reference(t)
			x, y := f.examples(2)
			loss := func() float64 { return ref.loss(x, y) }
			grads := f.read(t, "grads", 2)
			for _, p := range f.p.Params {
				if p.Buffer {
					continue
				}
				got, values := grads[p.Name], ref.params[p.Name]
				if len(got.Data) != len(values) {
					t.Fatalf("gradient of %s has %d elements, want %d", p.Name, len(got.Data), len(values))
				}
				for i := 0; i < len(values); i += 1 + len(values)/40 {
					keep := values[i]
					values[i] = keep + h
					up := loss()
					values[i] = keep - h
					down := loss()
					values[i] = keep
					if want := (up - down) / (2 * h); !near(got.Data[i], want, 1e-5, 1e-3) {
						t.Fatalf("gradient of %s[%d] is %v, want %v", p.Name, i, got.Data[i], want)
					}
				}
			}
		})
	}
}
