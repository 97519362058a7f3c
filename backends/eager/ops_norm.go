package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// BatchNorm normalises each channel of x[N,C,...] (Ioffe and Szegedy 2015,
// arXiv:1502.03167). In training by the mean and the biased variance of the
// batch, moving the running statistics by momentum towards the mean and the
// unbiased variance; otherwise by the running statistics. Statistics are in
// full width in every format.
func (t *Tape[T]) BatchNorm(x, w, b, runMean, runVar *Tensor[T], eps, momentum float64) *Tensor[T] {
	n, c := x.Shape[0], x.Shape[1]
	plane := x.len() / (n * c)
	count := float64(n * plane)
	divisor := count
	if t.hooks.faults.unbiased {
		divisor = max(count-1, 1)
	}
	y := t.output(x.Shape...)
	mean, inv := t.floats.Get(c), t.floats.Get(c) // inv is 1/sqrt(variance+eps)
	moveStats := t.training && !t.replaying && !t.frozen
	ws, bs, scratch := t.read(w, 0, c), t.read(b, 0, c), t.channelScratch(2, n, plane)
	t.spans(c, 1, func(part, c0, c1 int) {
		xs, ys := channelPart(scratch, part, 2, 0, n*plane), channelPart(scratch, part, 2, 1, n*plane)
		for ch := c0; ch < c1; ch++ {
			from, step := t.channel(x.Data, x.half, xs, n, c, ch, plane)
			if t.training {
				m, squares := moments(from, step, n, plane)
				mean[ch], inv[ch] = T(m), T(1/math.Sqrt(squares/divisor+eps))
				if moveStats {
					runMean.Data[ch] = T((1-momentum)*float64(runMean.Data[ch]) + momentum*m)
					runVar.Data[ch] = T((1-momentum)*float64(runVar.Data[ch]) + momentum*squares/max(count-1, 1))
				}
			} else {
				mean[ch], inv[ch] = runMean.Data[ch], T(1/math.Sqrt(float64(runVar.Data[ch])+eps))
			}
			scale := inv[ch] * ws[ch]
			m, shift := mean[ch], bs[ch]
			to, stepTo := t.channelRoom(y.Data, y.half, ys, c, ch, plane)
			for i := range n {
				from, to := from[i*step:][:plane], to[i*stepTo:][:plane]
				for j, v := range from {
					to[j] = (v-m)*scale + shift
				}
			}
			t.keepChannel(y.half, to, n, c, ch, plane)
		}
	})
	t.floats.Put(scratch)
	t.done(w, ws)
	t.done(b, bs)
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return t.emit(y, func() {
		t.batchNormBack(y, x, w, b, mean, inv, divisor)
		t.floats.Put(mean)
		t.floats.Put(inv)
	}, x, w, b)
}

// batchNormBack is the way back of BatchNorm; the variance was divided by divisor.
func (t *Tape[T]) batchNormBack(y, x, w, b *Tensor[T], mean, inv []T, divisor float64) {
	n, c := x.Shape[0], x.Shape[1]
	plane := x.len() / (n * c)
	count := float64(n * plane)
	dw, addW := t.gradOf(w)
	db, addB := t.gradOf(b)
	var g gradient[T]
	if x.needs {
		g = t.gradientOf(x)
	}
	ws, scratch := t.read(w, 0, c), t.channelScratch(3, n, plane)
	t.spans(c, 1, func(part, c0, c1 int) {
		room := n * plane
		for ch := c0; ch < c1; ch++ {
			xs, step := t.channel(x.Data, x.half, channelPart(scratch, part, 3, 0, room), n, c, ch, plane)
			dys, stepY := t.channel(y.grad, y.halfGrad, channelPart(scratch, part, 3, 1, room), n, c, ch, plane)
			var sum, dot float64 // of dy, and of dy and the normalised x
			for i := range n {
				from, dy := xs[i*step:][:plane], dys[i*stepY:][:plane]
				sum += float64(kernel.Sum(dy))
				dot += float64(dotCentred(dy, from, mean[ch]))
			}
			dot *= float64(inv[ch])
			accumulate(dw, ch, T(dot), addW)
			accumulate(db, ch, T(sum), addB)
			if !x.needs {
				continue
			}
			scale, m := ws[ch]*inv[ch], mean[ch]
			k0, k1 := T(sum/count), T(dot/divisor)*inv[ch]
			own := channelPart(scratch, part, 3, 2, room)
			dxs, stepX := t.channelRoom(g.full, g.half, own, c, ch, plane)
			if g.add {
				dxs, stepX = t.channel(g.full, g.half, own, n, c, ch, plane)
			}
			for i := range n {
				from, dy, to := xs[i*step:][:plane], dys[i*stepY:][:plane], dxs[i*stepX:][:plane]
				if g.add {
					for j, g := range dy {
						to[j] += scale * (g - k0 - (from[j]-m)*k1)
					}
				} else {
					for j, g := range dy {
						to[j] = scale * (g - k0 - (from[j]-m)*k1)
					}
				}
			}
			t.keepChannel(g.half, dxs, n, c, ch, plane)
		}
	})
	t.floats.Put(scratch)
	t.done(w, ws)
}

