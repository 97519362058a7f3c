package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// BatchNorm normalises each channel of x[N,C,...] (Ioffe and Szegedy 2015,
// arXiv:1502.03167). In training by the mean and the biased variance of the
// batch, moving the running statistics by momentum towards the mean and the
// unbiased variance; otherwise by the running statistics.
func (t *Tape[T]) BatchNorm(x, w, b, runMean, runVar *Tensor[T], eps, momentum float64) *Tensor[T] {
	n, c := x.Shape[0], x.Shape[1]
	plane := len(x.Data) / (n * c)
	count := float64(n * plane)
	divisor := count
	if t.hooks.faults.unbiased {
		divisor = max(count-1, 1)
	}
	y := t.output(x.Shape...)
	mean, inv := t.floats.Get(c), t.floats.Get(c) // inv is 1/sqrt(variance+eps)
	moveStats := t.training && !t.replaying && !t.frozen
	t.each(c, 1, func(c0, c1 int) {
		for ch := c0; ch < c1; ch++ {
			if t.training {
				m, squares := moments(x.Data, n, c, ch, plane)
				mean[ch], inv[ch] = T(m), T(1/math.Sqrt(squares/divisor+eps))
				if moveStats {
					runMean.Data[ch] = T((1-momentum)*float64(runMean.Data[ch]) + momentum*m)
					runVar.Data[ch] = T((1-momentum)*float64(runVar.Data[ch]) + momentum*squares/max(count-1, 1))
				}
			} else {
				mean[ch], inv[ch] = runMean.Data[ch], T(1/math.Sqrt(float64(runVar.Data[ch])+eps))
			}
			scale := inv[ch] * w.Data[ch]
			m, shift := mean[ch], b.Data[ch]
			for i := range n {
				from, to := x.Data[(i*c+ch)*plane:][:plane], y.Data[(i*c+ch)*plane:][:plane]
				for j, v := range from {
					to[j] = (v-m)*scale + shift
				}
			}
		}
	})
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return t.emit(y, func() {
		dw, addW := t.gradOf(w)
		db, addB := t.gradOf(b)
		var dx []T
		add := false
		if x.needs {
			dx, add = t.gradOf(x)
		}
		t.each(c, 1, func(c0, c1 int) {
			for ch := c0; ch < c1; ch++ {
				var sum, dot float64 // of dy, and of dy and the normalised x
				for i := range n {
					from, dy := x.Data[(i*c+ch)*plane:][:plane], y.grad[(i*c+ch)*plane:][:plane]
					sum += float64(kernel.Sum(dy))
					dot += float64(dotCentred(dy, from, mean[ch]))
				}
				dot *= float64(inv[ch])
				accumulate(dw, ch, T(dot), addW)
				accumulate(db, ch, T(sum), addB)
				if dx == nil {
					continue
				}
				scale, m := w.Data[ch]*inv[ch], mean[ch]
				k0, k1 := T(sum/count), T(dot/divisor)*inv[ch]
				for i := range n {
					at := (i*c + ch) * plane
					from, dy, to := x.Data[at:][:plane], y.grad[at:][:plane], dx[at:][:plane]
					if add {
						for j, g := range dy {
							to[j] += scale * (g - k0 - (from[j]-m)*k1)
						}
					} else {
						for j, g := range dy {
							to[j] = scale * (g - k0 - (from[j]-m)*k1)
						}
					}
				}
			}
		})
		t.floats.Put(mean)
		t.floats.Put(inv)
	}, x, w, b)
}

// moments returns the mean of channel ch of x[n,c,plane] and the sum of the
// squared distances to it.
func moments[T kernel.Float](x []T, n, c, ch, plane int) (mean, squares float64) {
	for i := range n {
		mean += float64(kernel.Sum(x[(i*c+ch)*plane:][:plane]))
	}
	mean /= float64(n * plane)
	m := T(mean)
	for i := range n {
		squares += float64(squaresAround(x[(i*c+ch)*plane:][:plane], m))
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
// variance (Ba, Kiros, Hinton 2016, arXiv:1607.06450).
func (t *Tape[T]) LayerNorm(x, w, b *Tensor[T], eps float64) *Tensor[T] {
	d := len(w.Data)
	rows := len(x.Data) / d
	y := t.output(x.Shape...)
	mean, inv := t.floats.Get(rows), t.floats.Get(rows)
	grain := max(1, pointGrain/d)
	t.each(rows, grain, func(r0, r1 int) {
		for r := r0; r < r1; r++ {
			from, to := x.Data[r*d:][:d], y.Data[r*d:][:d]
			m := kernel.Sum(from) / T(d)
			s := T(1 / math.Sqrt(float64(squaresAround(from, m))/float64(d)+eps))
			mean[r], inv[r] = m, s
			for j, v := range from {
				to[j] = (v-m)*s*w.Data[j] + b.Data[j]
			}
		}
	})
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return t.emit(y, func() {
		dw, addW := t.gradOf(w)
		db, addB := t.gradOf(b)
		kernel.SumRows(db, y.grad, addB)
		if !addW {
			clear(dw)
		}
		for r := range rows {
			from, dy := x.Data[r*d:][:d], y.grad[r*d:][:d]
			m, s := mean[r], inv[r]
			for j, v := range from {
				dw[j] += dy[j] * (v - m) * s
			}
		}
		if x.needs {
			dx, add := t.gradOf(x)
			t.each(rows, grain, func(r0, r1 int) {
				for r := r0; r < r1; r++ {
					from, dy, to := x.Data[r*d:][:d], y.grad[r*d:][:d], dx[r*d:][:d]
					m, s := mean[r], inv[r]
					var sum, dot T // of dy*w, and of dy*w and the normalised x
					for j, g := range dy {
						g *= w.Data[j]
						sum += g
						dot += g * (from[j] - m) * s
					}
					sum, dot = sum/T(d), dot/T(d)
					for j, g := range dy {
						v := s * (g*w.Data[j] - sum - (from[j]-m)*s*dot)
						if add {
							v += to[j]
						}
						to[j] = v
					}
				}
			})
		}
		t.floats.Put(mean)
		t.floats.Put(inv)
	}, x, w, b)
}
