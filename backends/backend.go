// Package backends defines what a framework must do to be measured, and the
// protocol between the harness and the process that does it. PROTOCOL.md
// describes the wire for authors of workers in any language.
package backends

import (
	"context"
	"errors"
	"strings"

	"github.com/dlbench/dlbench/workloads"
)

// ProtocolVersion is the version of the wire format in PROTOCOL.md.
const ProtocolVersion = 1

// Job is one build request: the program, how to run it, and the files with
// its initial parameters and its batches.
type Job struct {
	Program  workloads.Program  `json:"program"`
	Settings workloads.Settings `json:"settings"`
	Weights  string             `json:"weights"` // safetensors: every parameter and buffer by name, F32
	Batches  string             `json:"batches"` // safetensors: "x" [batches, batch, shape...] F32 or I32 (tokens), "y" [batches, batch] I32
	For      Purpose            `json:"for"`
}

// Purpose says what a build is for.
type Purpose string

// The purposes of a build.
const (
	ForTime   Purpose = "time"   // measured and checked; dropout at its rate
	ForCheck  Purpose = "check"  // gradients can be read; dropout at rate 0
	ForMemory Purpose = "memory" // as time; the worker may also track allocator peaks
)

// Tensor is a value read back from a backend, in canonical layout, row-major.
type Tensor struct {
	Shape []int
	Data  []float64
}

// ErrUnsupported marks what a library cannot do. It is a result, not a failure.
var ErrUnsupported = errors.New("unsupported")

// Backend is one library holding one built program. It has no clock, no
// protocol, no digest and no statistics. All methods are called from one
// goroutine, in lock step.
type Backend interface {
	// Build makes the program ready: parameters and batches on the device,
	// graph compiled as far as the library compiles ahead of the first step.
	// It wraps ErrUnsupported where the library cannot do what job asks.
	Build(ctx context.Context, job Job) (Built, error)
	// Run executes one step per element, in order, on those batches, and
	// returns when the last one is complete on the device. A training step is
	// forward, backward and update; an inference step leaves its logits
	// readable. The slice's elements are batch numbers.
	Run(batches []int) error
	// Reset restores parameters, buffers and optimizer state to what they were
	// after Build. It is never timed.
	Reset() error
	// Read returns values, never timed, and changes no state:
	//   "loss"    {"loss": [1]} of the last step that Run executed, before its
	//             update; in inference the loss of that step's logits
	//   "logits"  {"logits": [batch, K]} of a forward pass on batch with the
	//             current parameters in the program's mode
	//   "grads"   gradient of the mean loss on batch per trainable parameter
	//             at the current parameters (builds for "check" only)
	//   "params"  every parameter and buffer
	Read(what string, batch int) (map[string]Tensor, error)
	// Close releases what Build took.
	Close() error
}

// Built is the evidence that a build returns: what the library really holds.
type Built struct {
	Params      int64             `json:"params"`      // trainable elements
	DTypes      map[string]string `json:"dtypes"`      // "params", "activations" -> f32, f64, ...
	Segments    int               `json:"segments"`    // segments that will be recomputed in the backward pass
	Accumulated int               `json:"accumulated"` // micro-batches per step
	// TF32 says whether float32 matrix products go through TF32; nil: not said.
	TF32 *bool `json:"tf32,omitempty"`
	// LossScale is the factor that the scaling of f16-mixed begins with; 0: none.
	LossScale float64 `json:"loss_scale,omitempty"`
}

// Info is what a worker says of itself in its hello.
type Info struct {
	Name       string                `json:"name"`
	Kind       string                `json:"kind"` // eager, static-graph, compiled
	Versions   map[string]string     `json:"versions"`
	Ops        []string              `json:"ops"` // ops and losses and optimizers that can be built
	Precisions []workloads.Precision `json:"precisions"`
	Features   []string              `json:"features"` // checkpoint, accumulate, loader
	Dialect    map[string]string     `json:"dialect"`  // "adam-epsilon": "corrected" (default) or "uncorrected"
	Threads    string                `json:"threads"`  // how the thread grant is applied, one phrase
	// Kernels says which family of kernels does what, where the backend chose it by
	// the processor and can tell: "f32-product": "AVX-512".
	Kernels map[string]string `json:"kernels,omitempty"`
	// Lacks says why it does not have a precision that others have.
	Lacks map[workloads.Precision]string `json:"-"`
}

// Entry is one row of the catalog: how to start a backend and what it claims.
type Entry struct {
	Info Info
	Argv []string       // may hold the places of Expand
	Env  []string       // added to a small clean environment; may hold them too
	New  func() Backend // nil: a foreign worker
	Need func() error   // nil, or returns why it cannot run here and now
	// Environment names the framework environment that it runs in, such as
	// "pytorch" or "pytorch@2.14.0"; empty for what needs none.
	Environment string
	// EnvironmentCUDA is used instead for device cuda; empty: the same one.
	EnvironmentCUDA string
	// Devices that it may be asked for; nil means the CPU alone.
	Devices []string
	// Forks: the worker understands Fork, so that its import can be shared.
	Forks bool
}

// Expand fills in the places of Argv and Env: "{self}" and the like become
// what places says. An unknown place is left as it is.
func (e Entry) Expand(places map[string]string) Entry {
	var pairs []string
	for name, value := range places {
		pairs = append(pairs, "{"+name+"}", value)
	}
	r := strings.NewReplacer(pairs...)
	replaced := func(in []string) []string {
		var out []string
		for _, s := range in {
			out = append(out, r.Replace(s))
		}
		return out
	}
	e.Argv, e.Env = replaced(e.Argv), replaced(e.Env)
	return e
}
