package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// MaxPool2D takes the largest element under each window of x[N,C,H,W]; of equal
// ones the first gets the gradient.
func (t *Tape[T]) MaxPool2D(x *Tensor[T], side, stride int) *Tensor[T] {
	n, c, h, w := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	oh, ow := (h-side)/stride+1, (w-side)/stride+1
	in, out := h*w, oh*ow
	y := t.output(n, c, oh, ow)
	var from []int32 // where in its plane each element came from
	if t.recording && x.needs {
		from = t.ints.Get(n * c * out)
	}
	block := t.block(n*c, in, t.pool.Threads())
	for first := 0; first < n*c; first += block {
		end := min(first+block, n*c)
		xs, ys := t.read(x, first*in, end*in), t.room(y, first*out, end*out)
		parallel(t, end-first, 1, maxLoop[T]{ys, xs, span(from, first*out, end*out), w, ow, side, stride, in, out})
		t.keep(y, first*out, ys)
		t.done(x, xs)
	}
	return record(t, y, maxPoolBack[T]{y, x, from, block, in, out}, x)
}

// maxLoop pools planes of in elements to planes of out.
type maxLoop[T kernel.Float] struct {
	y, x                         []T
	from                         []int32 // nil: not wanted
	w, ow, side, stride, in, out int
}

func (l *maxLoop[T]) run(_, p0, p1 int) {
	for p := p0; p < p1; p++ {
		maxPlane(l.y[p*l.out:][:l.out], span(l.from, p*l.out, (p+1)*l.out), l.x[p*l.in:][:l.in], l.w, l.ow, l.side, l.stride)
	}
}

// maxPoolBack is the way back of MaxPool2D, in blocks of that many planes.
type maxPoolBack[T kernel.Float] struct {
	y, x           *Tensor[T]
	from           []int32
	block, in, out int
}

func (o *maxPoolBack[T]) back(t *Tape[T]) {
	g := t.gradientOf(o.x)
	planes := len(o.from) / o.out
	for first := 0; first < planes; first += o.block {
		end := min(first+o.block, planes)
		dys, dxs := t.readGrad(o.y, first*o.out, end*o.out), t.gradRoom(g, first*o.in, end*o.in)
		parallel(t, end-first, 1, maxBackLoop[T]{dxs, dys, o.from[first*o.out:], o.in, o.out, g.add})
		t.keepGrad(g, first*o.in, dxs)
		t.doneGrad(o.y, dys)
	}
	t.ints.Put(o.from)
}

type maxBackLoop[T kernel.Float] struct {
	dx, dy  []T
	from    []int32
	in, out int
	add     bool
}

func (l *maxBackLoop[T]) run(_, p0, p1 int) {
	if !l.add {
		clear(l.dx[p0*l.in : p1*l.in])
	}
	for p := p0; p < p1; p++ {
		to, dy := l.dx[p*l.in:][:l.in], l.dy[p*l.out:][:l.out]
		for i, at := range l.from[p*l.out:][:l.out] {
			to[at] += dy[i]
		}
	}
}

// maxPlane pools one plane; from may be nil. NaN counts as the largest.
func maxPlane[T kernel.Float](y []T, from []int32, x []T, w, ow, side, stride int) {
	for i := range y {
		at := i/ow*stride*w + i%ow*stride
		best, where := x[at], at
		for r := range side {
			row := x[at+r*w:][:side]
			for j, v := range row {
				if v > best || v != v {
					best, where = v, at+r*w+j
				}
			}
		}
		y[i] = best
		if from != nil {
			from[i] = int32(where)
		}
	}
}

// AvgPool is the mean over the positions: [N,C,H,W] gives [N,C], [N,T,D] gives [N,D].
func (t *Tape[T]) AvgPool(x *Tensor[T]) *Tensor[T] {
	if len(x.Shape) == 3 {
		return t.meanSteps(x)
	}
	n, c, plane := x.Shape[0], x.Shape[1], x.Shape[2]*x.Shape[3]
	y := t.output(n, c)
	block := t.block(n*c, plane, 1)
	for first := 0; first < n*c; first += block {
		end := min(first+block, n*c)
		xs, ys := t.read(x, first*plane, end*plane), t.room(y, first, end)
		for i := range ys {
			ys[i] = kernel.Sum(xs[i*plane:][:plane]) / T(plane)
		}
		t.keep(y, first, ys)
		t.done(x, xs)
	}
	return record(t, y, avgPoolBack[T]{y, x, plane, block}, x)
}

// avgPoolBack is the way back of AvgPool over planes, in blocks of that many.
type avgPoolBack[T kernel.Float] struct {
	y, x         *Tensor[T]
	plane, block int
}

func (o *avgPoolBack[T]) back(t *Tape[T]) {
	g, n, plane := t.gradientOf(o.x), o.y.len(), o.plane
	for first := 0; first < n; first += o.block {
		end := min(first+o.block, n)
		dys, dxs := t.readGrad(o.y, first, end), t.gradRoom(g, first*plane, end*plane)
		for i, v := range dys {
			v /= T(plane)
			to := dxs[i*plane:][:plane]
			if g.add {
				for j := range to {
					to[j] += v
				}
			} else {
				kernel.Fill(to, v)
			}
		}
		t.keepGrad(g, first*plane, dxs)
		t.doneGrad(o.y, dys)
	}
}

