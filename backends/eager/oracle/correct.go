package oracle

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// closeLogits: two logits that differ by less than this share of the larger one
// may stand in the other order in float32.
const closeLogits = 1e-3

// Correct returns, for each of the first steps, how many examples of its batch
// are answered right before its update, with dropout at rate 0: at least so many
// and at most so many, since an example whose first two logits are close may go
// either way in another precision. The arguments are those of [Compute].
func Correct(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int) (least, most []int, err error) {
	o := run{program: p, weights: weights, batches: batches, dialect: dialect}
	data, err := workloads.ReadSafetensors(batches)
	if err != nil {
		return nil, nil, err
	}
	b, err := o.build(ctx, workloads.F64, backends.ForCheck, eager.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("oracle of %s: %w", p.Name, err)
	}
	defer func() { err = errors.Join(err, o.close(b)) }()
	for s := range steps {
		n := s % p.Data.Batches
		read, err := b.Read("logits", n)
		if err != nil {
			return nil, nil, fmt.Errorf("oracle of %s: step %d: %w", p.Name, s, err)
		}
		low, high, err := countClose(read["logits"].Data, data["y"].I32[n*p.Batch:(n+1)*p.Batch])
		if err != nil {
			return nil, nil, fmt.Errorf("oracle of %s: step %d: %w", p.Name, s, err)
		}
		least, most = append(least, low), append(most, high)
		if err := errors.Join(ctx.Err(), b.Run([]int{n})); err != nil {
			return nil, nil, fmt.Errorf("oracle of %s: step %d: %w", p.Name, s, err)
		}
	}
	return least, most, nil
}

// countClose is workloads.CountCorrect, with and without the examples that are
// too close to call.
func countClose(logits []float64, labels []int32) (least, most int, err error) {
	k := len(logits) / max(1, len(labels))
	for i := range labels {
		row := logits[i*k : (i+1)*k]
		n, err := workloads.CountCorrect(row, labels[i:i+1])
		if err != nil {
			return 0, 0, err
		}
		// One logit alone is held to 0.
		sorted := append(slices.Clone(row), make([]float64, 2-min(2, k))...)
		slices.Sort(sorted)
		first, second := sorted[len(sorted)-1], sorted[len(sorted)-2]
		if first-second <= closeLogits*max(math.Abs(first), math.Abs(second)) {
			most++
			continue
		}
		least, most = least+n, most+n
	}
	return least, most, nil
}