// moments returns the mean of one channel and the sum of the squared distances
// to it. Image i of n begins at i*step of x and has plane elements.
func moments[T kernel.Float](x []T, step, n, plane int) (mean, squares float64) {
	for i := range n {
		mean += float64(kernel.Sum(x[i*step:][:plane]))
	}
	mean /= float64(n * plane)
	m := T(mean)
	for i := range n {
		squares += float64(squaresAround(x[i*step:][:plane], m))
	}
	return mean, squares
}

// squaresAround is the sum of (x-m)^2, in four interleaved sums.
func squaresAround[T kernel.Float](x []T, m T) T {
	var s [4]T
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := x[0]-m, x[1]-m, x[2]-m, x[3]-m
		s[0] += a * a
		s[1] += b * b
		s[2] += c * c
		s[3] += d * d
	}
	for _, v := range x {
		s[0] += (v - m) * (v - m)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// dotCentred is the sum of y*(x-m), in four interleaved sums.
func dotCentred[T kernel.Float](y, x []T, m T) T {
	var s [4]T
	y = y[:len(x)]
	for ; len(x) >= 4 && len(y) >= 4; x, y = x[4:], y[4:] {
		s[0] += y[0] * (x[0] - m)
		s[1] += y[1] * (x[1] - m)
		s[2] += y[2] * (x[2] - m)
		s[3] += y[3] * (x[3] - m)
	}
	for i, v := range x {
		s[0] += y[i] * (v - m)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

func accumulate[T kernel.Float](to []T, i int, v T, add bool) {
	if add {
		v += to[i]
	}
	to[i] = v
}

// LayerNorm normalises the last axis of x[..., D] by its mean and biased
// variance (Ba, Kiros, Hinton 2016, arXiv:1607.06450). Statistics are in full
// width in every format.
func (t *Tape[T]) LayerNorm(x, w, b *Tensor[T], eps float64) *Tensor[T] {
	d := w.len()
	rows := x.len() / d
	y := t.output(x.Shape...)
	mean, inv := t.floats.Get(rows), t.floats.Get(rows)
	ws, bs, block := t.read(w, 0, d), t.read(b, 0, d), t.block(rows, d, 1)
	for at := 0; at < rows; at += block {
		end := min(at+block, rows)
		xs, ys := t.read(x, at*d, end*d), t.room(y, at*d, end*d)
		t.each(end-at, max(1, pointGrain/d), func(r0, r1 int) {
			for r := r0; r < r1; r++ {
				from, to := xs[r*d:][:d], ys[r*d:][:d]
				m := kernel.Sum(from) / T(d)
				s := T(1 / math.Sqrt(float64(squaresAround(from, m))/float64(d)+eps))
				mean[at+r], inv[at+r] = m, s
				for j, v := range from {
					to[j] = (v-m)*s*ws[j] + bs[j]
				}
			}
		})
		t.keep(y, at*d, ys)
		t.done(x, xs)
	}
	t.done(w, ws)
	t.done(b, bs)
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return t.emit(y, func() {
		t.layerNormBack(y, x, w, b, mean, inv, block)
		t.floats.Put(mean)
		t.floats.Put(inv)
	}, x, w, b)
}

// layerNormBack is the way back of LayerNorm, in blocks of that many rows.
func (t *Tape[T]) layerNormBack(y, x, w, b *Tensor[T], mean, inv []T, block int) {
	d := w.len()
	rows := x.len() / d
	dw, addW := t.gradOf(w)
	db, addB := t.gradOf(b)
	if !addW {
		clear(dw)
	}
	var g gradient[T]
	if x.needs {
		g = t.gradientOf(x)
	}
	ws := t.read(w, 0, d)
	for at := 0; at < rows; at += block {
		end := min(at+block, rows)
		xs, dys := t.read(x, at*d, end*d), t.readGrad(y, at*d, end*d)
		kernel.SumRows(db, dys, addB || at > 0)
		for r := range end - at {
			from, dy := xs[r*d:][:d], dys[r*d:][:d]
			m, s := mean[at+r], inv[at+r]
			for j, v := range from {
				dw[j] += dy[j] * (v - m) * s
			}
		}
		if x.needs {
			dxs := t.gradRoom(g, at*d, end*d)
			t.each(end-at, max(1, pointGrain/d), func(r0, r1 int) {
				for r := r0; r < r1; r++ {
					layerNormRowBack(dxs[r*d:][:d], dys[r*d:][:d], xs[r*d:][:d], ws, mean[at+r], inv[at+r], g.add)
				}
			})
			t.keepGrad(g, at*d, dxs)
		}
		t.done(x, xs)
		t.doneGrad(y, dys)
	}
	t.done(w, ws)
}

// layerNormRowBack sets, or with add adds to, the gradient of one row x with mean m and
// s = 1/sqrt(variance+eps).
func layerNormRowBack[T kernel.Float](dx, dy, x, w []T, m, s T, add bool) {
	var sum, dot T // of dy*w, and of dy*w and the normalised x
	for j, g := range dy {
		g *= w[j]
		sum += g
		dot += g * (x[j] - m) * s
	}
	sum, dot = sum/T(len(w)), dot/T(len(w))
	for j, g := range dy {
		v := s * (g*w[j] - sum - (x[j]-m)*s*dot)
		if add {
			v += dx[j]
		}
		dx[j] = v
	}
}
