package harness

import (
	"errors"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// A learning curve is as long as shows learning: some epochs, and some steps
// where an epoch is short; and no longer than a trial can spare.
const (
	curveEpochs    = 5
	curveLeast     = 40
	curveMost      = 200
	curveBudget    = 10 * time.Second
	curveOfTheRest = 4 // at most this part of what the trial's limit still leaves
)

// CurveSteps is the number of steps that the learning curve of a training cell
// has; 0 in inference. A slow worker makes fewer of them.
func CurveSteps(c Cell) int {
	if c.Settings.Mode != workloads.Train {
		return 0
	}
	return min(curveMost, max(curveLeast, curveEpochs*c.Program.Data.Batches))
}

// CurveBudget is about the time that a check trial gives to its learning curve.
const CurveBudget = curveBudget

// learn asks for a longer check than the one that was judged, which took so
// long, and keeps its losses and correct answers in the record. The build is for
// checking: every dropout rate is 0.
//
// A check starts from the initial parameters, so a curve cannot be taken in
// parts: as many steps are asked for as the pace of the check before leaves time
// for. That of the first holds what was compiled, so a curve that it leaves short
// is asked for again.
//
// What a worker answers with an error here costs the curve and not the trial.
func (t *trial) learn(judged time.Duration) (steps int, err error) {
	check := t.rec.Check
	curve := &results.Curve{
		Losses: check.Losses, Examples: int(t.cell.Work.Examples), Epoch: t.cell.Program.Data.Batches,
	}
	check.Curve = curve
	until := func() time.Duration { return time.Until(t.deadline) }
	want, left := CurveSteps(t.cell), min(curveBudget, until()/curveOfTheRest)
	pace := judged / time.Duration(max(1, t.cell.Steps.Check))
	count := true
	for have := 0; have < want && until() > 2*judged; {
		n := min(want, max(1, int(left/max(1, pace))))
		if n < want && n < 2*have {
			break // too little would be new
		}
		began := time.Now()
		losses, correct, err := t.lossesOf(n, &count)
		took := time.Since(began)
		steps += n
		if errors.As(err, new(*backends.WorkerError)) {
			break
		}
		if err != nil {
			return steps, err
		}
		if n >= len(curve.Losses) {
			curve.Losses, curve.Correct = losses, correct
		}
		have, pace, left = n, took/time.Duration(n), left-took
	}
	if t.cell.Golden != nil {
		g := t.cell.Golden.Losses
		curve.Oracle = g[:min(len(g), len(curve.Losses))]
	}
	return steps, nil
}

// lossesOf asks for a check of n steps, and for its correct answers unless the
// worker has refused to count them: PROTOCOL.md lets it.
func (t *trial) lossesOf(n int, count *bool) (losses []float64, correct []int, err error) {
	if *count {
		digest, correct, err := t.client.Learn(n, int(t.cell.Work.Examples))
		if !errors.As(err, new(*backends.WorkerError)) {
			return digest.Losses, correct, err
		}
		*count = false
	}
	digest, err := t.client.Check(n, false)
	return digest.Losses, nil, err
}
