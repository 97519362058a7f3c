package kernel

// Fill sets every element of x to v.
func Fill[T Float](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

// Add adds x to y; both have the same length. Exact.
func Add[T Float](y, x []T) {
	x = x[:len(y)]
	if exactly(len(y)) {
		addRows(y, x, 1, 0, 0)
		return
	}
	for i, v := range x {
		y[i] += v
	}
}

// addRows adds rows of x to rows of y, that many elements apart, by vectors.
// Rows have the length of the shorter slice.
func addRows[T Float](y, x []T, rows, nextY, nextX int) {
	a := vectorArgs{n: min(len(x), len(y)), rows: rows}
	a.slices[0], a.slices[1] = head(y), head(x)
	strides[T](&a, nextY, nextX)
	if Is32[T]() {
		addLoopF32(&a)
	} else {
		addLoopF64(&a)
	}
}

// AddToRows adds row to each row of y[rows, len(row)]: a bias. Exact.
func AddToRows[T Float](y, row []T) {
	n := len(row)
	if n == 0 || len(y) < n {
		return
	}
	if exactly(n) {
		addRows(y, row, len(y)/n, n, 0)
		return
	}
	for ; len(y) >= n; y = y[n:] {
		Add(y[:n], row)
	}
}

// SumRows sets sum[j], or with acc adds to it, the sum over the rows of
// x[rows, len(sum)], in their order. Exact.
func SumRows[T Float](sum, x []T, acc bool) {
	n := len(sum)
	if n == 0 {
		return
	}
	SumColumns(sum, x, len(x)/n, n, acc)
}

// SumColumns is SumRows of so many rows that begin ld elements apart.
func SumColumns[T Float](sum, x []T, rows, ld int, acc bool) {
	if !acc {
		clear(sum)
	}
	n := len(sum)
	if n == 0 || rows == 0 {
		return
	}
	x = x[:(rows-1)*ld+n]
	if exactly(n) {
		addRows(sum, x, rows, 0, ld)
		return
	}
	for r := range rows {
		Add(sum, x[r*ld:][:n])
	}
}

// Copy sets y to x, or with acc adds x to y.
func Copy[T Float](y, x []T, acc bool) {
	if acc {
		Add(y, x)
	} else {
		copy(y, x)
	}
}

// Scale multiplies every element of x by v. Exact.
func Scale[T Float](x []T, v T) {
	if exactly(len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(x), head(x)
		factors(&a, v)
		if Is32[T]() {
			scaleLoopF32(&a)
		} else {
			scaleLoopF64(&a)
		}
		return
	}
	for i := range x {
		x[i] *= v
	}
}

// AddScaled adds v*x to y, in float32 rounded once where the processor does so.
func AddScaled[T Float](y, x []T, v T) {
	x = x[:len(y)]
	if vectorized[T](len(y)) {
		a := vectorArgs{n: len(y), rows: 1}
		a.slices[0], a.slices[1] = head(y), head(x)
		factors(&a, v)
		addScaledLoopF32(&a)
		return
	}
	for i, w := range x {
		y[i] += v * w
	}
}

// Dot is the sum of x[i]*y[i], in interleaved sums: four, or one per element of a vector.
func Dot[T Float](x, y []T) T {
	y = y[:len(x)]
	if vectorized[T](len(x)) {
		var sum [1]T
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1], a.slices[2] = head(sum[:]), head(x), head(y)
		dotLoopF32(&a)
		return sum[0]
	}
	var s0, s1, s2, s3 T
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// Sum is the sum of x, in interleaved sums: four, or one per element of a vector.
func Sum[T Float](x []T) T {
	if vectorized[T](len(x)) {
		var sum [1]T
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(sum[:]), head(x)
		sumLoopF32(&a)
		return sum[0]
	}
	var s0, s1, s2, s3 T
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a := x[i : i+4 : i+4]
		s0 += a[0]
		s1 += a[1]
		s2 += a[2]
		s3 += a[3]
	}
	for ; i < len(x); i++ {
		s0 += x[i]
	}
	return (s0 + s1) + (s2 + s3)
}
