package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// Images lie as [N,H,W,C] on the tape and weights of convolutions as [k,k,C,F],
// so that a convolution reads and writes runs of channels. Programs, and the files
// and digests of them, have [N,C,H,W] and [F,C,k,k]; layout.go translates.

// Conv2D is the cross-correlation of x[N,H,W,C] with w[k,k,C,F], plus b[F], which
// may be nil.
func (t *Tape[T]) Conv2D(x, w, b *Tensor[T], stride, pad int) *Tensor[T] {
	win := ofType[kernel.Window](t) // not on the stack: the loops of all threads read it
	*win = t.window(x, w, stride, pad)
	n, in, out := x.Shape[0], win.In(), win.Len()
	oh, ow := win.Out()
	y := t.output(n, oh, ow, win.F)
	block := t.block(n, max(in, out), 1)
	e := kernel.Epilogue[T]{ReLU: t.rectifies(y)}
	if b != nil {
		e.Bias = t.read(b, 0, win.F)
	}
	if m := t.pairs(x, w); m != nil && m.Convolves(win) {
		t.convPairs(m, x, w, y, win, block, e)
	} else {
		t.convWide(x, w, y, win, block, e)
	}
	way := convBack[T]{y, x, w, b, *win, block}
	if b == nil {
		return record(t, y, way, x, w)
	}
	t.done(b, e.Bias)
	return record(t, y, way, x, w, b)
}

// window is how weights w[k,k,C,F] slide over x[N,H,W,C].
func (t *Tape[T]) window(x, w *Tensor[T], stride, pad int) kernel.Window {
	return kernel.Window{H: x.Shape[1], W: x.Shape[2], C: x.Shape[3], F: w.Shape[3], Kernel: w.Shape[0], Stride: stride, Pad: pad, Shift: t.hooks.faults.shift}
}

// convWide is Conv2D on elements in full width.
func (t *Tape[T]) convWide(x, w, y *Tensor[T], win *kernel.Window, block int, e kernel.Epilogue[T]) {
	n, in, out := x.Shape[0], win.In(), win.Len()
	weight := t.read(w, 0, w.len())
	packed := t.floats.Get(t.math.FiltersLen(win))
	t.math.PackFilters(t.operand(weight), packed, win)
	t.done(w, weight)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		xs, ys := t.read(x, from*in, to*in), t.room(y, from*out, to*out)
		t.math.Conv(to-from, t.operand(xs), packed, ys, win, e)
		t.keep(y, from*out, ys)
		t.done(x, xs)
	}
	t.floats.Put(packed)
}

// convBack is the way back of Conv2D, in blocks of that many images.
type convBack[T kernel.Float] struct {
	y, x, w, b *Tensor[T] // b may be nil
	win        kernel.Window
	block      int
}

func (o *convBack[T]) reads(x *Tensor[T]) bool { return x != o.y }

func (o *convBack[T]) back(t *Tape[T]) {
	y, x, w, b, win, block := o.y, o.x, o.w, o.b, &o.win, o.block
	n, in, out := x.Shape[0], win.In(), win.Len()
	var dw, turned []T
	var addW bool
	var dx gradient[T]
	if w.needs {
		dw, addW = t.gradOf(w)
	}
	if b != nil && b.needs {
		t.biasBack(y, b)
	}
	if m := t.pairs(x, w); m != nil && y.halfGrad != nil && m.Convolves(win) {
		t.convBackPairs(m, o, dw, addW)
		return
	}
	if x.needs {
		dx = t.gradientOf(x)
		weight := t.read(w, 0, w.len())
		turned = t.floats.Get(t.math.TurnedLen(win))
		t.math.PackTurned(t.operand(weight), turned, win)
		t.done(w, weight)
	}
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		given := t.readGrad(y, from*out, to*out)
		dy := t.operand(given)
		if dw != nil {
			xs := t.read(x, from*in, to*in)
			t.math.ConvWeight(to-from, t.operand(xs), dy, dw, win, addW || from > 0)
			t.done(x, xs)
		}
		if x.needs {
			images := t.gradRoom(dx, from*in, to*in)
			t.math.ConvInput(to-from, dy, turned, images, win, dx.add)
			t.keepGrad(dx, from*in, images)
		}
		t.doneGrad(y, given)
	}
	t.floats.Put(turned)
}

// biasBack gives b, which was added to each position of y, its gradient.
func (t *Tape[T]) biasBack(y, b *Tensor[T]) {
	l := columnLoop[T]{c: b.len(), rows: y.len() / b.len()}
	t.columns(nil, y, &l)
	db, add := t.gradOf(b)
	for f := range db {
		accumulate(db, f, T(l.total(f)), add)
	}
	t.floats.Put(l.sums)
}
