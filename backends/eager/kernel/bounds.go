package kernel

import "fmt"

// Assembly knows no lengths: an operand that is too short would be read or written
// beyond its end. What callers hand to products and convolutions is therefore held
// to their shapes once per call, before any kernel runs.

// need panics unless operand has as many elements as are needed of it.
func need(operand string, given, needed int) {
	if given < needed {
		tooShort(operand, given, needed)
	}
}

func tooShort(operand string, given, needed int) {
	panic(fmt.Sprintf("kernel: %s has %d elements, expected at least %d", operand, given, needed))
}

// extent is how many elements rows x columns take that lie in such strides.
func extent(rows, columns, row, column int) int { return (rows-1)*row + (columns-1)*column + 1 }

// check holds the operands of C[m,n] = A[m,k] B[k,n] to their shapes.
func (t *tile[T]) check(m, n, k int, a, b Matrix[T], c []T, ldc int, bias []T) {
	if m <= 0 || n <= 0 {
		return
	}
	need("C", len(c), extent(m, n, ldc, 1))
	if bias != nil {
		need("the bias", len(bias), n)
	}
	if k <= 0 {
		return
	}
	need("A", len(a.data), extent(m, k, a.row, a.col))
	t.checkRight(n, k, b)
}

// checkRight is check of B alone.
func (t *tile[T]) checkRight(n, k int, b Matrix[T]) {
	switch {
	case b.tail != nil:
		need("packed B", len(b.packed), n/t.nr*t.nr*k)
		need("the last panel of packed B", len(b.tail), t.nr*k)
	case b.packed != nil:
		need("packed B", len(b.packed), t.packedLen(k, n))
	default:
		need("B", len(b.data), extent(k, n, b.row, b.col))
	}
}

// packedLen is PackedLen.
func (t *tile[T]) packedLen(k, n int) int { return (n + t.nr - 1) / t.nr * t.nr * k }

// check16 is check for bfloat16.
func check16(m, n, k int, a, b Matrix16, c []float32, ldc int) {
	need("C", len(c), extent(m, n, ldc, 1))
	if k > 0 {
		need("A", a.len(), extent(m, k, a.row, a.col))
		need("B", b.len(), extent(k, n, b.row, b.col))
	}
}

// len is the number of elements that m views.
func (m *Matrix16) len() int {
	if m.wide != nil {
		return len(m.wide)
	}
	return len(m.half)
}

// check holds n images and their outputs to the window.
func (w *Window) check(n, images, outputs int) {
	need("the images", images, n*w.In())
	need("the output", outputs, n*w.Len())
}

// checkPooling holds a pooling to the output of the window, which it reads.
func (w *Window) checkPooling(p *Pooling) {
	if h, wd := w.Out(); p.H != h || p.W != wd || p.C != w.F {
		panic(fmt.Sprintf("kernel: the pooling is of [%d,%d,%d], the convolution gives [%d,%d,%d]", p.H, p.W, p.C, h, wd, w.F))
	}
}

// weights is the number of elements of the window's weights.
func (w *Window) weights() int { return w.depth() * w.F }
