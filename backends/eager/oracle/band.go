package oracle

import (
	"context"
	"errors"
	"math"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// masks is how many runs with different dropout masks a band is made of: fewer
// if the program is large, with a wider margin in turn.
func (o *run) masks() (runs int, deviations float64) {
	switch cost := o.cost(); {
	case cost < 2e10:
		return 64, 6
	case cost < 1e11:
		return 16, 8
	}
	return 6, 12
}

// band returns the range in which each step's loss lies under random masks:
// the mean over the runs and so many standard deviations to both sides, or the
// range of the runs where that is wider. The float32 engine makes the runs: the
// band is wide, and rounding is nothing in it.
func (o *run) band(ctx context.Context) ([]workloads.Band, error) {
	runs, deviations := o.masks()
	losses := make([][]float64, o.steps)
	for k := range runs {
		if err := o.masked(ctx, uint64(k), losses); err != nil {
			return nil, err
		}
	}
	band := make([]workloads.Band, o.steps)
	for s, at := range losses {
		var mean, squares float64
		low, high := at[0], at[0]
		for _, v := range at {
			mean += v / float64(len(at))
			low, high = min(low, v), max(high, v)
		}
		for _, v := range at {
			squares += (v - mean) * (v - mean)
		}
		reach := deviations * math.Sqrt(squares/float64(len(at)-1))
		band[s] = workloads.Band{Low: max(0, digits(min(low, mean-reach))), High: digits(max(high, mean+reach))}
	}
	return band, nil
}

// masked runs all steps with the masks of one seed and appends their losses.
func (o *run) masked(ctx context.Context, seed uint64, losses [][]float64) (err error) {
	b, err := o.build(ctx, workloads.F32, backends.ForTime, eager.Options{Masks: seed})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close(b)) }()
	for s := range losses {
		loss, err := lossOfStep(ctx, b, o.program, s)
		if err != nil {
			return err
		}
		losses[s] = append(losses[s], loss)
	}
	return nil
}

// digits keeps five decimal places.
func digits(x float64) float64 { return math.Round(x*1e5) / 1e5 }
