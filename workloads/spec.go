package workloads

import "github.com/dlbench/dlbench/strictyaml"

// Spec is a workload as its author writes it. Load reads one from YAML.
type Spec struct {
	Workload  string            // CamelCase name, unique
	Title     map[string]string // language ("en", "zh") -> title, for people; any text
	Source    map[string]string // where the model comes from: "article" -> id, and what was not given there
	Input     Input
	Data      Data
	Layers    []Layer
	Loss      Layer // Op: LossSoftmax or LossSigmoid
	Optimizer Layer // Op: OptSGD or OptAdam; unused in inference
	Steps     Steps

	file string // where it was loaded from, for messages
}

// Steps says how many steps a trial makes. A suite may override it per cell.
type Steps struct {
	Check     int `json:"check"`      // held to the oracle, one by one
	WarmupMax int `json:"warmup_max"` // warm-up ends when steady, at the latest after so many steps
	Blocks    int `json:"blocks"`     // measured samples
	PerBlock  int `json:"per_block"`  // steps per sample
}

// Measured is the number of steps of the measured segment.
func (s Steps) Measured() int { return s.Blocks * s.PerBlock }

// The layers that an author may write besides the ops: Resolve lowers them.
const (
	LayerResidual = "residual" // Body(x) + Shortcut(x), where an empty Shortcut is x itself
	LayerGroup    = "group"    // Body, Repeat times
)

// Layer is one authored layer. Attr holds its attributes; a zero attribute that
// must not be zero takes the default given here.
//
//	dense      Name, Units; Bias
//	conv2d     Name, Filters, Kernel; Padding or Attr.Pad; Stride (1); Bias
//	maxpool2d  Size; Stride (Size)
//	batchnorm  Name; Epsilon (1e-5), Momentum (0.1)
//	layernorm  Name; Epsilon (1e-5)
//	embedding  Name, Units; Vocab (the input's)
//	lstm       Name, Units; Last
//	attention  Name, Heads; Causal
//	dropout    Rate
//	residual   Body; Shortcut, Repeat
//	group      Body, Repeat
//
// avgpool, relu, gelu, sigmoid, flatten and last-step have no attributes.
// In YAML, bias is true unless said otherwise; in Go, Bias must be set.
type Layer struct {
	Op   string
	Name string // required where the layer owns parameters, else empty
	Attr
	Padding  string  // conv2d: "same" (odd kernels, stride 1 keeps the size) or "valid"
	Last     bool    // lstm: keep the last step only
	Repeat   int     // group, residual: so many copies in a row, names suffixed _1, _2, ...
	Body     []Layer // residual, group
	Shortcut []Layer // residual

	at strictyaml.Place // when loaded from YAML
}
