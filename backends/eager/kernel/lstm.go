package kernel

import (
	"math"
	"unsafe"
)

// LSTMStep is one step of rows examples of an LSTM of h units, whose elements
// lie so far apart from example to example as the strides say. A slice begins at
// the first example's row of the step; I, F, G and O may be parts of one slice.
type LSTMStep[T Float] struct {
	Rows, H    int
	I, F, G, O []T // gates: sums on the way in, after their activations on the way out
	Before, C  []T // the cell before and after the step
	Y          []T // the hidden state after the step
	Gates      int // stride of I, F, G, O
	Cells      int // of C and, unless it is 0, of Before
	Hidden     int // of Y
	NoBefore   bool
}

// Forward makes the step: i,f,o = sigmoid(...), g = tanh(...), c = f*before + i*g,
// y = o*tanh(c). With NoBefore all examples share the row Before.
func (s *LSTMStep[T]) Forward() {
	h, before := s.H, s.Cells
	if s.NoBefore {
		before = 0
	}
	if vectorized[T](s.Rows * h) {
		a := vectorArgs{n: h, rows: s.Rows}
		a.slices = lstmSlices(s)
		a.slices[6] = head(s.Y[:(s.Rows-1)*s.Hidden+h])
		strides[T](&a, s.Gates, s.Gates, s.Gates, s.Gates, before, s.Cells, s.Hidden)
		lstmLoopF32(&a)
		return
	}
	for r := range s.Rows {
		i, f, g, o := s.I[r*s.Gates:][:h], s.F[r*s.Gates:][:h], s.G[r*s.Gates:][:h], s.O[r*s.Gates:][:h]
		c, old, y := s.C[r*s.Cells:][:h], s.Before[r*before:][:h], s.Y[r*s.Hidden:][:h]
		Sigmoid(i, i)
		Sigmoid(f, f)
		Tanh(g, g)
		Sigmoid(o, o)
		for j := range c {
			c[j] = f[j]*old[j] + i[j]*g[j]
		}
		Tanh(y, c)
		for j := range y {
			y[j] *= o[j]
		}
	}
}

// Back replaces the gates of the step by the gradients of their sums, and dc
// by the gradient of the cell before, from the gradients dy of Y, of which
// dh is the part that comes from the step after. Examples of dy lie Hidden apart,
// those of dh and dc H. The tanh of the cell is computed again.
func (s *LSTMStep[T]) Back(dy, dh, dc []T) {
	h, before := s.H, s.Cells
	if s.NoBefore {
		before = 0
	}
	if vectorized[T](s.Rows * h) {
		a := vectorArgs{n: h, rows: s.Rows}
		a.slices = lstmSlices(s)
		a.slices[6], a.slices[7], a.slices[8] = head(dy[:(s.Rows-1)*s.Hidden+h]), head(dh[:s.Rows*h]), head(dc[:s.Rows*h])
		strides[T](&a, s.Gates, s.Gates, s.Gates, s.Gates, before, s.Cells, s.Hidden, h, h)
		lstmBackLoopF32(&a)
		return
	}
	for r := range s.Rows {
		lstmRowBack(s.I[r*s.Gates:][:h], s.F[r*s.Gates:][:h], s.G[r*s.Gates:][:h], s.O[r*s.Gates:][:h],
			s.Before[r*before:][:h], s.C[r*s.Cells:][:h], dy[r*s.Hidden:][:h], dh[r*h:][:h], dc[r*h:][:h])
	}
}

// lstmSlices are the arguments that both ways share; it panics where a slice is too short.
func lstmSlices[T Float](s *LSTMStep[T]) (slices [12]unsafe.Pointer) {
	last := s.Rows - 1
	gates, cells := last*s.Gates+s.H, last*s.Cells+s.H
	slices[0], slices[1], slices[2], slices[3] = head(s.I[:gates]), head(s.F[:gates]), head(s.G[:gates]), head(s.O[:gates])
	if s.NoBefore {
		slices[4] = head(s.Before[:s.H])
	} else {
		slices[4] = head(s.Before[:cells])
	}
	slices[5] = head(s.C[:cells])
	return slices
}

// lstmRowBack is Back for one example.
func lstmRowBack[T Float](zi, zf, zg, zo, before, cell, dy, dh, dc []T) {
	for j, v := range cell {
		i, f, g, o := zi[j], zf[j], zg[j], zo[j]
		var tc T
		if Is32[T]() {
			tc = T(tanh32(float32(v)))
		} else {
			tc = T(math.Tanh(float64(v)))
		}
		d := dy[j] + dh[j]
		c := dc[j] + d*o*(1-tc*tc)
		zo[j] = d * tc * o * (1 - o)
		zi[j] = c * g * i * (1 - i)
		zg[j] = c * i * (1 - g*g)
		zf[j] = c * before[j] * f * (1 - f)
		dc[j] = c * f
	}
}

// MulBias is Mul without acc, with bias added to each row of C.
func (l *Lane[T]) MulBias(m, n, k int, a, b Matrix[T], c []T, ldc int, bias []T) {
	l.tile.check(m, n, k, a, b, c, ldc, bias)
	l.mul(0, m, 0, n, k, a, b, c, ldc, false, Epilogue[T]{Bias: bias})
}
