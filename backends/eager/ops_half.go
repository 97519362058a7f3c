package eager

import (
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// Products of bfloat16 where the processor has them: operands are read as they are
// stored, sums are float32, and only what an op gives is rounded. Other
// machines, and what MathBF16 does not do, widen blocks of the operands (storage.go).

// pairs is what multiplies the given tensors as bfloat16; nil where they are not
// stored so, or widening them is faster.
func (t *Tape[T]) pairs(operands ...*Tensor[T]) *kernel.MathBF16 {
	if t.format != half.BF16 || !kernel.FastBF16() {
		return nil
	}
	for _, x := range operands {
		if x.half == nil {
			return nil
		}
	}
	if t.bf16 == nil {
		t.bf16 = kernel.NewBF16(t.pool)
	}
	return t.bf16
}

// words is room for n pairs from the arena of 16-bit elements; doneWords gives it back.
// The arena knows a buffer by its whole capacity, an even number of elements.
func (t *Tape[T]) words(n int) []uint32 {
	s := t.halves.Get(2 * n)
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(s))), cap(s)/2)[:n]
}

func (t *Tape[T]) doneWords(s []uint32) {
	t.halves.Put(unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(s))), 2*cap(s)))
}

// convPairs is Conv2D by m.
func (t *Tape[T]) convPairs(m *kernel.MathBF16, x, w, y *Tensor[T], win *kernel.Window, block int, e kernel.Epilogue[T]) {
	n, in, out := x.Shape[0], win.In(), win.Len()
	packed := t.words(m.FiltersLen(win))
	m.PackFilters(w.half, packed, win)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		ys := t.room(y, from*out, to*out)
		if e.Bias != nil {
			fillRows(ys, e.Bias)
		}
		m.Conv(to-from, x.half[from*in:to*in], packed, as32(ys), win, e.Bias != nil)
		if e.ReLU {
			kernel.ReLU(ys, ys)
		}
		t.keep(y, from*out, ys)
	}
	t.doneWords(packed)
}

// convBackPairs is the way back of Conv2D by m, but for the bias. dw is nil where no
// gradient of the weights is wanted.
func (t *Tape[T]) convBackPairs(m *kernel.MathBF16, o *convBack[T], dw []T, addW bool) {
	n, in, out := o.x.Shape[0], o.win.In(), o.win.Len()
	if dw != nil {
		m.ConvWeight(n, o.x.half, o.y.halfGrad, as32(dw), &o.win, addW)
	}
	if !o.x.needs {
		return
	}
	dx := t.gradientOf(o.x)
	turned := t.words(m.TurnedLen(&o.win))
	m.PackTurned(o.w.half, turned, &o.win)
	for from := 0; from < n; from += o.block {
		to := min(from+o.block, n)
		images := t.gradRoom(dx, from*in, to*in)
		m.ConvInput(to-from, o.y.halfGrad[from*out:to*out], turned, as32(images), &o.win, dx.add)
		t.keepGrad(dx, from*in, images)
	}
	t.doneWords(turned)
}

// fewExamples is up to how many rows of x Dense multiplies from the weights' side: these
// are then read where they lie, once.
const fewExamples = 32

// densePairs is Dense by m.
func (t *Tape[T]) densePairs(m *kernel.MathBF16, x, w, y *Tensor[T], block int, e kernel.Epilogue[T]) {
	in, units := w.Shape[1], w.Shape[0]
	rows := x.len() / in
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		ys := t.room(y, from*units, to*units)
		xs, n := kernel.Rows16(x.half[from*in:to*in], in), to-from
		if n <= fewExamples {
			turned := t.floats.Get(units * n)
			m.Mul(units, n, in, kernel.Rows16(w.half, in), xs.T(), as32(turned), n, false)
			kernel.Transpose(ys, turned, units, n)
			t.floats.Put(turned)
			for i := 0; e.Bias != nil && i < n; i++ {
				kernel.Add(ys[i*units:][:units], e.Bias)
			}
		} else {
			if e.Bias != nil {
				fillRows(ys, e.Bias)
			}
			m.Mul(n, units, in, xs, kernel.Rows16(w.half, in).T(), as32(ys), units, e.Bias != nil)
		}
		if e.ReLU {
			kernel.ReLU(ys, ys)
		}
		t.keep(y, from*units, ys)
	}
}

// denseBackPairs is the way back of Dense by m, but for the bias. dw is nil where no
// gradient of the weights is wanted.
func (t *Tape[T]) denseBackPairs(m *kernel.MathBF16, o *denseBack[T], dw []T, addW bool) {
	in, units := o.w.Shape[1], o.w.Shape[0]
	rows := o.x.len() / in
	if dw != nil {
		m.Mul(units, in, rows, kernel.Rows16(o.y.halfGrad, units).T(), kernel.Rows16(o.x.half, in), as32(dw), in, addW)
	}
	if !o.x.needs {
		return
	}
	dx := t.gradientOf(o.x)
	for from := 0; from < rows; from += o.block {
		to := min(from+o.block, rows)
		dxs := t.gradRoom(dx, from*in, to*in)
		m.Mul(to-from, in, units, kernel.Rows16(o.y.halfGrad[from*units:to*units], units), kernel.Rows16(o.w.half, in), as32(dxs), in, dx.add)
		t.keepGrad(dx, from*in, dxs)
	}
}
