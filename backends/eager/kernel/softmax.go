package kernel

// Softmax replaces x by exp(x)/sum(exp(x)), shifted by the maximum.
func Softmax[T Float](x []T) {
	SoftmaxRows(x, x, nil, nil, len(x), 1, 1)
}

// SoftmaxRows sets each row of y[rows, n] to gain*exp(scale*x)/sum, where sum is
// that of exp(scale*x) over the row. Exponents are shifted by the row's largest
// scale*x, scale > 0; top[i] is row i's largest x and sum[i] the shifted sum,
// unless both are nil. y may be x.
func SoftmaxRows[T Float](y, x, top, sum []T, n int, scale, gain T) {
	rows := len(x) / n
	y = y[:rows*n]
	next := 1
	var one [2]T
	if top == nil {
		top, sum, next = one[:1], one[1:], 0
	}
	if rows > 0 {
		top, sum = top[:(rows-1)*next+1], sum[:(rows-1)*next+1]
	}
	if vectorized[T](rows * n) {
		a := vectorArgs{n: n, rows: rows}
		a.slices[0], a.slices[1], a.slices[2], a.slices[3] = head(y), head(x), head(top), head(sum)
		strides[T](&a, n, n, next, next)
		factors(&a, scale, gain)
		softmaxLoopF32(&a)
		return
	}
	for r := range rows {
		from, to := x[r*n:][:n], y[r*n:][:n]
		high := from[0]
		for _, v := range from {
			high = max(high, v)
		}
		shift := scale * high
		for i, v := range from {
			to[i] = scale*v - shift
		}
		Exp(to, to)
		all := Sum(to)
		top[r*next], sum[r*next] = high, all
		Scale(to, gain/all)
	}
}

// SoftmaxBack replaces each row s[n] of the gradients of softmax's results p by
// the gradients of its inputs, times scale: p*(s - dot(p,s))*scale.
func SoftmaxBack[T Float](s, p []T, n int, scale T) {
	rows := len(s) / n
	p = p[:rows*n]
	if vectorized[T](rows * n) {
		a := vectorArgs{n: n, rows: rows}
		a.slices[0], a.slices[1] = head(s), head(p)
		strides[T](&a, n, n)
		factors(&a, scale)
		softmaxBackLoopF32(&a)
		return
	}
	for r := range rows {
		pr, sr := p[r*n:][:n], s[r*n:][:n]
		dot := Dot(pr, sr)
		for j, v := range pr {
			sr[j] = v * (sr[j] - dot) * scale
		}
	}
}
