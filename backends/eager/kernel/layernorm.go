package kernel

import "math"

// LayerNorm normalises each row of x[rows, len(w)] by its mean and biased
// variance: y = (x-mean)*inv*w + b, inv = 1/sqrt(variance+eps), and sets mean[i]
// and inv[i] for row i.
func LayerNorm[T Float](y, x, w, b, mean, inv []T, eps float64) {
	d := len(w)
	rows := len(x) / d
	y, b, mean, inv = y[:rows*d], b[:d], mean[:rows], inv[:rows]
	if vectorized[T](rows * d) {
		a := vectorArgs{n: d, rows: rows}
		a.slices[0], a.slices[1], a.slices[2], a.slices[3], a.slices[4], a.slices[5] = head(y), head(x), head(w), head(b), head(mean), head(inv)
		strides[T](&a, d, d, 0, 0, 1, 1)
		factors(&a, T(d), T(eps))
		layerNormLoopF32(&a)
		return
	}
	for r := range rows {
		from, to := x[r*d:][:d], y[r*d:][:d]
		m := Sum(from) / T(d)
		s := T(1 / math.Sqrt(float64(SquaresAround(from, m))/float64(d)+eps))
		mean[r], inv[r] = m, s
		for j, v := range from {
			to[j] = (v-m)*s*w[j] + b[j]
		}
	}
}

// LayerNormBack sets, or with add adds to, the gradient dx of x for that of y:
//
//	dx = inv*(g - sum(g)/d - (x-mean)*inv*dot/d)
//
// with g = dy*w, d elements per row and dot the sum of g*(x-mean)*inv.
func LayerNormBack[T Float](dx, dy, x, w, mean, inv []T, add bool) {
	d := len(w)
	rows := len(x) / d
	dx, dy, mean, inv = dx[:rows*d], dy[:rows*d], mean[:rows], inv[:rows]
	if vectorized[T](rows * d) {
		a := vectorArgs{n: d, rows: rows}
		a.slices[0], a.slices[1], a.slices[2], a.slices[3], a.slices[4], a.slices[5] = head(dx), head(dy), head(x), head(w), head(mean), head(inv)
		strides[T](&a, d, d, d, 0, 1, 1)
		factors(&a, T(d))
		if add {
			layerNormBackAddLoopF32(&a)
		} else {
			layerNormBackLoopF32(&a)
		}
		return
	}
	for r := range rows {
		layerNormRowBack(dx[r*d:][:d], dy[r*d:][:d], x[r*d:][:d], w, mean[r], inv[r], add)
	}
}

func layerNormRowBack[T Float](dx, dy, x, w []T, m, s T, add bool) {
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

// LayerNormSums adds to dw and db, for columns from to to of all rows of d
// elements, the sums over the rows of dy*(x-mean)*inv and of dy, in their order.
func LayerNormSums[T Float](dw, db, dy, x, mean, inv []T, d, from, to int) {
	rows := len(x) / d
	dw, db, mean, inv = dw[from:to], db[from:to], mean[:rows], inv[:rows]
	if vectorized[T](rows * (to - from)) {
		dy, x = dy[from:rows*d], x[from:rows*d]
		a := vectorArgs{n: to - from, rows: rows}
		a.slices[0], a.slices[1], a.slices[2], a.slices[3], a.slices[4], a.slices[5] = head(dw), head(db), head(dy), head(x), head(mean), head(inv)
		strides[T](&a, 0, 0, d, d, 1, 1)
		normSumsLoopF32(&a)
		return
	}
	for r := range rows {
		xs, dys, m, s := x[r*d:][from:to], dy[r*d:][from:to], mean[r], inv[r]
		for j, g := range dys {
			dw[j] += g * (xs[j] - m) * s
			db[j] += g
		}
	}
}

// SquaresAround is the sum of (x-m)^2, in four interleaved sums.
func SquaresAround[T Float](x []T, m T) T {
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
