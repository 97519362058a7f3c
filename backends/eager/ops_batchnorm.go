package eager

import (
	"math"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// BatchNorm normalises each channel of x[N,...,C] (Ioffe and Szegedy 2015,
// arXiv:1502.03167). In training by the mean and the biased variance of the
// batch, moving the running statistics by momentum towards the mean and the
// unbiased variance; otherwise by the running statistics. Statistics are in
// full width in every format: sums over some rows in the element type, and over
// those in float64.
func (t *Tape[T]) BatchNorm(x, w, b, runMean, runVar *Tensor[T], eps, momentum float64) *Tensor[T] {
	c := x.Shape[len(x.Shape)-1]
	rows := x.len() / c
	y := t.output(x.Shape...)
	rectify := t.rectifies(y)
	mean, inv, scale := t.floats.Get(c), t.floats.Get(c), t.floats.Get(c)
	divisor := t.statistics(x, mean, inv, runMean, runVar, eps, momentum)
	ws, bs := t.read(w, 0, c), t.read(b, 0, c)
	for ch, v := range inv {
		scale[ch] = v * ws[ch]
	}
	block := t.normBlock(rows, c)
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		xs, ys := t.read(x, from*c, to*c), t.room(y, from*c, to*c)
		parallel(t, to-from, normRows(c), normalizeLoop[T]{ys, xs, mean, scale, bs, rectify})
		t.keep(y, from*c, ys)
		t.done(x, xs)
	}
	t.done(w, ws)
	t.done(b, bs)
	t.floats.Put(scale)
	if !t.recording {
		t.floats.Put(mean)
		t.floats.Put(inv)
	}
	return record(t, y, batchNormBack[T]{y, x, w, b, mean, inv, divisor}, x, w, b)
}

// statistics sets mean and inv, 1/sqrt(variance+eps), to what x is normalised by, and
// moves the running statistics; divisor is what the variance was divided by.
func (t *Tape[T]) statistics(x *Tensor[T], mean, inv []T, runMean, runVar *Tensor[T], eps, momentum float64) (divisor float64) {
	rows := x.len() / len(mean)
	divisor = float64(rows)
	if t.hooks.faults.unbiased {
		divisor = max(divisor-1, 1)
	}
	if !t.training {
		running(mean, inv, runMean, runVar, eps)
		return divisor
	}
	t.moments(x, mean, inv)
	move := !t.replaying && !t.frozen
	for ch, squares := range inv {
		inv[ch] = T(1 / math.Sqrt(float64(squares)/divisor+eps))
		if move {
			unbiased := float64(squares) / max(float64(rows)-1, 1)
			runMean.Data[ch] = T((1-momentum)*float64(runMean.Data[ch]) + momentum*float64(mean[ch]))
			runVar.Data[ch] = T((1-momentum)*float64(runVar.Data[ch]) + momentum*unbiased)
		}
	}
	return divisor
}

// running is the mean that inference subtracts and what it multiplies by.
func running[T kernel.Float](mean, inv []T, runMean, runVar *Tensor[T], eps float64) {
	copy(mean, runMean.Data)
	for ch, v := range runVar.Data {
		inv[ch] = T(1 / math.Sqrt(float64(v)+eps))
	}
}

// normRows is how many rows of c channels a sum in the element type runs over,
// and a thread takes at least: at most 64 KiB of float32.
func normRows(c int) int { return min(max(1, 1<<14/c), 256) }

// normBlock is how many rows of x[rows,c] batch normalisation takes at a time.
func (t *Tape[T]) normBlock(rows, c int) int {
	block := t.block(rows, c, normRows(c))
	if block < rows {
		block -= block % normRows(c)
	}
	return block
}

type normalizeLoop[T kernel.Float] struct {
	y, x, mean, scale, shift []T
	rectify                  bool
}

func (l *normalizeLoop[T]) run(_, from, to int) {
	c := len(l.mean)
	rows := max(1, passElements/c)
	for ; from < to; from += rows {
		a, b := from*c, min(from+rows, to)*c
		kernel.Normalize(l.y[a:b], l.x[a:b], l.mean, l.scale, l.shift)
		if l.rectify {
			kernel.ReLU(l.y[a:b], l.y[a:b])
		}
	}
}

// moments sets mean to the mean of each channel of x and squares to the sum of
// the squared distances to it.
func (t *Tape[T]) moments(x *Tensor[T], mean, squares []T) {
	c := len(mean)
	rows := x.len() / c
	l := columnLoop[T]{c: c, rows: rows}
	t.columns(x, nil, &l)
	for ch := range mean {
		mean[ch] = T(l.total(ch) / float64(rows))
	}
	t.floats.Put(l.sums)
	l.mean = mean
	t.columns(x, nil, &l)
	for ch := range squares {
		squares[ch] = T(l.total(ch))
	}
	t.floats.Put(l.sums)
}

