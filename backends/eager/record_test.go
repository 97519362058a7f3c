package eager

import (
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// scale is y = by*x, written as an op that allocates nothing.
func scale[T kernel.Float](t *Tape[T], x *Tensor[T], by T) *Tensor[T] {
	y := t.output(x.Shape...)
	parallel(t, x.len(), 1, scaleOp[T]{y: y.Data, x: x.Data, by: by})
	return record(t, y, scaleBack[T]{y, x, by}, x)
}

type scaleOp[T kernel.Float] struct {
	y, x []T
	by   T
}

func (l *scaleOp[T]) run(_, from, to int) {
	for i, v := range l.x[from:to] {
		l.y[from+i] = v * l.by
	}
}

type scaleBack[T kernel.Float] struct {
	y, x *Tensor[T]
	by   T
}

func (o *scaleBack[T]) back(t *Tape[T]) {
	g, add := t.gradOf(o.x)
	for i, v := range o.y.grad {
		if !add {
			g[i] = 0
		}
		g[i] += v * o.by
	}
}

// twice is a segment: 6x.
type twice struct{}

func (twice) compute(t *Tape[float64], x *Tensor[float64]) *Tensor[float64] {
	a := scale(t, x, 2)
	b := scale(t, a, 3)
	if !t.recording {
		t.Free(a)
	}
	return b
}

// Ops that write their ways back down as structs give the right gradients, in
// and out of a checkpoint, and allocate nothing once the tape has seen them.
func TestRecordedStructs(t *testing.T) {
	tape := testTape(t, 2)
	tape.floats.Poison = nil // a NaN for each element is too slow for the count
	x := Variable([]float64{1, 2, 3}, make([]float64, 3), 3)
	var segment segment[float64] = twice{}
	want := []float64{180, 1800, 18000}
	step := func() {
		x.written = false
		tape.Begin()
		tape.Record(true)
		a := tape.checkpoint(x, segment)
		b := scale(tape, a, 5)
		c := tape.checkpoint(b, segment)
		for i, v := range c.Data {
			if v != x.Data[i]*180 {
				t.Fatalf("y is %v, want 180 times %v", c.Data, x.Data)
			}
		}
		g, _ := tape.gradOf(c)
		copy(g, []float64{1, 10, 100})
		tape.Backward()
		if !slices.Equal(x.grad, want) {
			t.Fatalf("the gradient is %v, want %v", x.grad, want)
		}
	}
	step()
	held := len(tape.tensors)
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("a step allocates %v times", n)
	}
	if len(tape.tensors) != held || tape.floats.Live() != 0 || tape.recomputed == 0 {
		t.Errorf("%d tensors after one step and %d after more, %d elements held, %d segments recomputed", held, len(tape.tensors), tape.floats.Live(), tape.recomputed)
	}
	// What was recorded and dropped is given back as well.
	tape.Record(true)
	scale(tape, x, 2)
	tape.Begin()
	if s := ofType[waysBack[scaleBack[float64]]](tape); s.used != 0 || tape.floats.Live() != 0 {
		t.Errorf("after Begin %d ways back and %d elements are still held", s.used, tape.floats.Live())
	}
}
