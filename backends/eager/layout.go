package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// Programs have images as [C,H,W] and weights of convolutions as [F,C,k,k]; the
// tape has [H,W,C] and [k,k,C,F]. This file holds the ways between the two.

// isFilters reports whether a parameter of that shape is of a convolution: no
// other has four axes.
func isFilters(shape []int) bool { return len(shape) == 4 }

// filtersShape is the shape that the tape has for [F,C,k,k].
func filtersShape(s []int) []int { return []int{s[2], s[3], s[1], s[0]} }

// tapeFilters reorders the program's weights [F,C,k,k] for the tape.
func tapeFilters[T kernel.Float](from []T, shape []int) []T {
	to := make([]T, len(from))
	kernel.Transpose(to, from, shape[0], shape[1]*shape[2]*shape[3]) // [C,k,k,F]
	return swapOuter(to, shape[1], shape[2]*shape[3], shape[0])
}

// programFilters is the way back.
func programFilters[T kernel.Float](from []T, shape []int) []T {
	to := make([]T, len(from))
	kernel.Transpose(to, swapOuter(from, shape[2]*shape[3], shape[1], shape[0]), shape[1]*shape[2]*shape[3], shape[0])
	return to
}

// swapOuter gives [b,a,inner] of [a,b,inner].
func swapOuter[T kernel.Float](from []T, a, b, inner int) []T {
	to := make([]T, len(from))
	for i := range a {
		for j := range b {
			copy(to[(j*a+i)*inner:][:inner], from[(i*b+j)*inner:])
		}
	}
	return to
}

// tapeImages reorders images [C,H,W] for the tape, from one slice to another.
func tapeImages[T kernel.Float](to, from []T, image []int) {
	c, plane := image[0], image[1]*image[2]
	for ; len(from) > 0; from, to = from[c*plane:], to[c*plane:] {
		kernel.Transpose(to[:c*plane], from[:c*plane], c, plane)
	}
}

// programImages is the way back.
func programImages[T kernel.Float](to, from []T, image []int) {
	c, plane := image[0], image[1]*image[2]
	for ; len(from) > 0; from, to = from[c*plane:], to[c*plane:] {
		kernel.Transpose(to[:c*plane], from[:c*plane], plane, c)
	}
}

// show gives the elements of a tensor of that shape to a hook, which sees and
// changes them in the program's order.
func show[T kernel.Float](hook func([]T), data []T, shape []int) {
	if len(shape) != 4 || shape[3] == 1 {
		hook(data)
		return
	}
	image := []int{shape[3], shape[1], shape[2]}
	seen := make([]T, len(data))
	programImages(seen, data, image)
	hook(seen)
	tapeImages(data, seen, image)
}

// showParams is show for what lies as the parameters do.
func (e *engine[T]) showParams(hook func([]T), data []T) {
	seen := make([]T, 0, len(data))
	for _, v := range e.trainable {
		part := data[len(seen):][:v.len()]
		if s := v.Shape; isFilters(s) {
			part = programFilters(part, []int{s[3], s[2], s[0], s[1]})
		}
		seen = append(seen, part...)
	}
	hook(seen)
	for _, v := range e.trainable {
		n := v.len()
		part := seen[:n]
		if s := v.Shape; isFilters(s) {
			part = tapeFilters(part, []int{s[3], s[2], s[0], s[1]})
		}
		copy(data, part)
		seen, data = seen[n:], data[n:]
	}
}

// tapeShape is the tape's shape of one example of the program's.
func tapeShape(example []int) []int {
	if len(example) == 3 {
		return []int{example[1], example[2], example[0]}
	}
	return example
}

// Flatten keeps the examples and makes the rest one axis; of an image, in the
// order [C,H,W].
func (t *Tape[T]) Flatten(x *Tensor[T]) *Tensor[T] {
	n := x.Shape[0]
	if len(x.Shape) == 4 {
		if plane, c := x.Shape[1]*x.Shape[2], x.Shape[3]; plane > 1 && c > 1 {
			return t.transposed(x, plane, c, n, x.len()/n)
		}
	}
	y := t.view(x, n, x.len()/n)
	return record(t, y, viewBack[T]{y, x}, x)
}

// transposed is x[n, rows, cols] as [n, cols, rows], under the given shape.
func (t *Tape[T]) transposed(x *Tensor[T], rows, cols int, shape ...int) *Tensor[T] {
	y := t.output(shape...)
	n := x.Shape[0]
	block := t.block(n, rows*cols, 1)
	for from := 0; from < n; from += block {
		a, b := from*rows*cols, min(from+block, n)*rows*cols
		xs, ys := t.read(x, a, b), t.room(y, a, b)
		parallel(t, (b-a)/(rows*cols), 1+pointGrain/(rows*cols), transposeLoop[T]{ys, xs, rows, cols})
		t.keep(y, a, ys)
		t.done(x, xs)
	}
	return record(t, y, transposedBack[T]{y, x, rows, cols, block}, x)
}

// transposeLoop transposes matrices [rows,cols].
type transposeLoop[T kernel.Float] struct {
	to, from   []T
	rows, cols int
}

func (l *transposeLoop[T]) run(_, i0, i1 int) {
	size := l.rows * l.cols
	for i := i0; i < i1; i++ {
		kernel.Transpose(l.to[i*size:][:size], l.from[i*size:][:size], l.rows, l.cols)
	}
}

type transposedBack[T kernel.Float] struct {
	y, x              *Tensor[T]
	rows, cols, block int
}

func (o *transposedBack[T]) reads(*Tensor[T]) bool { return false }

func (o *transposedBack[T]) back(t *Tape[T]) {
	g := t.gradientOf(o.x)
	n, size := o.x.Shape[0], o.rows*o.cols
	for from := 0; from < n; from += o.block {
		a, b := from*size, min(from+o.block, n)*size
		dy, dx := t.readGrad(o.y, a, b), t.gradRoom(g, a, b)
		part := dx
		if g.add {
			part = t.floats.Get(b - a)
		}
		parallel(t, (b-a)/size, 1+pointGrain/size, transposeLoop[T]{part, dy, o.cols, o.rows})
		if g.add {
			kernel.Add(dx, part)
			t.floats.Put(part)
		}
		t.keepGrad(g, a, dx)
		t.doneGrad(o.y, dy)
	}
}

// layerNormImages is LayerNorm over the last axis of [C,H,W].
func (t *Tape[T]) layerNormImages(x, w, b *Tensor[T], eps float64) *Tensor[T] {
	n, h, wd, c := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	planes := t.transposed(x, h*wd, c, n, c*h, wd)
	normal := t.LayerNorm(planes, w, b, eps)
	y := t.transposed(normal, c, h*wd, n, h, wd, c)
	if !t.recording {
		t.Free(planes)
		t.Free(normal)
	}
	return y
}
