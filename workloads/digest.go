package workloads

// CheckSteps is the number of steps of a check, after which parameters are
// compared. It is the same everywhere, since a golden holds one set of them.
const CheckSteps = 3

// Digest is what a worker's check leaves to be compared with the oracle.
//
// Losses holds the loss of each checked step, before that step's update. In
// Tensors: "logits" is the forward output on batch 0 with the initial
// parameters; "grad/NAME" the gradient of the mean loss on batch 0 at the
// initial parameters (only from a build for "check"); "param/NAME" each
// parameter and buffer after the checked steps (training only).
type Digest struct {
	Losses  []float64              `json:"losses"`
	Tensors map[string]Fingerprint `json:"tensors"`
}

// AdamUncorrected is the dialect of TensorFlow and Keras: Adam's epsilon is
// added to the square root of the second moment before its bias is corrected.
const AdamUncorrected = "adam-epsilon=uncorrected"

// Golden is the oracle's account of one program, keyed by the program's hash:
// what the eager engine computes in float64, and how far a given precision may
// stand from it.
type Golden struct {
	Schema   int                    `json:"schema"`
	Program  string                 `json:"program"` // Program.Hash
	Name     string                 `json:"name"`    // for people: workload/mode/batch
	Dialect  string                 `json:"dialect"` // "" or the declared variant that the oracle followed, e.g. AdamUncorrected
	Dropout  bool                   `json:"dropout"` // the program has dropout: Losses and Tensors are at rate 0
	Losses   []float64              `json:"losses"`  // of steps 0, 1, ...: the checked ones and the measured segment
	Tensors  map[string]Fingerprint `json:"tensors"`
	Budgets  map[Precision]Budget   `json:"budgets"`
	LossBand []Band                 `json:"loss_band,omitempty"` // per step, over 64 dropout masks; only with Dropout
}

// Budget is the two-sided tolerance of one precision. An error is relative:
// |loss - golden| / max(|golden|, 1e-3) for losses, and for tensors
// max(|norm - norm*|, |proj - proj*|) / norm* (norm* at least 1e-12).
type Budget struct {
	Losses  []float64          `json:"losses"`  // ceiling of the error of step i
	Tensors map[string]float64 `json:"tensors"` // ceiling per tensor
	// Exact is what is computed where the precision's loss scale makes the first
	// steps skip their updates; nil: the golden's own losses and tensors.
	Exact *Digest `json:"exact,omitempty"`
	Floor float64 `json:"floor"` // the worst error over all checked quantities but gradients must reach this, else the precision was not applied; coarser than f32, all of f32's budget takes its place
}

// Band is the range in which a loss under random dropout masks lies, with
// whatever margin its maker added for masks that were not drawn.
type Band struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Judgement is the outcome of holding a digest or a loss against a golden.
type Judgement struct {
	Status  string  `json:"status"` // ok, wrong, unproven (no golden, or no budget for the precision)
	Worst   string  `json:"worst"`  // the quantity with the largest error relative to its ceiling: "loss 2", "param/fc1.weight"
	Got     float64 `json:"got"`
	Want    float64 `json:"want"`
	Error   float64 `json:"error"`
	Ceiling float64 `json:"ceiling"`
	Floor   float64 `json:"floor"`
	Reason  string  `json:"reason,omitempty"` // one line, set unless ok
}
