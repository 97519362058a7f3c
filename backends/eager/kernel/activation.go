package kernel

import "math"

// ReLU sets y to max(x, 0); NaN stays NaN.
func ReLU[T Float](y, x []T) {
	y = y[:len(x)]
	done := reluVector(y, x)
	for i, v := range x[done:] {
		if v < 0 {
			v = 0
		}
		y[done+i] = v
	}
}

// ReLUBack sets dx to dy where y, the output of ReLU, is not zero.
func ReLUBack[T Float](dx, dy, y []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	done := reluBackVector(dx, dy, y)
	for i, v := range y[done:] {
		g := dy[done+i]
		if v == 0 {
			g = 0
		}
		dx[done+i] = g
	}
}

// Sigmoid sets y to 1/(1+exp(-x)).
func Sigmoid[T Float](y, x []T) {
	y = y[:len(x)]
	if Is32[T]() {
		for i, v := range x {
			y[i] = T(1 / (1 + exp32(float32(-v))))
		}
		return
	}
	for i, v := range x {
		y[i] = T(1 / (1 + math.Exp(-float64(v))))
	}
}

// Tanh sets y to tanh(x).
func Tanh[T Float](y, x []T) {
	y = y[:len(x)]
	if Is32[T]() {
		for i, v := range x {
			y[i] = T(tanh32(float32(v)))
		}
		return
	}
	for i, v := range x {
		y[i] = T(math.Tanh(float64(v)))
	}
}

// Exp sets y to exp(x).
func Exp[T Float](y, x []T) {
	y = y[:len(x)]
	if Is32[T]() {
		for i, v := range x {
			y[i] = T(exp32(float32(v)))
		}
		return
	}
	for i, v := range x {
		y[i] = T(math.Exp(float64(v)))
	}
}

// Softmax replaces x by exp(x)/sum(exp(x)), shifted by the maximum.
func Softmax[T Float](x []T) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	for i := range x {
		x[i] -= top
	}
	Exp(x, x)
	Scale(x, 1/Sum(x))
}

// exp32 is exp(x) to about 1 ulp: x = n ln 2 + r with |r| <= ln 2 / 2, and
// exp(r) by the polynomial of Cephes (Moshier) expf.c.
func exp32(x float32) float32 {
	const (
		log2e = 1.44269504088896341
		ln2Hi = 0.693359375 // n*ln2Hi is exact
		ln2Lo = -2.12194440e-4
	)
	switch {
	case x != x:
		return x
	case x > 88.72283: // exp(x) passes the largest float32
		return float32(math.Inf(1))
	case x < -103.9: // below half of the smallest subnormal
		return 0
	}
	n := float32(math.Floor(float64(x*log2e) + 0.5))
	r := x - n*ln2Hi
	r -= n * ln2Lo
	p := float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	p = p*r*r + r + 1
	// Two factors, so that neither the largest nor a subnormal result needs an
	// exponent out of range.
	half := int32(n) / 2
	return p * pow2(half) * pow2(int32(n)-half)
}

// pow2 is 2^n for -126 <= n <= 127.
func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// tanh32 is tanh(x) to about 2 ulp, as Cephes (Moshier) tanhf.c.
func tanh32(x float32) float32 {
	a := x
	if a < 0 {
		a = -a
	}
	switch {
	case x != x:
		return x
	case a > 9.1: // 1 to the last bit
		return float32(math.Copysign(1, float64(x)))
	case a >= 0.625:
		y := 1 - 2/(exp32(2*a)+1)
		if x < 0 {
			return -y
		}
		return y
	}
	z := x * x
	p := float32(-5.70498872745e-3)
	p = p*z + 2.06390887954e-2
	p = p*z - 5.37397155531e-2
	p = p*z + 1.33314422036e-1
	p = p*z - 3.33332819422e-1
	return p*z*x + x
}
