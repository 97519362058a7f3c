package harness

import (
	"errors"
	"fmt"
	"sync/atomic"
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
// parts. The first request is as short as the judged check and an epoch, and sets
// the pace: as many steps follow as there is time for. If it left too little, it
// may have compiled, and the same again tells.
//
// The proof stands already, so nothing that goes wrong here costs more than the
// curve. After an error of learn the worker is of no use and must be killed.
func (t *trial) learn(judged time.Duration) (steps int, err error) {
	check := t.rec.Check
	curve := &results.Curve{
		Losses: check.Losses, Examples: int(t.cell.Work.Examples), Epoch: t.cell.Program.Data.Batches,
	}
	check.Curve = curve
	until := func() time.Duration { return time.Until(t.deadline) }
	want, left := CurveSteps(t.cell), min(curveBudget, until()/curveOfTheRest)
	slack := max(left, 2*judged) // it may compile once more, as the judged check may have
	pace := judged / time.Duration(max(1, t.cell.Steps.Check))
	count, first := true, min(want, max(1, min(t.cell.Steps.Check, curve.Epoch)))
	for have, asked := 0, 0; have < want && until() > 2*judged; asked++ {
		n := min(want, max(1, int(left/max(1, pace))))
		switch {
		case asked == 0:
			n = min(n, first)
		case n == want || n >= 2*have:
		case asked == 1 && left/max(1, pace) >= time.Duration(have):
			n = have
		default:
			n = 0 // too little would be new
		}
		if n == 0 {
			break
		}
		began := time.Now()
		losses, correct, err := t.lossesOf(n, &count, max(0, left)+slack)
		took := time.Since(began)
		steps += n
		if said := new(*backends.WorkerError); errors.As(err, said) {
			if _, _, ended := (*said).ForkedEnd(); ended {
				return steps, err
			}
			check.CurveWhy = words(*said)
			break
		}
		if err != nil {
			return steps, err
		}
		if !t.beginsLike(losses) {
			check.Curve, check.CurveWhy = nil, "the curve does not begin like the judged steps"
			return steps, nil
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

// beginsLike reports whether losses, of the same steps from the same parameters,
// lie as near to the judged ones as the check's budget has those lie to the
// oracle's. Without a budget there is nothing to hold them to.
func (t *trial) beginsLike(losses []float64) bool {
	if t.cell.Golden == nil {
		return true
	}
	budget, judged := t.cell.Golden.Budgets[t.cell.Settings.Precision].Losses, t.rec.Check.Losses
	for i := range min(len(losses), len(judged), len(budget)) {
		if workloads.LossError(losses[i], judged[i]) > budget[i] {
			return false
		}
	}
	return true
}

// lossesOf asks for a check of n steps, and for its correct answers unless the
// worker has refused to count them: PROTOCOL.md lets it. A worker that does not
// answer within the limit is killed.
func (t *trial) lossesOf(n int, count *bool, limit time.Duration) (losses []float64, correct []int, err error) {
	var late atomic.Bool
	stop := time.AfterFunc(limit, func() {
		late.Store(true)
		if t.worker != nil {
			t.worker.Kill()
		}
	})
	defer func() {
		if stop.Stop(); late.Load() {
			t.late = fmt.Sprintf("no answer to %d steps within %v; the process tree was killed", n, limit.Round(100*time.Millisecond))
			err = errLate
		}
	}()
	if *count {
		digest, correct, err := t.client.Learn(n, int(t.cell.Work.Examples))
		said := new(*backends.WorkerError)
		if !errors.As(err, said) {
			return digest.Losses, correct, err
		}
		if _, _, ended := (*said).ForkedEnd(); ended {
			return nil, nil, err
		}
		*count = false
	}
	digest, err := t.client.Check(n, false)
	return digest.Losses, nil, err
}

// errLate ends a learning curve whose worker was killed for its slowness.
var errLate = errors.New("the learning curve took too long")

// keepProof has a trial that only its learning curve ended be what it was before
// the curve: proven, with the reason in place of the curve.
func (t *trial) keepProof() {
	end := t.rec.End
	if t.late != "" {
		end, t.rec.Reason = results.EndTimeout, t.late
	}
	t.rec.Check.Curve, t.rec.Check.CurveWhy = nil, end+" in learn: "+t.rec.Reason
	t.rec.End, t.rec.Reason, t.rec.Phase = results.EndOK, "", ""
}
