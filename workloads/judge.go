package workloads

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// The outcomes of a Judgement.
const (
	StatusOK       = "ok"
	StatusWrong    = "wrong"
	StatusUnproven = "unproven"
)

const gradPrefix = "grad/"

// Judge holds the digest of a check, made at precision p, against the golden.
//
// Every loss of the digest and every tensor of the golden is held to its
// ceiling; gradients only if the digest has any, and then all of them. What is
// missing, unexpected, NaN or infinite is wrong. If all errors but those of gradients lie below the
// budget's floor, the precision was never applied, which is wrong too.
func Judge(g Golden, d Digest, p Precision) Judgement {
	b, why := budgetFor(g, p)
	if why != "" {
		return unproven(why)
	}
	if len(d.Losses) == 0 {
		return wrong("loss 0", "no losses in the digest")
	}
	if n := min(len(g.Losses), len(b.Losses)); len(d.Losses) > n {
		return unproven(fmt.Sprintf("%d checked steps: the golden covers %d", len(d.Losses), n))
	}
	var v verdict
	for i, loss := range d.Losses {
		v.loss(g, b, i, loss)
	}
	names := slices.Sorted(maps.Keys(g.Tensors))
	grads := slices.ContainsFunc(slices.Collect(maps.Keys(d.Tensors)), isGrad)
	for _, name := range names {
		got, ok := d.Tensors[name]
		switch ceiling, known := b.Tensors[name]; {
		case !ok && isGrad(name) && !grads:
		case !ok:
			return wrong(name, "missing "+name)
		case !known:
			return unproven("the golden has no ceiling for " + name)
		default:
			v.tensor(name, got, g.Tensors[name], ceiling)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Tensors)) {
		if _, ok := g.Tensors[name]; !ok {
			return wrong(name, fmt.Sprintf("unexpected %.80q: the program has no such tensor", name))
		}
	}
	j := v.worst
	j.Floor = b.Floor
	if j.Status == StatusOK && v.largest < b.Floor {
		j.Status = StatusWrong
		j.Reason = fmt.Sprintf("precision not applied: the largest error is %.2e, and %s arithmetic cannot stay below %.2e", v.largest, p, b.Floor)
	}
	return j
}

// JudgeLoss holds the loss of one step, before that step's update, against the
// golden. timedDropout says that the build drops at random; the loss of a
// program with dropout must then lie in the golden's band.
func JudgeLoss(g Golden, step int, loss float64, p Precision, timedDropout bool) Judgement {
	b, why := budgetFor(g, p)
	if why != "" {
		return unproven(why)
	}
	if g.Dropout && timedDropout {
		return judgeBand(g, step, loss)
	}
	if n := min(len(g.Losses), len(b.Losses)); step < 0 || step >= n {
		return unproven(fmt.Sprintf("step %d: the golden covers %d steps", step, n))
	}
	var v verdict
	v.loss(g, b, step, loss)
	return v.worst
}

// judgeBand reports the nearer end of the band as Want, and as Error how far
// outside the loss lies, relative to that end.
func judgeBand(g Golden, step int, loss float64) Judgement {
	if step < 0 || step >= len(g.LossBand) {
		return unproven(fmt.Sprintf("step %d: the golden's dropout band covers %d steps", step, len(g.LossBand)))
	}
	band := g.LossBand[step]
	j := Judgement{Status: StatusOK, Worst: lossName(step), Got: finite(loss), Want: min(max(loss, band.Low), band.High)}
	if loss >= band.Low && loss <= band.High {
		return j
	}
	if !isFinite(loss) {
		j.Want, j.Error = band.High, math.MaxFloat64
	} else {
		j.Error = LossError(loss, j.Want)
	}
	j.Status = StatusWrong
	j.Reason = fmt.Sprintf("%s is %.6g: outside the dropout band %.6g to %.6g", j.Worst, loss, band.Low, band.High)
	return j
}

func budgetFor(g Golden, p Precision) (Budget, string) {
	if g.Program == "" {
		return Budget{}, "no golden for this program"
	}
	b, ok := g.Budgets[p]
	if !ok {
		return Budget{}, fmt.Sprintf("the golden has no budget for precision %s", p)
	}
	return b, ""
}

// verdict keeps the quantity with the largest error relative to its ceiling.
type verdict struct {
	worst   Judgement
	ratio   float64 // of worst: error / ceiling
	largest float64 // error of any quantity but gradients, of which a check of a timed build has none
	any     bool
}

func (v *verdict) loss(g Golden, b Budget, step int, got float64) {
	want := g.Losses[step]
	v.add(lossName(step), lossName(step), got, want, LossError(got, want), b.Losses[step])
}

func (v *verdict) tensor(name string, got, want Fingerprint, ceiling float64) {
	scale := max(want.Norm, 1e-12)
	norm, proj := math.Abs(got.Norm-want.Norm)/scale, math.Abs(got.Proj-want.Proj)/scale
	// The number shown is the one that is further off; NaN counts as that.
	if proj > norm || math.IsNaN(proj) {
		v.add(name, "projection of "+name, got.Proj, want.Proj, proj, ceiling)
		if v.worst.Status == StatusWrong && v.worst.Worst == name && norm <= ceiling && isFinite(got.Proj) {
			v.worst.Reason += "; the norm agrees: the order or the signs of the elements differ"
		}
	} else {
		v.add(name, "norm of "+name, got.Norm, want.Norm, norm, ceiling)
	}
}

// add takes a number of the tensor or loss called name into account; what says
// in words which number it is.
func (v *verdict) add(name, what string, got, want, err, ceiling float64) {
	ratio := 0.0
	switch {
	case !isFinite(got) || !isFinite(err):
		ratio, err = math.Inf(1), math.MaxFloat64
	case ceiling > 0:
		ratio = err / ceiling
	case err > 0:
		ratio = math.Inf(1)
	}
	if !isGrad(name) {
		v.largest = max(v.largest, err)
	}
	if v.any && ratio <= v.ratio {
		return
	}
	v.any, v.ratio = true, ratio
	v.worst = Judgement{Status: StatusOK, Worst: name, Got: finite(got), Want: want, Error: err, Ceiling: ceiling}
	if ratio > 1 {
		v.worst.Status = StatusWrong
		v.worst.Reason = fmt.Sprintf("%s is %.9g, expected %.9g: error %.2e, ceiling %.2e", what, got, want, err, ceiling)
		if !isFinite(got) {
			v.worst.Reason = fmt.Sprintf("%s is %v, expected %.9g", what, got, want)
		}
	}
}

func lossName(step int) string { return fmt.Sprintf("loss %d", step) }

// LossError is the error of a loss, relative to the one wanted (at least 1e-3).
func LossError(got, want float64) float64 {
	return math.Abs(got-want) / max(math.Abs(want), 1e-3)
}

func isGrad(name string) bool { return strings.HasPrefix(name, gradPrefix) }

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// finite keeps a value fit for JSON: the reason names what it was.
func finite(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return max(-math.MaxFloat64, min(math.MaxFloat64, x))
}

func unproven(reason string) Judgement { return Judgement{Status: StatusUnproven, Reason: reason} }

func wrong(what, reason string) Judgement {
	return Judgement{Status: StatusWrong, Worst: what, Reason: reason}
}
