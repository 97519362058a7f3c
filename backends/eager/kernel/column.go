package kernel

// Loops over the rows of a matrix x[rows, c] with numbers of each column's own:
// the channels of images, the outputs of a layer.

// ColumnSums sets sum[j] to the sum of column j of x[rows, len(sum)], from the first row on.
func ColumnSums[T Float](sum, x []T) {
	c, from := len(sum), columnSumsVector(sum, x)
	if from == c {
		return
	}
	clear(sum[from:])
	for ; len(x) >= c; x = x[c:] {
		to, row := sum[from:], x[from:c]
		for j, v := range row {
			to[j] += v
		}
	}
}

// ColumnSquares sets sum[j] to the sum of (x-mean[j])^2 over column j.
func ColumnSquares[T Float](sum, x, mean []T) {
	c, from := len(sum), columnSquaresVector(sum, x, mean)
	if from == c {
		return
	}
	clear(sum[from:])
	for ; len(x) >= c; x = x[c:] {
		to, m, row := sum[from:], mean[from:c], x[from:c]
		for j, v := range row {
			d := v - m[j]
			to[j] += T(d * d) // not fused, in any build
		}
	}
}

// ColumnDots sets sum[j] to the sum of y*(x-mean[j]) over column j of both.
func ColumnDots[T Float](sum, y, x, mean []T) {
	c, from := len(sum), columnDotsVector(sum, y, x, mean)
	if from == c {
		return
	}
	clear(sum[from:])
	for ; len(x) >= c; x, y = x[c:], y[c:] {
		to, m, row, other := sum[from:], mean[from:c], x[from:c], y[from:c]
		for j, v := range row {
			to[j] += T(other[j] * (v - m[j]))
		}
	}
}

// Normalize sets y to (x-mean[j])*scale[j]+shift[j] in each column j.
func Normalize[T Float](y, x, mean, scale, shift []T) {
	c, from := len(mean), normalizeVector(y, x, mean, scale, shift)
	if from == c {
		return
	}
	for ; len(x) >= c; x, y = x[c:], y[c:] {
		row, to := x[from:c], y[from:c]
		m, s, b := mean[from:], scale[from:c], shift[from:c]
		for j, v := range row {
			to[j] = T((v-m[j])*s[j]) + b[j]
		}
	}
}

// NormalizeBack sets dx, or with acc adds to it, scale[j]*(dy - k0[j] - (x-mean[j])*k1[j]).
func NormalizeBack[T Float](dx, dy, x, mean, scale, k0, k1 []T, acc bool) {
	c, from := len(mean), normalizeBackVector(dx, dy, x, mean, scale, k0, k1, acc)
	if from == c {
		return
	}
	for ; len(x) >= c; x, dy, dx = x[c:], dy[c:], dx[c:] {
		row, g, to := x[from:c], dy[from:c], dx[from:c]
		m, s, k0, k1 := mean[from:], scale[from:c], k0[from:c], k1[from:c]
		for j, v := range row {
			d := T(s[j] * (g[j] - k0[j] - T((v-m[j])*k1[j])))
			if acc {
				d += to[j]
			}
			to[j] = d
		}
	}
}

// Transpose sets dst[j*rows+i] to src[i*cols+j].
func Transpose[T Float](dst, src []T, rows, cols int) {
	j, deep := transposeVector(dst, rows, src, cols, cols, rows)
	if deep < cols {
		packColumns(dst[deep*rows:], rows, src[deep:], cols, cols-deep, 0, j)
	}
	packColumns(dst, rows, src, cols, cols, j, rows)
}
