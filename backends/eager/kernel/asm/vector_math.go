package main

// The functions of float32 that vector loops share. Their error bounds are in
// the parent package beside the tests that hold them.

// Reduction of an exponent: x = n ln 2 + r with |r| <= ln 2 / 2, where n*ln2High
// is exact (Cody and Waite, Software Manual for the Elementary Functions, 1980).
const (
	log2e   = 1.44269504088896341
	ln2High = 0.693359375
	ln2Low  = -2.12194440e-4
)

// expTail is (exp(r)-1-r)/r^2: the polynomial of Cephes (Moshier) expf.c.
var expTail = []float64{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}

func (p *program) polynomial(x value, c []float64) value {
	sum := p.inRegister(p.number(c[0]))
	for _, k := range c[1:] {
		sum = p.fma(sum, x, p.number(k))
	}
	return sum
}

func (p *program) reduce(x value) (n, r value) {
	n = p.round(p.mul(x, p.number(log2e)))
	r = p.fnma(n, p.number(ln2High), x)
	return n, p.fnma(n, p.number(ln2Low), r)
}

// exp clamps x to where the result is neither infinite nor zero, and a little
// beyond, NaN excepted.
func (p *program) exp(x value) value {
	x = p.max(p.number(-104), p.min(p.number(89), x))
	n, r := p.reduce(x)
	return p.scale(p.fma(p.fma(p.polynomial(r, expTail), r, p.number(1)), r, p.number(1)), n)
}

// scale is x*2^n, rounded once. AVX2 multiplies by two powers, so that neither
// the largest nor a subnormal result needs an exponent out of range.
func (p *program) scale(x, n value) value {
	if p.isa.wide {
		return p.two("VSCALEF", x, n)
	}
	whole := p.emit("VCVTPS2DQ", 0, n)
	half := p.emit("shift", -1, whole)
	rest := p.emit("VPSUBD", 0, whole, half)
	return p.mul(p.mul(x, p.power(half)), p.power(rest))
}

// power is 2^n for 32-bit integers n from -126 to 127.
func (p *program) power(n value) value {
	return p.emit("shift", 23, p.emit("VPADDD", 0, n, p.bits(127)))
}

// sigmoid is 1/(1+exp(-x)), for negative x exp(x)/(1+exp(x)): so no result is lost to overflow.
func (p *program) sigmoid(x value) value {
	e := p.exp(p.or(x, p.sign()))
	top := p.choose(lessThan, x, p.number(0), e, p.number(1))
	return p.div(top, p.add(e, p.number(1)))
}

// tanh is -m/(2+m) with m = exp(-2|x|)-1 to full relative accuracy, and the sign of x.
func (p *program) tanh(x value) value {
	sign := p.and(x, p.sign())
	y := p.or(x, p.sign())
	y = p.max(p.number(-40), p.add(y, y))
	n, r := p.reduce(y)
	m := p.fma(p.mul(r, r), p.polynomial(r, expTail), r) // exp(r)-1
	var s value
	if p.isa.wide {
		s = p.two("VSCALEF", p.number(1), n)
	} else {
		s = p.power(p.emit("VCVTPS2DQ", 0, n))
	}
	m = p.fma(m, s, p.sub(s, p.number(1)))
	t := p.div(m, p.add(m, p.number(2))) // not positive
	return p.or(p.and(t, p.magnitude()), sign)
}

// millsRatio is exp(a^2/2)*Phi(-a)/t for t = 1/(1+0.35a), a >= 0, to a relative
// 3.2e-9: our own least-squares fit, reweighted until its errors were level
// (Lawson 1961), on 0 to 14.5.
var millsRatio = []float64{
	-0.029156872771478576, 0.14402651316786297, -0.25583092421133696, 0.15931156490579465, -0.023207458977815426,
	0.1055507033959766, 0.11982168050998687, 0.13986346900198382, 0.13962130910812795,
}

// normal is the distribution function of the normal distribution at x, and
// exp(-x^2/2). The square is exact: what its rounding loses is made good.
func (p *program) normal(x value) (phi, e value) {
	a := p.min(p.number(15), p.and(x, p.magnitude()))
	t := p.div(p.number(1), p.fma(a, p.number(0.35), p.number(1)))
	half := p.mul(a, p.number(-0.5))
	square := p.mul(half, a)
	lost := p.fms(half, a, square)
	e = p.exp(square)
	e = p.fma(e, lost, e)
	tail := p.mul(p.mul(e, t), p.polynomial(t, millsRatio))
	return p.choose(lessThan, x, p.number(0), tail, p.sub(p.number(1), tail)), e
}

// flush is v with zeros for elements nearer to zero than tiny.
func (p *program) flush(v, tiny value) value {
	return p.choose(lessThan, p.and(v, p.magnitude()), tiny, p.number(0), v)
}

// sign and magnitude are masks of a number's bits.
func (p *program) sign() value { return p.bits(1 << (8*p.e.size - 1)) }

func (p *program) magnitude() value { return p.bits(1<<(8*p.e.size-1) - 1) }
