package workloads

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/dlbench/dlbench/strictyaml"
)

// The kinds of input.
const (
	KindImage    = "image"    // [C,H,W]
	KindVector   = "vector"   // [N]
	KindTokens   = "tokens"   // [T], integers below Vocab
	KindSequence = "sequence" // [T,F]
)

var (
	workloadName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,39}$`)
	layerName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	gomaxprocs   = regexp.MustCompile(`-[0-9]+$`)
)

// checkWorkloadName keeps names fit for Go benchmark format, file names and HTML ids.
func checkWorkloadName(name string) error {
	if m := gomaxprocs.FindString(name); m != "" {
		return fmt.Errorf("name %q ends in %q, which Go's benchmark format reads as GOMAXPROCS: expected CamelCase without a dash", name, m)
	}
	if !workloadName.MatchString(name) {
		return fmt.Errorf("name %q: expected CamelCase letters and digits, at most 40", name)
	}
	return nil
}

func checkLayerName(name string) error {
	if name == "" {
		return fmt.Errorf("no name: expected one, because the layer owns parameters")
	}
	if !layerName.MatchString(name) {
		return fmt.Errorf("name %q: expected a letter, then letters, digits or _, at most 64", name)
	}
	return nil
}

// where names the spec in messages.
func (s Spec) where() string { return cmp.Or(s.file, s.Workload) }

// check validates what does not depend on the settings or the layers.
func (s Spec) check() error {
	if err := checkWorkloadName(s.Workload); err != nil {
		return fmt.Errorf("%s: workload: %w", cmp.Or(s.file, "spec"), err)
	}
	if err := s.Input.check(); err != nil {
		return fmt.Errorf("%s: input: %w", s.where(), err)
	}
	if err := s.Data.check(s.Input); err != nil {
		return fmt.Errorf("%s: data: %w", s.where(), err)
	}
	if len(s.Layers) == 0 {
		return fmt.Errorf("%s: layers: empty: expected at least one", s.where())
	}
	if err := s.Steps.check(); err != nil {
		return fmt.Errorf("%s: steps: %w", s.where(), err)
	}
	return nil
}

func (in Input) check() error {
	rank := map[string]int{KindImage: 3, KindVector: 1, KindTokens: 1, KindSequence: 2}
	want, ok := rank[in.Kind]
	if !ok {
		return fmt.Errorf("kind %q is unknown: expected image, vector, tokens or sequence", in.Kind)
	}
	if len(in.Shape) != want {
		return fmt.Errorf("shape %v: expected %d numbers for kind %s", in.Shape, want, in.Kind)
	}
	if n, ok := elements(in.Shape); !ok || n > 1<<28 {
		return fmt.Errorf("shape %v: expected positive sides and at most %d elements", in.Shape, 1<<28)
	}
	if in.Kind == KindTokens && (in.Vocab < 2 || in.Vocab > math.MaxInt32) {
		return fmt.Errorf("vocab %d: expected at least 2 for kind tokens", in.Vocab)
	}
	if in.Kind != KindTokens && in.Vocab != 0 {
		return fmt.Errorf("vocab %d: only kind tokens has one", in.Vocab)
	}
	return nil
}

func (d Data) check(in Input) error {
	kinds, ok := generators[d.Generator]
	if !ok {
		return fmt.Errorf("generator %q is unknown%s", d.Generator, strictyaml.DidYouMean(d.Generator, generatorNames()))
	}
	if !slices.Contains(kinds.inputs, in.Kind) {
		return fmt.Errorf("generator %s makes no %s: expected input kind %v", d.Generator, in.Kind, kinds.inputs)
	}
	if d.Classes < 2 || d.Classes > 100_000 {
		return fmt.Errorf("classes %d: expected 2 to 100000", d.Classes)
	}
	if in.Kind == KindTokens && in.Vocab < 2*d.Classes {
		return fmt.Errorf("vocab %d is too small for %d classes: expected at least twice as many tokens", in.Vocab, d.Classes)
	}
	if d.Batches < 1 || d.Batches > 10_000 {
		return fmt.Errorf("batches %d: expected 1 to 10000", d.Batches)
	}
	return nil
}

func (s Steps) check() error {
	if s.Check != CheckSteps {
		return fmt.Errorf("check %d: expected %d, after which the oracle's parameters are taken", s.Check, CheckSteps)
	}
	for _, f := range []struct {
		name     string
		v, lo, h int
	}{
		{"warmup", s.WarmupMax, 0, 100_000},
		{"blocks", s.Blocks, 1, 16_384},
		{"per-block", s.PerBlock, 1, 100_000},
	} {
		if f.v < f.lo || f.v > f.h {
			return fmt.Errorf("%s %d: expected %d to %d", f.name, f.v, f.lo, f.h)
		}
	}
	return nil
}

// loss resolves the loss against the shape of the logits.
func (s Spec) loss(logits []int) (Op, error) {
	l := s.Loss
	l.at = cmp.Or(l.at, strictyaml.Place{File: s.where()})
	if r := cmp.Or(l.Reduction, "mean"); r != "mean" {
		return Op{}, l.errorf("reduction %q: expected mean", r)
	}
	var want []int
	switch l.Op {
	case LossSoftmax:
		want = []int{s.Data.Classes}
	case LossSigmoid:
		want = []int{1}
		if s.Data.Classes != 2 {
			return Op{}, l.errorf("data has %d classes: expected 2", s.Data.Classes)
		}
	default:
		return Op{}, l.errorf("unknown loss %q%s", l.Op, strictyaml.DidYouMean(l.Op, []string{LossSoftmax, LossSigmoid}))
	}
	if !slices.Equal(logits, want) {
		return Op{}, l.errorf("the last layer gives %v: expected %v logits per example", logits, want)
	}
	return Op{Op: l.Op, Attr: Attr{Reduction: "mean"}}, nil
}

// optimizer resolves the optimizer. Defaults: sgd momentum 0; adam beta1 0.9,
// beta2 0.999, epsilon 1e-8, the values of the paper.
func (s Spec) optimizer() (Op, error) {
	l := s.Optimizer
	l.at = cmp.Or(l.at, strictyaml.Place{File: s.where()})
	a := Attr{Rate: l.Rate}
	switch l.Op {
	case OptSGD:
		a.Momentum = l.Momentum
		if a.Momentum < 0 || a.Momentum >= 1 {
			return Op{}, l.errorf("momentum %v: expected 0 <= momentum < 1", a.Momentum)
		}
	case OptAdam:
		a.Beta1, a.Beta2, a.Epsilon = cmp.Or(l.Beta1, 0.9), cmp.Or(l.Beta2, 0.999), cmp.Or(l.Epsilon, 1e-8)
		if a.Beta1 < 0 || a.Beta1 >= 1 || a.Beta2 < 0 || a.Beta2 >= 1 {
			return Op{}, l.errorf("betas %v and %v: expected 0 <= beta < 1", a.Beta1, a.Beta2)
		}
		if !(a.Epsilon > 0 && a.Epsilon < 1) {
			return Op{}, l.errorf("epsilon %v: expected 0 < epsilon < 1", a.Epsilon)
		}
	default:
		return Op{}, l.errorf("unknown optimizer %q%s", l.Op, strictyaml.DidYouMean(l.Op, []string{OptSGD, OptAdam}))
	}
	if !(a.Rate > 0 && a.Rate <= 100) {
		return Op{}, l.errorf("rate %v: expected 0 < rate <= 100", a.Rate)
	}
	return Op{Op: l.Op, Attr: a}, nil
}
