package harness

import (
	"fmt"
	"math"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// wrongError ends a trial whose worker did other work than the program's.
type wrongError struct{ results.Check }

func (e wrongError) Error() string { return "wrong: " + e.Reason }

// prove runs the check steps and holds their digest to the oracle. With
// dropout in the build only the losses can be judged, against the band that
// random masks give them; tensors are proven in the build for checking, where
// the rate is 0.
func (t *trial) prove(grads, dropout bool) error {
	digest, err := t.client.Check(t.cell.Steps.Check, grads)
	if err != nil {
		return err
	}
	if t.cell.Golden == nil {
		t.rec.Check = &results.Check{Status: workloads.StatusUnproven, Reason: "there is no oracle result for this program", Losses: digest.Losses}
		return nil
	}
	var j workloads.Judgement
	if dropout {
		j = judgeDropout(*t.cell.Golden, digest.Losses, t.cell.Settings.Precision)
	} else {
		j = workloads.Judge(*t.cell.Golden, digest, t.cell.Settings.Precision)
	}
	c := checkOf(j)
	c.Losses = finite(digest.Losses)
	if c.Status == workloads.StatusWrong {
		return wrongError{c}
	}
	t.rec.Check = &c
	return nil
}

// judgeDropout holds the losses of a build that draws random masks to the band
// that the oracle spans. Losses that follow the trajectory at rate 0 instead are
// no coincidence: nothing was dropped, and the work of dropping was not done.
func judgeDropout(g workloads.Golden, losses []float64, p workloads.Precision) workloads.Judgement {
	var worst workloads.Judgement
	for step, loss := range losses {
		j := workloads.JudgeLoss(g, step, loss, p, true)
		if j.Status != workloads.StatusOK {
			return j
		}
		worst = j
	}
	if workloads.DropsNothing(g, losses, p) {
		worst.Status = workloads.StatusWrong
		worst.Reason = fmt.Sprintf("dropout not applied: the losses of all %d checked steps are those of rate 0", len(losses))
	}
	return worst
}

// proveLast holds the loss of the last measured step to the oracle's
// trajectory, so that no timed step goes unproven.
func (t *trial) proveLast(loss float64) {
	if t.cell.Golden == nil {
		t.rec.FinalCheck = &results.Check{Status: workloads.StatusUnproven, Reason: "there is no oracle result for this program"}
		return
	}
	step := t.cell.Steps.Measured() - 1
	if t.cell.Settings.Mode == workloads.Infer {
		step %= t.cell.Program.Data.Batches // without updates a step's loss depends on its batch alone
	}
	c := checkOf(workloads.JudgeLoss(*t.cell.Golden, step, loss, t.cell.Settings.Precision, t.hasDropout()))
	t.rec.FinalCheck = &c
	if c.Status == workloads.StatusWrong {
		t.end(results.EndWrong, fmt.Sprintf("after measured step %d: %s", t.cell.Steps.Measured(), c.Reason))
	}
}

// hasDropout reports whether the timed build draws random masks.
func (t *trial) hasDropout() bool { return t.cell.Program.HasDropout() }

func checkOf(j workloads.Judgement) results.Check {
	return results.Check{
		Status: j.Status, Worst: j.Worst, Got: zeroUnlessFinite(j.Got), Want: zeroUnlessFinite(j.Want),
		Error: zeroUnlessFinite(j.Error), Ceiling: j.Ceiling, Floor: j.Floor, Reason: j.Reason,
	}
}

// zeroUnlessFinite keeps NaN and infinity out of JSON; the reason of a
// judgement names them in words.
func zeroUnlessFinite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// finite returns losses up to the first that is not a number.
func finite(losses []float64) []float64 {
	for i, l := range losses {
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return losses[:i]
		}
	}
	return losses
}