// columns runs l over all rows of x, and of the gradient of y unless that is nil.
// The caller gives l.sums back.
func (t *Tape[T]) columns(x, y *Tensor[T], l *columnLoop[T]) {
	c, rows := l.c, l.rows
	l.blocks = (rows + normRows(c) - 1) / normRows(c)
	l.sums = t.floats.Get(2 * l.blocks * c)
	block := t.normBlock(rows, c)
	for from := 0; from < rows; from += block {
		to := min(from+block, rows)
		l.first, l.rows = from/normRows(c), to-from
		if x != nil {
			l.x = t.read(x, from*c, to*c)
		}
		if y != nil {
			l.dy = t.readGrad(y, from*c, to*c)
		}
		parallel(t, (to-from+normRows(c)-1)/normRows(c), 1, *l)
		if x != nil {
			t.done(x, l.x)
		}
		if y != nil {
			t.doneGrad(y, l.dy)
		}
	}
	l.rows = rows
}

// columnLoop sums up columns over normRows rows each: of dy and of dy*(x-mean), or
// without dy of x, or with a mean of (x-mean)^2.
type columnLoop[T kernel.Float] struct {
	x, dy, mean []T
	c, rows     int
	first       int // the place of the first rows' sums
	blocks      int
	sums        []T // [2,blocks,c]
}

func (l *columnLoop[T]) run(_, b0, b1 int) {
	for b := b0; b < b1; b++ {
		from, to := b*normRows(l.c)*l.c, min((b+1)*normRows(l.c), l.rows)*l.c
		sums := l.sums[(l.first+b)*l.c:][:l.c]
		switch {
		case l.dy != nil:
			kernel.ColumnSums(sums, l.dy[from:to])
			if l.x != nil {
				dots := l.sums[(l.blocks+l.first+b)*l.c:][:l.c]
				kernel.ColumnDots(dots, l.dy[from:to], l.x[from:to], l.mean)
			}
		case l.mean != nil:
			kernel.ColumnSquares(sums, l.x[from:to], l.mean)
		default:
			kernel.ColumnSums(sums, l.x[from:to])
		}
	}
}

// total is the sum of column ch over all rows.
func (l *columnLoop[T]) total(ch int) (sum float64) {
	for b := range l.blocks {
		sum += float64(l.sums[b*l.c+ch])
	}
	return sum
}

// totalDot is the second sum of dy.
func (l *columnLoop[T]) totalDot(ch int) float64 { return l.total(l.blocks*l.c + ch) }

// batchNormBack is the way back of BatchNorm; the variance was divided by divisor.
type batchNormBack[T kernel.Float] struct {
	y, x, w, b *Tensor[T]
	mean, inv  []T
	divisor    float64
}

func (o *batchNormBack[T]) reads(x *Tensor[T]) bool { return x != o.y }

func (o *batchNormBack[T]) back(t *Tape[T]) {
	x, c := o.x, len(o.mean)
	rows := x.len() / c
	l := columnLoop[T]{c: c, rows: rows, mean: o.mean}
	t.columns(x, o.y, &l)
	dw, addW := t.gradOf(o.w)
	db, addB := t.gradOf(o.b)
	ws := t.read(o.w, 0, c)
	scale, k0, k1 := t.floats.Get(c), t.floats.Get(c), t.floats.Get(c)
	for ch, inv := range o.inv {
		sum, dot := l.total(ch), l.totalDot(ch)*float64(inv)
		accumulate(dw, ch, T(dot), addW)
		accumulate(db, ch, T(sum), addB)
		scale[ch], k0[ch], k1[ch] = ws[ch]*inv, T(sum/float64(rows)), T(dot/o.divisor)*inv
	}
	t.floats.Put(l.sums)
	t.done(o.w, ws)
	if x.needs {
		g, block := t.gradientOf(x), t.normBlock(rows, c)
		for from := 0; from < rows; from += block {
			to := min(from+block, rows)
			xs, dys, dxs := t.read(x, from*c, to*c), t.readGrad(o.y, from*c, to*c), t.gradRoom(g, from*c, to*c)
			parallel(t, to-from, normRows(c), normalizeBackLoop[T]{dxs, dys, xs, o.mean, scale, k0, k1, g.add})
			t.keepGrad(g, from*c, dxs)
			t.done(x, xs)
			t.doneGrad(o.y, dys)
		}
	}
	for _, s := range [][]T{scale, k0, k1, o.mean, o.inv} {
		t.floats.Put(s)
	}
}

type normalizeBackLoop[T kernel.Float] struct {
	dx, dy, x, mean, scale, k0, k1 []T
	add                            bool
}

func (l *normalizeBackLoop[T]) run(_, from, to int) {
	c := len(l.mean)
	a, b := from*c, to*c
	kernel.NormalizeBack(l.dx[a:b], l.dy[a:b], l.x[a:b], l.mean, l.scale, l.k0, l.k1, l.add)
}

func accumulate[T kernel.Float](to []T, i int, v T, add bool) {
	if add {
		v += to[i]
	}
	to[i] = v
}
