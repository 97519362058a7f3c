package eager

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/backends/eager/kernel"
	"github.com/dlbench/dlbench/workloads"
)

// Mutation is a deliberate mistake of the kind that makes two frameworks
// compute different things in silence. A budget counts only if it kills the mutants.
type Mutation string

// The mutations.
const (
	GateOrder         Mutation = "gate-order"         // LSTM reads the gates as i,g,f,o
	LossSum           Mutation = "loss-sum"           // the loss is summed over the examples, not averaged
	HalfLoss          Mutation = "half-loss"          // the loss and its gradient are halved
	MomentumDampened  Mutation = "momentum-dampened"  // v = momentum*v + (1-momentum)*g
	AdamNoCorrection  Mutation = "adam-no-correction" // no bias correction
	AdamEpsilon       Mutation = "adam-epsilon"       // epsilon stands where the other dialect has it
	Padding           Mutation = "padding"            // a convolution's windows are one off, down and right
	BNUnbiased        Mutation = "bn-unbiased"        // batch normalisation divides by the unbiased variance
	TransposedWeight  Mutation = "transposed-weight"  // the first dense weight is loaded transposed
	SecondLSTMBias    Mutation = "second-lstm-bias"   // LSTM has two biases, which move together
	StaleWeights      Mutation = "stale-weights"      // a step sees the parameters of the step before
	FewerSteps        Mutation = "fewer-steps"        // each third training step is skipped
	SameBatch         Mutation = "same-batch"         // every step uses batch 0
	RoundTF32         Mutation = "tf32"               // operands of products have 10 bits of mantissa
	RoundBF16         Mutation = "bf16"               // activations have 7 bits of mantissa
	DroppedCheckpoint Mutation = "dropped-checkpoint" // activations are kept; the build says so
	NoCausalMask      Mutation = "no-causal-mask"     // causal attention sees what comes after
	AccumulateLast    Mutation = "accumulate-last"    // only the last micro-batch's gradient is applied
	NoDropout         Mutation = "no-dropout"         // nothing is dropped in the timed build
	Double            Mutation = "double-for-single"  // float64 arithmetic under the name of f32
	SingleForHalf     Mutation = "single-for-half"    // float32 arithmetic and storage under the name of a 16-bit precision
	KeptScale         Mutation = "scale-forgotten"    // the loss scale is not taken out of the gradients
	KeptOverflow      Mutation = "overflow-applied"   // gradients that overflowed become 0, and the update is made
	AccumulateSum     Mutation = "accumulate-sum"     // the gradients of the micro-batches are summed, not averaged
)

// Mutations lists all of them.
var Mutations = []Mutation{
	GateOrder, LossSum, HalfLoss, MomentumDampened, AdamNoCorrection, AdamEpsilon, Padding, BNUnbiased,
	TransposedWeight, SecondLSTMBias, StaleWeights, FewerSteps, SameBatch, RoundTF32, RoundBF16,
	DroppedCheckpoint, NoCausalMask, AccumulateLast, NoDropout, Double, SingleForHalf, KeptScale, KeptOverflow, AccumulateSum,
}

