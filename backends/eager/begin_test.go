package eager

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/workloads"
)

// Begin takes everything back, whatever became of the step before it: an op that was
// recorded and dropped, one whose output no loss read, so that its way back was
// skipped, one of which no gradient is wanted, and outputs that nobody freed. The
// arenas hold after many such steps what they held after two.
func TestBeginTakesEverythingBack(t *testing.T) {
	ends := map[string]func(tape *Tape[float32], vars []*Tensor[float32], op func(*Tape[float32]) *Tensor[float32]){
		"dropped": func(tape *Tape[float32], _ []*Tensor[float32], op func(*Tape[float32]) *Tensor[float32]) {
			tape.Record(true)
			op(tape)
		},
		"skipped": func(tape *Tape[float32], _ []*Tensor[float32], op func(*Tape[float32]) *Tensor[float32]) {
			tape.Record(true)
			op(tape)
			tape.Backward()
		},
		"not wanted": func(tape *Tape[float32], vars []*Tensor[float32], op func(*Tape[float32]) *Tensor[float32]) {
			for _, v := range vars {
				v.needs = false
			}
			tape.Record(true)
			op(tape)
			tape.Backward()
		},
		"not freed": func(tape *Tape[float32], _ []*Tensor[float32], op func(*Tape[float32]) *Tensor[float32]) { op(tape) },
	}
	for name, build := range opCases[float32]() {
		for end, step := range ends {
			for _, format := range []half.Format{0, half.BF16} {
				for _, hooked := range []bool{false, true} { // the hook has attention keep its weights
					tape := halfTape(t, 1, format)
					if hooked {
						tape.hooks.inner = func([]float32) {}
					}
					vars, op := build(rand.New(rand.NewPCG(1, 1)))
					for range 2 {
						tape.Begin()
						step(tape, vars, op)
					}
					tape.Begin()
					made := tape.floats.Made() + tape.halves.Made() + tape.ints.Made()
					live := tape.floats.Live() + tape.halves.Live() + tape.ints.Live()
					for range 20 {
						step(tape, vars, op)
						tape.Begin()
					}
					if now := tape.floats.Made() + tape.halves.Made() + tape.ints.Made(); now != made || live != 0 {
						t.Errorf("%s, %s, format %d, hook %v: %d elements are live after Begin, and the arenas grew from %d to %d elements in 20 steps",
							name, end, format, hooked, live, made, now)
					}
				}
			}
		}
	}
}

// A program in which an op is computed and read by nobody trains and infers in the
// same memory step after step.
func TestUnreadOpsHoldNothing(t *testing.T) {
	for _, mode := range []workloads.Mode{workloads.Train, workloads.Infer} {
		set := smallSettings()
		set.Mode, set.Precision = mode, workloads.F32
		p := resolve(t, smallSpecs()["attention"], set)
		norm := slices.IndexFunc(p.Ops, func(op workloads.Op) bool { return op.Op == workloads.OpLayerNorm })
		p.Ops = slices.Insert(slices.Clone(p.Ops), len(p.Ops)-1, p.Ops[norm])
		e := engineOf[float32](t, jobOf(t, p, set, backends.ForTime))
		trace(t, e, 3)
		made := e.tape.floats.Made()
		if trace(t, e, 20); e.tape.floats.Made() != made {
			t.Errorf("%s: the arena grew from %d to %d elements in 20 steps", mode, made, e.tape.floats.Made())
		}
	}
}

// A reading of logits that panicked, which its caller recovered from, leaves parameters
// as they are, and running statistics move in the next step as ever.
func TestStepAfterAReadingThatPanicked(t *testing.T) {
	set := smallSettings()
	job := jobOf(t, resolve(t, smallSpecs()["cnn"], set), set, backends.ForTime)
	for what, o := range map[string]Options{"plain": {}, "parameters disturbed as they are read": {Noise: Noise{Size: 1e-3, Mixed: true}}} {
		e, err := newEngine[float64](job, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.close)
		weights, running := slices.Clone(e.weights), slices.Clone(e.buffers)
		value := e.tape.hooks.value
		e.tape.hooks.value = func([]float64) { panic("broken") }
		func() {
			defer func() { _ = recover() }()
			e.readLogits(0)
			t.Error("no panic")
		}()
		e.tape.hooks.value = value
		if !slices.Equal(e.weights, weights) {
			t.Errorf("%s: the parameters changed", what)
		}
		if trace(t, e, 1); slices.Equal(e.buffers, running) {
			t.Errorf("%s: the running statistics stay as they are", what)
		}
	}
}

// A step after one that panicked in the middle of a way back, which its caller
// recovered from, gives what it gives on a new tape.
func TestStepAfterAPanic(t *testing.T) {
	for _, format := range []half.Format{0, half.BF16} {
		step := func(tape *Tape[float32], broken bool) []float32 {
			x := Variable([]float32{1, 2, -3, 4}, make([]float32, 4), 4)
			running := Variable(make([]float32, 4), nil, 4)
			tape.Begin()
			tape.Record(true)
			y := tape.Checkpoint(x, func(x *Tensor[float32]) *Tensor[float32] {
				a := tape.Add(x, x)
				if tape.recording && broken {
					_, _ = tape.gradOf(x)
					_, _ = tape.gradOf(x)
					tape.BeforeReLU(true)
					panic("broken")
				}
				return a
			})
			tape.BatchNorm(tape.view(y, 1, 4), Variable(make([]float32, 4), make([]float32, 4), 4), running, running, running, 1e-3, 0.5)
			g := tape.gradientOf(y)
			s := tape.gradRoom(g, 0, 4)
			copy(s, []float32{1, 10, 100, 1000})
			tape.keepGrad(g, 0, s)
			tape.Backward()
			return append(x.grad, running.Data...)
		}
		want := step(halfTape(t, 1, format), false)
		tape := halfTape(t, 1, format)
		func() {
			defer func() { _ = recover() }()
			step(tape, true)
		}()
		if got := step(tape, false); !slices.Equal(got, want) {
			t.Errorf("format %d: gradient and running statistics %v after a panic, %v on a new tape", format, got, want)
		}
	}
}
