package oracle

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// overflowing is a program whose gradients do not fit float16 at the first loss
// scale: those of the first layer grow with its inputs, which are large.
func overflowing(t *testing.T) (p workloads.Program, weights, batches string) {
	t.Helper()
	spec, ok := workloads.Find("TinyMlp")
	if !ok {
		t.Fatal("TinyMlp is not shipped")
	}
	spec.Layers = slices.Concat(spec.Layers[:3], spec.Layers[5:]) // without the sigmoid, through which nothing large passes back
	set := workloads.DefaultSettings()
	set.Batch = 4
	p, err := spec.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	weights, batches = files(t, p)
	file, err := workloads.ReadSafetensors(batches)
	if err != nil {
		t.Fatal(err)
	}
	for i := range file["x"].F32 {
		file["x"].F32[i] *= 2048
	}
	batches = t.TempDir() + "/batches.safetensors"
	if err := workloads.WriteSafetensors(batches, []workloads.NamedTensor{{Name: "x", Tensor: file["x"]}, {Name: "y", Tensor: file["y"]}}); err != nil {
		t.Fatal(err)
	}
	return p, weights, batches
}

// Where the first steps overflow, a right worker makes no update in them: the
// budget of f16-mixed has results of its own, and the engine that skips is ok
// by them, the one that does not is wrong.
func TestSkippedStepsHaveResultsOfTheirOwn(t *testing.T) {
	p, weights, batches := overflowing(t)
	g, err := Compute(t.Context(), p, weights, batches, "", 6, workloads.F16Mix, workloads.BF16Mix)
	if err != nil {
		t.Fatal(err)
	}
	b := g.Budgets[workloads.F16Mix]
	if b.Exact == nil || g.Budgets[workloads.BF16Mix].Exact != nil {
		t.Fatalf("skipped steps: %v in f16-mixed, %v in bf16-mixed", b.Exact != nil, g.Budgets[workloads.BF16Mix].Exact != nil)
	}
	if reflect.DeepEqual(b.Exact.Tensors, g.Tensors) || b.Exact.Tensors["logits"] != g.Tensors["logits"] || b.Exact.Losses[0] != g.Losses[0] {
		t.Error("the parameters must differ, and what comes before the first update must not")
	}
	set := workloads.DefaultSettings()
	set.Batch, set.Precision = 4, workloads.F16Mix
	judge := func(m eager.Mutation) workloads.Judgement {
		worker := eager.NewMutant(m)
		defer worker.Close()
		if _, err := worker.Build(t.Context(), backends.Job{Program: p, Settings: set, Weights: weights, Batches: batches, For: backends.ForCheck}); err != nil {
			t.Fatal(err)
		}
		d, err := check(t.Context(), worker, p, CheckSteps)
		if err != nil {
			t.Fatal(err)
		}
		return workloads.Judge(g, d, workloads.F16Mix)
	}
	if j := judge(""); j.Status != workloads.StatusOK {
		t.Errorf("the engine is %+v", j)
	}
	for _, m := range []eager.Mutation{eager.KeptOverflow, eager.KeptScale} {
		if j := judge(m); j.Status != workloads.StatusWrong {
			t.Errorf("%s is %+v", m, j)
		}
	}
	if j := judge(eager.SingleForHalf); j.Status != workloads.StatusWrong {
		t.Errorf("float32 under the name of f16-mixed is %+v", j)
	}
}

// Extend adds budgets, the same that Compute makes, and changes nothing else.
func TestExtend(t *testing.T) {
	c := shipped(t, "TinyMlp/train")[0]
	weights, batches := files(t, c.Program)
	before, err := Compute(t.Context(), c.Program, weights, batches, c.Dialect, CheckSteps)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Compute(t.Context(), c.Program, weights, batches, c.Dialect, CheckSteps, workloads.BF16Mix, workloads.F16Mix)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Extend(t.Context(), before, c.Program, weights, batches, workloads.F16Mix, workloads.BF16Mix, workloads.BF16, workloads.F32)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("Extend and Compute make different goldens")
	}
	if len(before.Budgets) != 2 || len(got.Budgets) != 4 {
		t.Errorf("%d budgets before and %d after, want 2 and 4: bf16 is for inference", len(before.Budgets), len(got.Budgets))
	}
	if again, err := Extend(t.Context(), got, workloads.Program{Mode: workloads.Train}, "", "", workloads.BF16Mix); err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("a golden that lacks nothing was extended: %v", err)
	}
}

// What lies within f32's budget was not computed in 16 bits.
func TestSingleIsNotHalf(t *testing.T) {
	for _, c := range shipped(t, "TinyMlp/train", "TinyLstm/infer") {
		g, ok := workloads.GoldenFor(c.Program, c.Dialect)
		if !ok {
			t.Fatal("no golden")
		}
		d := digestOf(t, eager.New(), c.Program, workloads.F32, CheckSteps)
		for _, prec := range c.Precisions {
			if j := workloads.Judge(g, d, prec); j.Status != workloads.StatusWrong || !strings.Contains(j.Reason, "precision not applied") {
				t.Errorf("%s: float32 results as %s are %+v", g.Name, prec, j)
			}
		}
	}
}

func TestTermsOfABias(t *testing.T) {
	o := &run{program: workloads.Program{Batch: 32, Accumulate: 2, Ops: []workloads.Op{
		{Op: workloads.OpConv2D, Name: "conv", Shape: []int{8, 5, 6}},
		{Op: workloads.OpDense, Name: "steps", Shape: []int{7, 4}},
		{Op: workloads.OpDense, Name: "fc", Shape: []int{10}},
	}}}
	for tensor, want := range map[string]int{
		"grad/conv.bias": 480, "grad/steps.bias": 112, "grad/fc.bias": 16,
		"grad/conv.weight": 0, "param/conv.bias": 0, "grad/other.bias": 0,
	} {
		if got := o.terms(tensor); got != want {
			t.Errorf("%s: a sum of %d numbers, expected %d", tensor, got, want)
		}
	}
}
