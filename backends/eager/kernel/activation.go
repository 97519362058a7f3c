package kernel

import "math"

// ReLU sets y to max(x, 0); NaN stays NaN. Exact.
func ReLU[T Float](y, x []T) {
	y = y[:len(x)]
	if exactly(len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(y), head(x)
		if Is32[T]() {
			reluLoopF32(&a)
		} else {
			reluLoopF64(&a)
		}
		return
	}
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// ReLUBack sets dx to dy where y, the output of ReLU, is not zero, else to 0. Exact.
func ReLUBack[T Float](dx, dy, y []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	if exactly(len(y)) {
		a := vectorArgs{n: len(y), rows: 1}
		a.slices[0], a.slices[1], a.slices[2] = head(dx), head(dy), head(y)
		if Is32[T]() {
			reluBackLoopF32(&a)
		} else {
			reluBackLoopF64(&a)
		}
		return
	}
	for i, v := range y {
		g := dy[i]
		if v == 0 {
			g = 0
		}
		dx[i] = g
	}
}

// Sigmoid sets y to 1/(1+exp(-x)), in float32 within 2.5 ulp.
func Sigmoid[T Float](y, x []T) {
	y = y[:len(x)]
	if vectorized[T](len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(y), head(x)
		sigmoidLoopF32(&a)
		return
	}
	if Is32[T]() {
		for i, v := range x {
			y[i] = T(sigmoid32(float32(v)))
		}
		return
	}
	for i, v := range x {
		y[i] = T(1 / (1 + math.Exp(-float64(v))))
	}
}

// Tanh sets y to tanh(x), in float32 within 3 ulp.
func Tanh[T Float](y, x []T) {
	y = y[:len(x)]
	if vectorized[T](len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(y), head(x)
		tanhLoopF32(&a)
		return
	}
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

// Exp sets y to exp(x), in float32 within 1.2 ulp, subnormal results included.
func Exp[T Float](y, x []T) {
	y = y[:len(x)]
	if vectorized[T](len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(y), head(x)
		expLoopF32(&a)
		return
	}
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

// SigmoidBack sets dx to dy*y*(1-y), where y is the output of Sigmoid.
func SigmoidBack[T Float](dx, dy, y []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	if vectorized[T](len(y)) {
		a := vectorArgs{n: len(y), rows: 1}
		a.slices[0], a.slices[1], a.slices[2] = head(dx), head(dy), head(y)
		sigmoidBackLoopF32(&a)
		return
	}
	for i, v := range y {
		dx[i] = dy[i] * v * (1 - v)
	}
}

// GELU sets y to x*Phi(x), exact in the sense of the paper: by the distribution
// function Phi itself, not by a tanh (Hendrycks and Gimpel, Gaussian Error
// Linear Units, 2016, arXiv:1606.08415). In float32 within 6 ulp where the result
// is above 1e-36, and 9 below.
func GELU[T Float](y, x []T) {
	y = y[:len(x)]
	if vectorized[T](len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1] = head(y), head(x)
		geluLoopF32(&a)
		return
	}
	for i, v := range x {
		y[i] = T(float64(v) * normalCDF(float64(v)))
	}
}

// GELUBack sets dx to dy*(Phi(x) + x*density(x)).
func GELUBack[T Float](dx, dy, x []T) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	if vectorized[T](len(x)) {
		a := vectorArgs{n: len(x), rows: 1}
		a.slices[0], a.slices[1], a.slices[2] = head(dx), head(dy), head(x)
		geluBackLoopF32(&a)
		return
	}
	for i, v := range x {
		z := float64(v)
		density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		dx[i] = dy[i] * T(normalCDF(z)+z*density)
	}
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

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

// sigmoid32 is 1/(1+exp(-x)) to about 2 ulp: for negative x exp(x)/(1+exp(x)),
// so that no result is lost to overflow.
func sigmoid32(x float32) float32 {
	if x < 0 {
		e := exp32(x)
		return e / (1 + e)
	}
	return 1 / (1 + exp32(-x))
}

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
