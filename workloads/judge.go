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
// budget's floor, the precision was never applied, which is wrong too. Of a precision
// coarser than f32 the floor is f32's own budget: a digest that lies within it,
// gradients left out, was computed in f32.
func Judge(g Golden, d Digest, p Precision) Judgement {
	b, why := budgetFor(g, p)
	if why != "" {
		return unproven(why)
	}
	if len(d.Losses) == 0 {
		return wrong("loss 0", "no losses in the digest")
	}
	want := b.exact(g)
	if n := min(len(want.Losses), len(b.Losses)); len(d.Losses) > n {
		return unproven(fmt.Sprintf("%d checked steps: the golden covers %d", len(d.Losses), n))
	}
	var v verdict
	for i, loss := range d.Losses {
		v.loss(want, b, i, loss)
	}
	names := slices.Sorted(maps.Keys(want.Tensors))
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
			v.tensor(name, got, want.Tensors[name], ceiling)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Tensors)) {
		if _, ok := want.Tensors[name]; !ok {
			return wrong(name, fmt.Sprintf("unexpected %.80q: the program has no such tensor", name))
		}
	}
	j := v.worst
	j.Floor = b.Floor
	if j.Status == StatusOK && v.largest < b.Floor {
		j.Status = StatusWrong
		j.Reason = fmt.Sprintf("precision not applied: the largest error is %.2e, and %s arithmetic cannot stay below %.2e", v.largest, p, b.Floor)
	}
	if j.Status == StatusOK && within(g, want, d, p) {
		j.Status = StatusWrong
		j.Reason = fmt.Sprintf("precision not applied: every loss and tensor lies within the budget of f32, which %s arithmetic cannot keep to", p)
	}
	return j
}

// exact is what a computation under the budget is held to.
func (b Budget) exact(g Golden) Digest {
	if b.Exact != nil {
		return *b.Exact
	}
	return Digest{Losses: g.Losses, Tensors: g.Tensors}
}

// within reports whether a digest made at precision p, which is coarser than
// f32, keeps to f32's budget around want, gradients left out.
func within(g Golden, want, d Digest, p Precision) bool {
	f32, ok := g.Budgets[F32]
	if !ok || p == F64 || p == F32 || len(d.Losses) > len(f32.Losses) {
		return false
	}
	for i, loss := range d.Losses {
		if LossError(loss, want.Losses[i]) > f32.Losses[i] {
			return false
		}
	}
	for name, got := range d.Tensors {
		if !isGrad(name) && TensorError(got, want.Tensors[name]) > f32.Tensors[name] {
			return false
		}
	}
	return true
}

// DropsNothing reports whether the losses of a build that ought to drop at random
// are those of rate 0. Those of masks may come near them by chance, the more so
// the wider the ceilings: in precisions coarser than f32 a quarter of them counts,
// which still is several times what rounding does.
func DropsNothing(g Golden, losses []float64, p Precision) bool {
	b, why := budgetFor(g, p)
	want, share := b.exact(g), 1.0
	if p != F64 && p != F32 {
		share = 0.25
	}
	if why != "" || len(losses) == 0 || len(losses) > min(len(want.Losses), len(b.Losses)) {
		return false
	}
	for i, loss := range losses {
		if !(LossError(loss, want.Losses[i]) <= share*b.Losses[i]) {
			return false
		}
	}
	return true
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
	want := b.exact(g)
	if n := min(len(want.Losses), len(b.Losses)); step < 0 || step >= n {
		return unproven(fmt.Sprintf("step %d: the golden covers %d steps", step, n))
	}
	var v verdict
	v.loss(want, b, step, loss)
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

func (v *verdict) loss(want Digest, b Budget, step int, got float64) {
	exact := want.Losses[step]
	v.add(lossName(step), lossName(step), got, exact, LossError(got, exact), b.Losses[step])
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

// TensorError is the error of a tensor by its fingerprint, relative to the norm
// of the one wanted (at least 1e-12).
func TensorError(got, want Fingerprint) float64 {
	return max(math.Abs(got.Norm-want.Norm), math.Abs(got.Proj-want.Proj)) / max(want.Norm, 1e-12)
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
