package workloads

import "testing"

func TestState(t *testing.T) {
	dense := Layer{Op: OpDense, Name: "fc", Attr: Attr{Units: 3, Bias: true}}
	vector := Input{Kind: KindVector, Shape: []int{4}}
	sgd := func(momentum float64) Layer { return Layer{Op: OptSGD, Attr: Attr{Rate: 0.1, Momentum: momentum}} }
	adam := Layer{Op: OptAdam, Attr: Attr{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}}
	for _, tt := range []struct {
		name      string
		input     Input
		layers    []Layer
		optimizer Layer
		mode      Mode
		prec      Precision
		want      StateBytes
	}{
		// 4 x 3 weights and 3 biases; 5 examples of 4 numbers and a label each.
		{"plain descent", vector, []Layer{dense}, sgd(0), Train, F32, StateBytes{15 * 4, 0, 5 * (16 + 4)}},
		{"momentum", vector, []Layer{dense}, sgd(0.9), Train, F32, StateBytes{15 * 4, 15 * 4, 5 * (16 + 4)}},
		{"adam", vector, []Layer{dense}, adam, Train, F32, StateBytes{15 * 4, 2 * 15 * 4, 5 * (16 + 4)}},
		{"double", vector, []Layer{dense}, adam, Train, F64, StateBytes{15 * 8, 2 * 15 * 8, 5 * (32 + 4)}},
		{"mixed", vector, []Layer{dense}, adam, Train, BF16Mix, StateBytes{15 * 4, 2 * 15 * 4, 5 * (16 + 4)}},
		{"inference", vector, []Layer{dense}, adam, Infer, F32, StateBytes{0, 0, 5 * (16 + 4)}},
		{"inference in 16 bits", vector, []Layer{dense}, adam, Infer, BF16, StateBytes{0, 0, 5 * (8 + 4)}},
		// The running statistics of 4 channels are no parameters: 4 scales and 4 shifts are.
		{"buffers", vector, []Layer{{Op: OpBatchNorm, Name: "bn"}, dense}, adam, Train, F32, StateBytes{(8 + 15) * 4, 2 * (8 + 15) * 4, 5 * (16 + 4)}},
		// 20 x 2 embeddings and (6 x 2) x 3 + 3; tokens stay 4 bytes in float64.
		{"tokens", Input{Kind: KindTokens, Shape: []int{6}, Vocab: 20}, []Layer{{Op: OpEmbedding, Name: "e", Attr: Attr{Units: 2}}, {Op: OpFlatten}, dense},
			sgd(0.9), Train, F64, StateBytes{(40 + 39) * 8, (40 + 39) * 8, 5 * (24 + 4)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			generator := "class-blobs"
			if tt.input.Kind == KindTokens {
				generator = "planted-tokens"
			}
			spec := Spec{
				Workload: "State", Title: map[string]string{"en": "x"}, Input: tt.input,
				Data:   Data{Generator: generator, Classes: 3, Batches: 2, Seed: 1},
				Layers: tt.layers, Loss: Layer{Op: LossSoftmax, Attr: Attr{Reduction: "mean"}}, Optimizer: tt.optimizer,
				Steps: Steps{Check: 3, WarmupMax: 1, Blocks: 1, PerBlock: 1},
			}
			s := DefaultSettings()
			s.Mode, s.Precision, s.Batch = tt.mode, tt.prec, 5
			p, err := spec.Resolve(s)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.State(tt.prec); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if got := p.State(tt.prec).Gradients; tt.mode == Train && got != p.Work.ParamBytes {
				t.Errorf("gradients take %d bytes, the parameters %d", got, p.Work.ParamBytes)
			}
		})
	}
}
