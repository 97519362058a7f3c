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
	ws, bs, scratch := t.read(w, 0, c), t.read(b, 0, c), t.channelScratch(2, n, plane)
	parallel(t, c, 1, batchNormLoop[T]{
		t: t, x: x, y: y, mean: mean, inv: inv, w: ws, b: bs, scratch: scratch, runMean: runMean.Data, runVar: runVar.Data,
		n: n, plane: plane, eps: eps, momentum: momentum, divisor: divisor, move: t.training && !t.replaying && !t.frozen,
	})
	t.floats.Put(scratch)
	t.done(w, ws)
	t.done(b, bs)
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return record(t, y, batchNormBack[T]{y, x, w, b, mean, inv, divisor}, x, w, b)
}

// batchNormLoop normalises channels.
type batchNormLoop[T kernel.Float] struct {
	t               *Tape[T]
	x, y            *Tensor[T]
	mean, inv, w, b []T
	scratch         []T // of two channels on each thread
	runMean, runVar []T
	n, plane        int
	eps, momentum   float64
	divisor         float64 // of the squares in the variance
	move            bool    // the running statistics
}

func (l *batchNormLoop[T]) run(part, c0, c1 int) {
	t, n, c, plane, room := l.t, l.n, len(l.mean), l.plane, l.n*l.plane
	xs, ys := channelPart(l.scratch, part, 2, 0, room), channelPart(l.scratch, part, 2, 1, room)
	for ch := c0; ch < c1; ch++ {
		from, step := t.channel(l.x.Data, l.x.half, xs, n, c, ch, plane)
		if t.training {
			m, squares := moments(from, step, n, plane)
			l.mean[ch], l.inv[ch] = T(m), T(1/math.Sqrt(squares/l.divisor+l.eps))
			if l.move {
				l.runMean[ch] = T((1-l.momentum)*float64(l.runMean[ch]) + l.momentum*m)
				l.runVar[ch] = T((1-l.momentum)*float64(l.runVar[ch]) + l.momentum*squares/max(float64(room)-1, 1))
			}
		} else {
			l.mean[ch], l.inv[ch] = l.runMean[ch], T(1/math.Sqrt(float64(l.runVar[ch])+l.eps))
		}
		scale := l.inv[ch] * l.w[ch]
		m, shift := l.mean[ch], l.b[ch]
		to, stepTo := t.channelRoom(l.y.Data, l.y.half, ys, c, ch, plane)
		for i := range n {
			from, to := from[i*step:][:plane], to[i*stepTo:][:plane]
			for j, v := range from {
				to[j] = (v-m)*scale + shift
			}
		}
		t.keepChannel(l.y.half, to, n, c, ch, plane)
	}
}

// batchNormBack is the way back of BatchNorm; the variance was divided by divisor.
type batchNormBack[T kernel.Float] struct {
	y, x, w, b *Tensor[T]
	mean, inv  []T
	divisor    float64
}

func (o *batchNormBack[T]) back(t *Tape[T]) {
	x, n, c := o.x, o.x.Shape[0], o.x.Shape[1]
	l := batchNormBackLoop[T]{t: t, batchNormBack: *o, n: n, plane: x.len() / (n * c)}
	l.dw, l.addW = t.gradOf(o.w)
	l.db, l.addB = t.gradOf(o.b)
	if x.needs {
		l.g = t.gradientOf(x)
	}
	l.ws, l.scratch = t.read(o.w, 0, c), t.channelScratch(3, n, l.plane)
	parallel(t, c, 1, l)
	t.floats.Put(l.scratch)
	t.done(o.w, l.ws)
	t.floats.Put(o.mean)
	t.floats.Put(o.inv)
}

type batchNormBackLoop[T kernel.Float] struct {
	batchNormBack[T]
	t          *Tape[T]
	n, plane   int
	g          gradient[T] // of x
	dw, db, ws []T
	addW, addB bool
	scratch    []T // of three channels on each thread
}

func (l *batchNormBackLoop[T]) run(part, c0, c1 int) {
	t, x, y, g, n, c, plane, room := l.t, l.x, l.y, l.g, l.n, len(l.mean), l.plane, l.n*l.plane
	count := float64(room)
	for ch := c0; ch < c1; ch++ {
		xs, step := t.channel(x.Data, x.half, channelPart(l.scratch, part, 3, 0, room), n, c, ch, plane)
		dys, stepY := t.channel(y.grad, y.halfGrad, channelPart(l.scratch, part, 3, 1, room), n, c, ch, plane)
		var sum, dot float64 // of dy, and of dy and the normalised x
		for i := range n {
			from, dy := xs[i*step:][:plane], dys[i*stepY:][:plane]
			sum += float64(kernel.Sum(dy))
			dot += float64(dotCentred(dy, from, l.mean[ch]))
		}
		dot *= float64(l.inv[ch])
		accumulate(l.dw, ch, T(dot), l.addW)
		accumulate(l.db, ch, T(sum), l.addB)
		if !x.needs {
			continue
		}
		scale, m := l.ws[ch]*l.inv[ch], l.mean[ch]
		k0, k1 := T(sum/count), T(dot/l.divisor)*l.inv[ch]
		own := channelPart(l.scratch, part, 3, 2, room)
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
		squares += float64(kernel.SquaresAround(x[i*step:][:plane], m))
	}
	return mean, squares
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
