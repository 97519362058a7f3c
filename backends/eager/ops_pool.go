package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// MaxPool2D takes the largest element under each window of x[N,C,H,W]; of equal
// ones the first gets the gradient.
func (t *Tape[T]) MaxPool2D(x *Tensor[T], side, stride int) *Tensor[T] {
	n, c, h, w := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	oh, ow := (h-side)/stride+1, (w-side)/stride+1
	y := t.output(n, c, oh, ow)
	var from []int32 // where in its plane each element came from
	if t.recording && x.needs {
		from = t.ints.Get(len(y.Data))
	}
	t.each(n*c, 1, func(p0, p1 int) {
		for p := p0; p < p1; p++ {
			var at []int32
			if from != nil {
				at = from[p*oh*ow:][:oh*ow]
			}
			maxPlane(y.Data[p*oh*ow:][:oh*ow], at, x.Data[p*h*w:][:h*w], w, ow, side, stride)
		}
	})
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		t.each(n*c, 1, func(p0, p1 int) {
			if !add {
				clear(dx[p0*h*w : p1*h*w])
			}
			for p := p0; p < p1; p++ {
				to, dy := dx[p*h*w:][:h*w], y.grad[p*oh*ow:][:oh*ow]
				for i, at := range from[p*oh*ow:][:oh*ow] {
					to[at] += dy[i]
				}
			}
		})
		t.ints.Put(from)
	}, x)
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
	for i := range y.Data {
		y.Data[i] = kernel.Sum(x.Data[i*plane:][:plane]) / T(plane)
	}
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		for i, g := range y.grad {
			g /= T(plane)
			to := dx[i*plane:][:plane]
			if add {
				for j := range to {
					to[j] += g
				}
			} else {
				kernel.Fill(to, g)
			}
		}
	}, x)
}

func (t *Tape[T]) meanSteps(x *Tensor[T]) *Tensor[T] {
	n, steps, d := x.Shape[0], x.Shape[1], x.Shape[2]
	y := t.output(n, d)
	for i := range n {
		to := y.Data[i*d:][:d]
		kernel.SumRows(to, x.Data[i*steps*d:][:steps*d], false)
		kernel.Scale(to, 1/T(steps))
	}
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		scaled := t.floats.Get(d)
		for i := range n {
			copy(scaled, y.grad[i*d:][:d])
			kernel.Scale(scaled, 1/T(steps))
			for s := range steps {
				kernel.Copy(dx[(i*steps+s)*d:][:d], scaled, add)
			}
		}
		t.floats.Put(scaled)
	}, x)
}

// LastStep takes the last position of x[N,T,D].
func (t *Tape[T]) LastStep(x *Tensor[T]) *Tensor[T] {
	n, steps, d := x.Shape[0], x.Shape[1], x.Shape[2]
	y := t.output(n, d)
	for i := range n {
		copy(y.Data[i*d:][:d], x.Data[((i+1)*steps-1)*d:])
	}
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		if !add {
			clear(dx)
		}
		for i := range n {
			kernel.Add(dx[((i+1)*steps-1)*d:][:d], y.grad[i*d:][:d])
		}
	}, x)
}

// Flatten keeps the examples and makes the rest one axis.
func (t *Tape[T]) Flatten(x *Tensor[T]) *Tensor[T] {
	y := t.view(x, x.Shape[0], len(x.Data)/x.Shape[0])
	return t.emit(y, func() {
		dx, add := t.gradOf(x)
		kernel.Copy(dx, y.grad, add)
	}, x)
}

// Embedding looks ids[N,T] up in table[V,D].
func (t *Tape[T]) Embedding(ids []int32, n int, table *Tensor[T]) *Tensor[T] {
	d := table.Shape[1]
	y := t.output(n, len(ids)/n, d)
	for i, id := range ids {
		copy(y.Data[i*d:][:d], table.Data[int(id)*d:])
	}
	return t.emit(y, func() {
		g, add := t.gradOf(table)
		if !add {
			clear(g)
		}
		for i, id := range ids {
			kernel.Add(g[int(id)*d:][:d], y.grad[i*d:][:d])
		}
	}, table)
}
