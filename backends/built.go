package backends

import (
	"fmt"

	"github.com/dlbench/dlbench/workloads"
)

// Trainable counts the elements of p's trainable parameters, buffers excluded.
func Trainable(p workloads.Program) int64 {
	var total int64
	for _, param := range p.Params {
		if param.Buffer {
			continue
		}
		n := int64(1)
		for _, d := range param.Shape {
			n *= int64(d)
		}
		total += n
	}
	return total
}

// dtypes says which "params" and "activations" are evidence of a precision.
var dtypes = map[workloads.Precision][2]string{
	workloads.F64:     {"f64", "f64"},
	workloads.F32:     {"f32", "f32"},
	workloads.TF32:    {"f32", "f32"},
	workloads.BF16Mix: {"f32", "bf16"},
	workloads.F16Mix:  {"f32", "f16"},
	workloads.BF16:    {"bf16", "bf16"},
	workloads.F16:     {"f16", "f16"},
	workloads.Int8:    {"int8", "int8"},
}

// Against returns nil if b is evidence of what job asked for, else one line
// that says what differs: such a build computes something else.
func (b Built) Against(job Job) error {
	p := job.Program
	if want := Trainable(p); b.Params != want {
		return fmt.Errorf("worker holds %d trainable elements, the program has %d", b.Params, want)
	}
	if want, ok := dtypes[job.Settings.Precision]; ok {
		for i, what := range []string{"params", "activations"} {
			if got := b.DTypes[what]; got != want[i] {
				return fmt.Errorf("worker holds %s as %q, precision %s wants %q", what, got, job.Settings.Precision, want[i])
			}
		}
	}
	if b.TF32 != nil {
		switch prec := job.Settings.Precision; {
		case *b.TF32 && prec == workloads.F32:
			return fmt.Errorf("worker multiplies through TF32, precision %s wants it off", prec)
		case !*b.TF32 && prec == workloads.TF32:
			return fmt.Errorf("worker does not multiply through TF32, precision %s wants it on", prec)
		}
	}
	wantScale := 0.0
	if job.Settings.Precision == workloads.F16Mix {
		wantScale = workloads.InitialLossScale
	}
	if b.LossScale != wantScale {
		return fmt.Errorf("worker begins with a loss scale of %g, precision %s wants %g", b.LossScale, job.Settings.Precision, wantScale)
	}
	if p.Mode != workloads.Train {
		return nil
	}
	if b.Segments != len(p.Segments) {
		return fmt.Errorf("worker recomputes %d segments, the program has %d", b.Segments, len(p.Segments))
	}
	// A worker that never accumulates may leave the count out.
	if got := max(b.Accumulated, 1); got != p.Accumulate {
		return fmt.Errorf("worker accumulates %d micro-batches, the program %d", got, p.Accumulate)
	}
	return nil
}
