package workloads

// This file holds what a backend receives: the resolved program. Authors write
// a Spec (spec.go); Resolve turns it and Settings into a Program in which no
// default is left open, so that two frameworks cannot differ by their defaults.

// Mode says whether a step trains (forward, backward, update) or only infers.
type Mode string

// The modes.
const (
	Train Mode = "train"
	Infer Mode = "infer"
)

// Precision names the arithmetic of a step. The set is closed.
type Precision string

// The precisions. Mixed means float32 master weights and optimizer state with
// 16-bit activations; the plain 16-bit and 8-bit forms are for inference only.
const (
	F64     Precision = "f64"
	F32     Precision = "f32" // TF32 forced off
	TF32    Precision = "tf32"
	BF16Mix Precision = "bf16-mixed"
	F16Mix  Precision = "f16-mixed"
	BF16    Precision = "bf16"
	F16     Precision = "f16"
	Int8    Precision = "int8"
)

// Settings are what may vary around one workload. All of them are part of a
// cell's name; none changes which function is computed except Mode and Batch
// (and Accumulate where batch statistics are taken per micro-batch).
type Settings struct {
	Mode       Mode      `json:"mode"`
	Precision  Precision `json:"precision"`
	Device     string    `json:"device"`     // "cpu", "cuda"
	Data       string    `json:"data"`       // "resident": batches lie ready on the device; "host": copied inside the step
	Batch      int       `json:"batch"`      // examples per optimizer step
	Accumulate int       `json:"accumulate"` // micro-batches per optimizer step; divides Batch; 1 is plain
	Threads    int       `json:"threads"`    // granted CPU threads
	Checkpoint int       `json:"checkpoint"` // recomputed segments; 0 keeps all activations
	// Allocator is "" for the process's own, or one of Allocators; it is in the job
	// only where it is set.
	Allocator string `json:"allocator,omitempty"`
}

// Attr holds the attributes of all ops; an op uses those its row in the table
// of PROTOCOL.md names. Absent in JSON means zero or false.
type Attr struct {
	Units    int     `json:"units,omitempty"`    // dense, embedding, lstm: output features
	Filters  int     `json:"filters,omitempty"`  // conv2d: output channels
	Kernel   int     `json:"kernel,omitempty"`   // conv2d: square kernel side
	Stride   int     `json:"stride,omitempty"`   // conv2d, maxpool2d
	Pad      int     `json:"pad,omitempty"`      // conv2d: zeros on each of the four sides
	Size     int     `json:"size,omitempty"`     // maxpool2d: square window side, no padding, output rounded down
	Bias     bool    `json:"bias,omitempty"`     // conv2d, dense: has a bias
	Vocab    int     `json:"vocab,omitempty"`    // embedding: rows of the table
	Heads    int     `json:"heads,omitempty"`    // attention
	Causal   bool    `json:"causal,omitempty"`   // attention: position t sees positions <= t
	Epsilon  float64 `json:"epsilon,omitempty"`  // batchnorm, layernorm, adam
	Momentum float64 `json:"momentum,omitempty"` // batchnorm: weight of the new value in the running statistics; sgd: decay of the velocity
	Rate     float64 `json:"rate,omitempty"`     // dropout: probability of zero; sgd, adam: learning rate
	Beta1    float64 `json:"beta1,omitempty"`    // adam
	Beta2    float64 `json:"beta2,omitempty"`    // adam

	Reduction string `json:"reduction,omitempty"` // losses: always "mean" over the examples of a step
}

