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
		t.each(end-first, 1, func(p0, p1 int) {
			for p := p0; p < p1; p++ {
				var at []int32
				if from != nil {
					at = from[(first+p)*out:][:out]
				}
				maxPlane(ys[p*out:][:out], at, xs[p*in:][:in], w, ow, side, stride)
			}
		})
		t.keep(y, first*out, ys)
		t.done(x, xs)
	}
	return t.emit(y, func() {
		g := t.gradientOf(x)
		for first := 0; first < n*c; first += block {
			end := min(first+block, n*c)
			dys, dxs := t.readGrad(y, first*out, end*out), t.gradRoom(g, first*in, end*in)
			t.each(end-first, 1, func(p0, p1 int) {
				if !g.add {
					clear(dxs[p0*in : p1*in])
				}
				for p := p0; p < p1; p++ {
					to, dy := dxs[p*in:][:in], dys[p*out:][:out]
					for i, at := range from[(first+p)*out:][:out] {
						to[at] += dy[i]
					}
				}
			})
			t.keepGrad(g, first*in, dxs)
			t.doneGrad(y, dys)
		}
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
	return t.emit(y, func() {
		gx := t.gradientOf(x)
		for first := 0; first < n*c; first += block {
			end := min(first+block, n*c)
			dys, dxs := t.readGrad(y, first, end), t.gradRoom(gx, first*plane, end*plane)
			for i, g := range dys {
				g /= T(plane)
				to := dxs[i*plane:][:plane]
				if gx.add {
					for j := range to {
						to[j] += g
					}
				} else {
					kernel.Fill(to, g)
				}
			}
			t.keepGrad(gx, first*plane, dxs)
			t.doneGrad(y, dys)
		}
	}, x)
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
	return t.emit(y, func() {
		g := t.gradientOf(x)
		scaled := t.floats.Get(d)
		for first := 0; first < n; first += block {
			end := min(first+block, n)
			dys, dxs := t.readGrad(y, first*d, end*d), t.gradRoom(g, first*steps*d, end*steps*d)
			for i := range end - first {
				copy(scaled, dys[i*d:][:d])
				kernel.Scale(scaled, 1/T(steps))
				for s := range steps {
					kernel.Copy(dxs[(i*steps+s)*d:][:d], scaled, g.add)
				}
			}
			t.keepGrad(g, first*steps*d, dxs)
			t.doneGrad(y, dys)
		}
		t.floats.Put(scaled)
	}, x)
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
	return t.emit(y, func() {
		g := t.gradientOf(x)
		for first := 0; first < n; first += block {
			end := min(first+block, n)
			dys, dxs := t.readGrad(y, first*d, end*d), t.gradRoom(g, first*steps*d, end*steps*d)
			if !g.add {
				clear(dxs)
			}
			for i := range end - first {
				kernel.Add(dxs[((i+1)*steps-1)*d:][:d], dys[i*d:][:d])
			}
			t.keepGrad(g, first*steps*d, dxs)
			t.doneGrad(y, dys)
		}
	}, x)
}

// Flatten keeps the examples and makes the rest one axis.
func (t *Tape[T]) Flatten(x *Tensor[T]) *Tensor[T] {
	y := t.view(x, x.Shape[0], x.len()/x.Shape[0])
	return t.emit(y, func() { t.passBack(y, x) }, x)
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
	return t.emit(y, func() {
		g, add := t.gradOf(table)
		if !add {
			clear(g)
		}
		for first := 0; first < len(ids); first += block {
			end := min(first+block, len(ids))
			dys := t.readGrad(y, first*d, end*d)
			for i, id := range ids[first:end] {
				kernel.Add(g[int(id)*d:][:d], dys[i*d:][:d])
			}
			t.doneGrad(y, dys)
		}
	}, table)
}