func (t *Tape[T]) meanSteps(x *Tensor[T]) *Tensor[T] {
	n, steps, d := x.Shape[0], x.Shape[1], x.Shape[2]
	y := t.output(n, d)
	block := t.block(n, steps*d, 1)
	for first := 0; first < n; first += block {
		end := min(first+block, n)
		xs, ys := t.read(x, first*steps*d, end*steps*d), t.room(y, first*d, end*d)
		for i := range end - first {
			to := ys[i*d:][:d]
			kernel.SumRows(to, xs[i*steps*d:][:steps*d], false)
			kernel.Scale(to, 1/T(steps))
		}
		t.keep(y, first*d, ys)
		t.done(x, xs)
	}
	return record(t, y, meanStepsBack[T]{y, x, block}, x)
}

// meanStepsBack is the way back of AvgPool over steps, in blocks of that many examples.
type meanStepsBack[T kernel.Float] struct {
	y, x  *Tensor[T]
	block int
}

func (o *meanStepsBack[T]) back(t *Tape[T]) {
	n, steps, d := o.x.Shape[0], o.x.Shape[1], o.x.Shape[2]
	g := t.gradientOf(o.x)
	scaled := t.floats.Get(d)
	for first := 0; first < n; first += o.block {
		end := min(first+o.block, n)
		dys, dxs := t.readGrad(o.y, first*d, end*d), t.gradRoom(g, first*steps*d, end*steps*d)
		for i := range end - first {
			copy(scaled, dys[i*d:][:d])
			kernel.Scale(scaled, 1/T(steps))
			for s := range steps {
				kernel.Copy(dxs[(i*steps+s)*d:][:d], scaled, g.add)
			}
		}
		t.keepGrad(g, first*steps*d, dxs)
		t.doneGrad(o.y, dys)
	}
	t.floats.Put(scaled)
}

// LastStep takes the last position of x[N,T,D].
func (t *Tape[T]) LastStep(x *Tensor[T]) *Tensor[T] {
	n, steps, d := x.Shape[0], x.Shape[1], x.Shape[2]
	y := t.output(n, d)
	for i := range n {
		last := ((i+1)*steps - 1) * d
		xs, ys := t.read(x, last, last+d), t.room(y, i*d, (i+1)*d)
		copy(ys, xs)
		t.keep(y, i*d, ys)
		t.done(x, xs)
	}
	block := t.block(n, steps*d, 1)
	return record(t, y, lastStepBack[T]{y, x, block}, x)
}

// lastStepBack is the way back of LastStep, in blocks of that many examples.
type lastStepBack[T kernel.Float] struct {
	y, x  *Tensor[T]
	block int
}

func (o *lastStepBack[T]) back(t *Tape[T]) {
	n, steps, d := o.x.Shape[0], o.x.Shape[1], o.x.Shape[2]
	g := t.gradientOf(o.x)
	for first := 0; first < n; first += o.block {
		end := min(first+o.block, n)
		dys, dxs := t.readGrad(o.y, first*d, end*d), t.gradRoom(g, first*steps*d, end*steps*d)
		if !g.add {
			clear(dxs)
		}
		for i := range end - first {
			kernel.Add(dxs[((i+1)*steps-1)*d:][:d], dys[i*d:][:d])
		}
		t.keepGrad(g, first*steps*d, dxs)
		t.doneGrad(o.y, dys)
	}
}

// Flatten keeps the examples and makes the rest one axis.
func (t *Tape[T]) Flatten(x *Tensor[T]) *Tensor[T] {
	y := t.view(x, x.Shape[0], x.len()/x.Shape[0])
	return record(t, y, viewBack[T]{y, x}, x)
}

// Embedding looks ids[N,T] up in table[V,D].
func (t *Tape[T]) Embedding(ids []int32, n int, table *Tensor[T]) *Tensor[T] {
	d := table.Shape[1]
	y := t.output(n, len(ids)/n, d)
	for i, id := range ids {
		switch from := int(id) * d; {
		case y.half == nil:
			copy(y.Data[i*d:][:d], table.Data[from:])
		case table.half != nil:
			copy(y.half[i*d:][:d], table.half[from:])
		default:
			t.format.Narrow(y.half[i*d:][:d], as32(table.Data[from:][:d]))
		}
	}
	block := t.block(len(ids), d, 1)
	return record(t, y, embeddingBack[T]{y, table, ids, block}, table)
}

// embeddingBack is the way back of Embedding, in blocks of that many ids.
type embeddingBack[T kernel.Float] struct {
	y, table *Tensor[T]
	ids      []int32
	block    int
}

func (o *embeddingBack[T]) back(t *Tape[T]) {
	d := o.table.Shape[1]
	g, add := t.gradOf(o.table)
	if !add {
		clear(g)
	}
	for first := 0; first < len(o.ids); first += o.block {
		end := min(first+o.block, len(o.ids))
		dys := t.readGrad(o.y, first*d, end*d)
		for i, id := range o.ids[first:end] {
			kernel.Add(g[int(id)*d:][:d], dys[i*d:][:d])
		}
		t.doneGrad(o.y, dys)
	}
}