// The ops that Resolve emits. Shapes are of one example, channels first.
const (
	OpDense     = "dense"     // [..., in] -> [..., units]
	OpConv2D    = "conv2d"    // [C,H,W] -> [filters,H',W'], H' = (H+2*pad-kernel)/stride+1; cross-correlation, as all frameworks
	OpMaxPool2D = "maxpool2d" // [C,H,W] -> [C,(H-size)/stride+1,...]
	OpAvgPool   = "avgpool"   // global mean: [C,H,W] -> [C]; [T,D] -> [D]
	OpBatchNorm = "batchnorm" // [C,...] -> same; statistics per channel over batch and positions
	OpLayerNorm = "layernorm" // [..., D] -> same; statistics over the last axis, biased variance
	OpReLU      = "relu"
	OpGELU      = "gelu" // exact: x*Phi(x) with erf, no tanh approximation
	OpSigmoid   = "sigmoid"
	OpFlatten   = "flatten"   // row-major over channels-first order
	OpEmbedding = "embedding" // [T] tokens -> [T, units]
	OpLSTM      = "lstm"      // [T, in] -> [T, units]; gates i,f,g,o; one bias; initial state zero
	OpAttention = "attention" // [T, D] -> [T, D]; multi-head self-attention, scale 1/sqrt(D/heads)
	OpDropout   = "dropout"   // train: zero with probability rate, else scale by 1/(1-rate)
	OpAdd       = "add"       // sum of two equal shapes
	OpLastStep  = "last-step" // [T, D] -> [D]

	LossSoftmax = "softmax-cross-entropy" // logits [K], label 0..K-1
	LossSigmoid = "sigmoid-cross-entropy" // logits [1], label 0 or 1

	OptSGD  = "sgd"  // v = momentum*v + g; p -= rate*v
	OptAdam = "adam" // Kingma & Ba 2015, arXiv:1412.6980, algorithm 1
)

// Op is one node of a program. Its position in Program.Ops is its number.
type Op struct {
	Op    string `json:"op"`
	Name  string `json:"name,omitempty"` // set where the op owns parameters
	In    []int  `json:"in"`             // earlier ops; -1 is the batch
	Shape []int  `json:"shape"`          // of one example
	Attr  Attr   `json:"attr"`
}

// Param is a tensor that a program owns. Names are op name + "." + part:
// dense and conv2d: weight, bias; batchnorm: weight, bias, and the buffers
// running_mean, running_var; layernorm: weight, bias; embedding: weight;
// lstm: weight_ih [4H,in], weight_hh [4H,H], bias [4H]; attention:
// qkv.weight [3D,D] (rows: q, then k, then v), qkv.bias, out.weight [D,D], out.bias.
// Dense weights are [units,in]; convolution weights [filters,C,k,k].
type Param struct {
	Name   string  `json:"name"`
	Shape  []int   `json:"shape"`
	Buffer bool    `json:"buffer,omitempty"` // state that no optimizer touches
	Center float64 `json:"center,omitempty"` // initial values: uniform in [Center-Bound, Center+Bound]
	Bound  float64 `json:"bound,omitempty"`
}

// Segment is a range of ops, both ends included, whose activations are
// dropped after the forward pass and recomputed in the backward pass. Only the
// output of Last is used by later ops.
type Segment struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// Work counts one step analytically.
type Work struct {
	Examples        int64 `json:"examples"`
	ModelFLOPs      int64 `json:"model_flops"`      // 2 x multiply-adds of dense, conv2d, lstm, attention; x 3 in training; recomputation excluded
	ParamBytes      int64 `json:"param_bytes"`      // trainable parameters: 4 bytes each, 8 in f64, 2 in bf16 and f16, 1 in int8
	ActivationBytes int64 `json:"activation_bytes"` // outputs of all ops for one batch: same width, but 2 bytes in mixed precision
}

// Program is a workload resolved with settings.
type Program struct {
	Schema     int       `json:"schema"`
	Name       string    `json:"name"` // of the workload, for example MnistCnn
	Hash       string    `json:"hash"` // "sha256:" + hex; see Resolve for what it covers
	Mode       Mode      `json:"mode"`
	Batch      int       `json:"batch"`
	Accumulate int       `json:"accumulate"`
	Input      Input     `json:"input"`
	Data       Data      `json:"data"`
	Ops        []Op      `json:"ops"`
	Params     []Param   `json:"params"`
	Loss       Op        `json:"loss"` // In and Shape are empty: it reads the last op's output
	Optimizer  Op        `json:"optimizer"`
	Segments   []Segment `json:"segments,omitempty"`
	Work       Work      `json:"work"`
}

// Input describes one example as it enters the first op.
type Input struct {
	Kind  string `json:"kind"`            // image [C,H,W], vector [N], tokens [T], sequence [T,F]
	Shape []int  `json:"shape"`           // of one example
	Vocab int    `json:"vocab,omitempty"` // tokens: exclusive upper bound
}

// Data names the recipe of the batches. Batches are numbered; step s of a
// training run uses batch s mod Batches.
type Data struct {
	Generator string `json:"generator"` // a synthetic one, or "files:" and the digest of a user's data set (WithDataset)
	Classes   int    `json:"classes"`
	Batches   int    `json:"batches"`
	Seed      uint64 `json:"seed"`
}
