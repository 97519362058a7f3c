package kernel

// Fill sets every element of x to v.
func Fill[T Float](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

// Add adds x to y; both have the same length.
func Add[T Float](y, x []T) {
	x = x[:len(y)]
	done := addVector(y, x)
	for i, v := range x[done:] {
		y[done+i] += v
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

// Scale multiplies every element of x by v.
func Scale[T Float](x []T, v T) {
	for i := range x {
		x[i] *= v
	}
}

// Dot is the sum of x[i]*y[i], in four interleaved sums.
func Dot[T Float](x, y []T) T {
	y = y[:len(x)]
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

// Sum is the sum of x, in four interleaved sums.
func Sum[T Float](x []T) T {
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

// SumRows sets sum[j], or with acc adds to it, the sum over the rows of x[rows, len(sum)].
func SumRows[T Float](sum, x []T, acc bool) {
	if !acc {
		clear(sum)
	}
	for n := len(sum); len(x) >= n && n > 0; x = x[n:] {
		Add(sum, x[:n])
	}
}
