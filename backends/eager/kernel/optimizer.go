package kernel

import "math"

// AdamStep holds the factors of one Adam update:
//
//	m = beta1*m + (1-beta1)*g;  v = beta2*v + (1-beta2)*g*g
//	p -= rate * m / (sqrt(v)*root + epsilon)
type AdamStep struct{ Beta1, Beta2, Rate, Root, Epsilon float64 }

// Adam updates p, m and v from the gradient g. Moments below the smallest
// normal number of T become zero: arithmetic on subnormals costs ten times as
// much, and their share in the update is far below epsilon. Exact.
func Adam[T Float](p, g, m, v []T, s AdamStep) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	b1, c1, b2, c2 := T(s.Beta1), T(1-s.Beta1), T(s.Beta2), T(1-s.Beta2)
	rate, root, eps := T(s.Rate), T(s.Root), T(s.Epsilon)
	tiny := smallestNormal[T]()
	if exactly(len(p)) {
		a := vectorArgs{n: len(p), rows: 1}
		a.slices[0], a.slices[1], a.slices[2], a.slices[3] = head(p), head(g), head(m), head(v)
		factors(&a, b1, c1, b2, c2, rate, root, eps, tiny)
		if Is32[T]() {
			adamLoopF32(&a)
		} else {
			adamLoopF64(&a)
		}
		return
	}
	for i := range g {
		d := g[i]
		a := b1*m[i] + c1*d
		if a < tiny && a > -tiny {
			a = 0
		}
		b := b2*v[i] + c2*d*d
		if b < tiny {
			b = 0
		}
		m[i], v[i] = a, b
		p[i] -= rate * a / (T(math.Sqrt(float64(b)))*root + eps)
	}
}

// Momentum updates v = momentum*v + gain*g and p -= rate*v. Exact.
func Momentum[T Float](p, g, v []T, rate, momentum, gain float64) {
	g, v = g[:len(p)], v[:len(p)]
	mu, k, r := T(momentum), T(gain), T(rate)
	tiny := smallestNormal[T]()
	if exactly(len(p)) {
		a := vectorArgs{n: len(p), rows: 1}
		a.slices[0], a.slices[1], a.slices[2] = head(p), head(g), head(v)
		factors(&a, mu, k, r, tiny)
		if Is32[T]() {
			momentumLoopF32(&a)
		} else {
			momentumLoopF64(&a)
		}
		return
	}
	for i := range g {
		a := mu*v[i] + k*g[i]
		if a < tiny && a > -tiny {
			a = 0
		}
		v[i] = a
		p[i] -= r * a
	}
}

func smallestNormal[T Float]() T {
	if Is32[T]() {
		return T(math.Float32frombits(1 << 23))
	}
	tiny := math.Float64frombits(1 << 52)
	return T(tiny)
}