// Alters reports whether the mutation changes what p computes beyond rounding
// at precision prec: a dense network survives a wrong gate order, and what is
// smaller than the roundings of 16 bits survives in those precisions.
func (m Mutation) Alters(p workloads.Program, prec workloads.Precision) bool {
	train, half := p.Mode == workloads.Train, formatOf(prec) != 0
	has := func(op string) bool {
		return slices.ContainsFunc(p.Ops, func(o workloads.Op) bool { return o.Op == op })
	}
	switch m {
	case GateOrder:
		return has(workloads.OpLSTM)
	case SecondLSTMBias:
		return has(workloads.OpLSTM) && train
	case LossSum:
		return p.Batch > 1
	case HalfLoss:
		return true
	case MomentumDampened:
		return train && p.Optimizer.Op == workloads.OptSGD && p.Optimizer.Attr.Momentum != 0
	case AdamNoCorrection:
		return train && p.Optimizer.Op == workloads.OptAdam
	case AdamEpsilon:
		// Where gradients are far above epsilon the dialects differ by less
		// than float32 rounds: there this mutant may survive.
		return train && p.Optimizer.Op == workloads.OptAdam && prec == workloads.F64
	case Padding:
		return has(workloads.OpConv2D)
	case BNUnbiased:
		return train && has(workloads.OpBatchNorm)
	case TransposedWeight:
		for _, op := range p.Ops {
			if op.Op == workloads.OpDense { // of a matrix with one row the transposed one has the same bytes
				return op.Attr.Units > 1
			}
		}
		return false
	case StaleWeights, FewerSteps:
		return train
	case SameBatch:
		return p.Data.Batches > 1
	case RoundTF32:
		return !half && (has(workloads.OpDense) || has(workloads.OpConv2D) || has(workloads.OpLSTM) || has(workloads.OpAttention))
	case RoundBF16:
		return !half
	case NoCausalMask:
		return slices.ContainsFunc(p.Ops, func(o workloads.Op) bool { return o.Op == workloads.OpAttention && o.Attr.Causal })
	case AccumulateLast, AccumulateSum:
		return train && p.Accumulate > 1
	case Double:
		return prec == workloads.F32
	case SingleForHalf:
		return half
	case KeptScale:
		return train && prec == workloads.F16Mix
	}
	// DroppedCheckpoint and NoDropout leave the checked numbers as they are, and
	// KeptOverflow those of programs whose gradients fit the first loss scale.
	return false
}

// faults are the mistakes as the tape, the loss and the optimizer read them.
type faults struct {
	gates     [4]int  // where the gates i,f,g,o stand
	shift     int     // of a convolution's windows
	unbiased  bool    // divide by the unbiased variance
	noCausal  bool    // ignore Attr.Causal
	lossScale float64 // multiplies the loss
	lossSum   bool    // do not divide by the examples
	keepAll   bool    // ignore Segments
	lastMicro bool    // gradients of earlier micro-batches are lost
	batchZero bool
	skipThird bool
	stale     bool
	twoBiases bool
	transpose bool
	adam      string // "", none, or the other dialect
	dampening bool
	noDropout bool

	fullWidth    bool // ignore the 16-bit format
	keepScale    bool
	keepInfinite bool // make the update of an overflow, without what is not finite
	microSum     bool
}

// noFaults is a correct engine.
var noFaults = faults{gates: [4]int{0, 1, 2, 3}, lossScale: 1}

// hooksOf translates a mutation; the zero mutation gives a correct engine.
func hooksOf[T kernel.Float](m Mutation) hooks[T] {
	f := noFaults
	h := hooks[T]{}
	switch m {
	case GateOrder:
		f.gates = [4]int{0, 2, 1, 3}
	case LossSum:
		f.lossSum = true
	case HalfLoss:
		f.lossScale = 0.5
	case MomentumDampened:
		f.dampening = true
	case AdamNoCorrection:
		f.adam = "none"
	case AdamEpsilon:
		f.adam = "other"
	case Padding:
		f.shift = 1
	case BNUnbiased:
		f.unbiased = true
	case TransposedWeight:
		f.transpose = true
	case SecondLSTMBias:
		f.twoBiases = true
	case StaleWeights:
		f.stale = true
	case FewerSteps:
		f.skipThird = true
	case SameBatch:
		f.batchZero = true
	case DroppedCheckpoint:
		f.keepAll = true
	case NoCausalMask:
		f.noCausal = true
	case AccumulateLast:
		f.lastMicro = true
	case NoDropout:
		f.noDropout = true
	case SingleForHalf:
		f.fullWidth = true
	case KeptScale:
		f.keepScale = true
	case KeptOverflow:
		f.keepInfinite = true
	case AccumulateSum:
		f.microSum = true
	case RoundTF32:
		h.operand = func(x []T) []T {
			y := slices.Clone(x)
			roundMantissa(y, 10)
			return y
		}
	case RoundBF16:
		h.value = func(x []T) { roundMantissa(x, 7) }
	}
	h.faults = f
	return h
}

// roundMantissa rounds to the given number of explicit mantissa bits, ties to even.
func roundMantissa[T kernel.Float](x []T, bits int) {
	drop := 23 - bits
	for i, v := range x {
		u := math.Float32bits(float32(v))
		u += 1<<(drop-1) - 1 + u>>drop&1
		x[i] = T(math.Float32frombits(u &^ (1<<drop - 1)))
	}
}
