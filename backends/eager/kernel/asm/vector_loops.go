package main

import "math"

// vectorLoop is a loop over rows of slices. double: it exists for float64 too,
// whose programs may not call a function of vector_math.go.
type vectorLoop struct {
	name   string
	slices int
	double bool
	body   func(p *program)
}

// vectorLoops lists the loops. The order of slices and factors is that of the
// Go functions that call them. Where a comment says "exact", the program does
// the operations of the portable code in their order, and gives the same bits.
var vectorLoops = []vectorLoop{
	{"addLoop", 2, true, func(p *program) { // y += x; exact
		p.pass(func() { p.store(0, p.add(p.load(0), p.load(1))) })
	}},
	{"scaleLoop", 2, true, func(p *program) { // y = s*x; exact
		s := p.factor(0)
		p.straight()
		p.pass(func() { p.store(0, p.mul(s, p.load(1))) })
	}},
	{"addScaledLoop", 2, false, func(p *program) { // y += s*x
		s := p.factor(0)
		p.straight()
		p.pass(func() { p.store(0, p.fma(s, p.load(1), p.load(0))) })
	}},
	{"reluLoop", 2, true, func(p *program) { // exact; of NaN, and of zeros, the maximum is the second operand
		p.pass(func() { p.store(0, p.max(p.number(0), p.load(1))) })
	}},
	{"reluBackLoop", 3, true, func(p *program) { // dx, dy, y; exact
		p.pass(func() {
			p.store(0, p.choose(notEqual, p.load(2), p.number(0), p.load(1), p.number(0)))
		})
	}},
	{"momentumLoop", 3, true, func(p *program) { // p, g, v; momentum, gain, rate, tiny; exact
		mu, gain, rate, tiny := p.factor(0), p.factor(1), p.factor(2), p.factor(3)
		p.straight()
		p.pass(func() {
			v := p.flush(p.add(p.mul(mu, p.load(2)), p.mul(gain, p.load(1))), tiny)
			p.store(2, v)
			p.store(0, p.sub(p.load(0), p.mul(rate, v)))
		})
	}},
	{"adamLoop", 4, true, func(p *program) { // p, g, m, v; beta1, 1-beta1, beta2, 1-beta2, rate, root, epsilon, tiny; exact
		var f [8]value
		for i := range f {
			f[i] = p.factor(i)
		}
		p.straight()
		p.pass(func() {
			d := p.load(1)
			m := p.flush(p.add(p.mul(f[0], p.load(2)), p.mul(f[1], d)), f[7])
			p.store(2, m)
			v := p.flush(p.add(p.mul(f[2], p.load(3)), p.mul(p.mul(f[3], d), d)), f[7])
			p.store(3, v)
			step := p.div(p.mul(f[4], m), p.add(p.mul(p.sqrt(v), f[5]), f[6]))
			p.store(0, p.sub(p.load(0), step))
		})
	}},
	{"sumLoop", 2, false, func(p *program) { // out (one per row), x
		p.straight()
		sum := p.accumulator(0)
		p.pass(func() { p.accumulate("VADD", sum, p.load(1)) })
		p.storeRow(0, p.across("VADD", sum))
	}},
	{"dotLoop", 3, false, func(p *program) { // out (one per row), x, y
		p.straight()
		sum := p.accumulator(0)
		p.pass(func() { p.accumulateProduct(sum, p.load(1), p.load(2)) })
		p.storeRow(0, p.across("VADD", sum))
	}},
	{"expLoop", 2, false, func(p *program) { p.pass(func() { p.store(0, p.exp(p.load(1))) }) }},
	{"sigmoidLoop", 2, false, func(p *program) { p.pass(func() { p.store(0, p.sigmoid(p.load(1))) }) }},
	{"tanhLoop", 2, false, func(p *program) { p.pass(func() { p.store(0, p.tanh(p.load(1))) }) }},
	{"sigmoidBackLoop", 3, false, func(p *program) { // dx, dy, y
		p.pass(func() {
			y := p.load(2)
			p.store(0, p.mul(p.mul(p.load(1), y), p.sub(p.number(1), y)))
		})
	}},
	{"geluLoop", 2, false, func(p *program) {
		p.pass(func() {
			x := p.load(1)
			phi, _ := p.normal(x)
			p.store(0, p.mul(x, phi))
		})
	}},
	{"geluBackLoop", 3, false, func(p *program) { // dx, dy, x: dy*(Phi(x)+x*density(x))
		p.pass(func() {
			x := p.load(2)
			phi, e := p.normal(x)
			density := p.mul(e, p.number(0.3989422804014327))
			p.store(0, p.mul(p.load(1), p.fma(p.load(2), density, phi)))
		})
	}},
	{"softmaxLoop", 4, false, func(p *program) { // y, x, top and sum (one per row); scale, gain
		scale, gain := p.factor(0), p.factor(1)
		p.straight()
		top := p.accumulator(math.Inf(-1))
		p.pass(func() { p.accumulate("VMAX", top, p.load(1)) })
		high := p.across("VMAX", top)
		p.storeRow(2, high)
		shift := p.mul(scale, high)
		sum := p.accumulator(0)
		p.pass(func() {
			e := p.exp(p.sub(p.mul(scale, p.load(1)), shift))
			p.store(0, e)
			p.accumulate("VADD", sum, e)
		})
		all := p.across("VADD", sum)
		p.storeRow(3, all)
		each := p.div(gain, all)
		p.pass(func() { p.store(0, p.mul(each, p.load(0))) })
	}},
	{"softmaxBackLoop", 2, false, func(p *program) { // s, p: s = p*(s-dot(p,s))*scale
		scale := p.factor(0)
		p.straight()
		sum := p.accumulator(0)
		p.pass(func() { p.accumulateProduct(sum, p.load(0), p.load(1)) })
		dot := p.across("VADD", sum)
		p.pass(func() { p.store(0, p.mul(p.mul(p.load(1), p.sub(p.load(0), dot)), scale)) })
	}},
	{"layerNormLoop", 6, false, func(p *program) { // y, x, w, b, mean and inv (one per row); elements, epsilon
		n, epsilon := p.factor(0), p.factor(1)
		p.straight()
		sum := p.accumulator(0)
		p.pass(func() { p.accumulate("VADD", sum, p.load(1)) })
		mean := p.div(p.across("VADD", sum), n)
		p.storeRow(4, mean)
		squares := p.accumulator(0)
		p.pass(func() {
			d := p.sub(p.load(1), mean)
			p.accumulateProduct(squares, d, d)
		})
		variance := p.div(p.across("VADD", squares), n)
		inv := p.div(p.number(1), p.sqrt(p.add(variance, epsilon)))
		p.storeRow(5, inv)
		p.pass(func() {
			p.store(0, p.fma(p.mul(p.sub(p.load(1), mean), inv), p.load(2), p.load(3)))
		})
	}},
	{"layerNormBackLoop", 6, false, layerNormBack(false)}, // dx, dy, x, w, mean and inv (one per row); elements
	{"layerNormBackAddLoop", 6, false, layerNormBack(true)},
	{"normSumsLoop", 6, false, func(p *program) { // dw, db, dy, x, mean and inv (one per row): dw += dy*(x-mean)*inv, db += dy
		p.straight()
		mean, inv := p.loadRow(4), p.loadRow(5)
		p.pass(func() {
			dy := p.load(2)
			p.store(0, p.fma(dy, p.mul(p.sub(p.load(3), mean), inv), p.load(0)))
			p.store(1, p.add(p.load(1), dy))
		})
	}},
	{"lstmLoop", 7, false, func(p *program) { // i, f, g, o, c before, c, h: a step of LSTM
		p.pass(func() {
			i := p.sigmoid(p.load(0))
			p.store(0, i)
			cand := p.tanh(p.load(2))
			p.store(2, cand)
			in := p.mul(i, cand)
			f := p.sigmoid(p.load(1))
			p.store(1, f)
			c := p.fma(f, p.load(4), in)
			p.store(5, c)
			th := p.tanh(c)
			o := p.sigmoid(p.load(3))
			p.store(3, o)
			p.store(6, p.mul(o, th))
		})
	}},
	{"lstmBackLoop", 9, false, func(p *program) { // i, f, g, o, c before, c, dy, dh, dc: see LSTMBack
		one := func() value { return p.number(1) }
		p.pass(func() {
			th := p.tanh(p.load(5))
			d, o := p.add(p.load(6), p.load(7)), p.load(3)
			p.store(3, p.mul(p.mul(p.mul(d, th), o), p.sub(one(), o)))
			dc := p.fma(p.mul(d, o), p.fnma(th, th, p.inRegister(one())), p.load(8))
			f := p.load(1)
			p.store(1, p.mul(p.mul(p.mul(dc, p.load(4)), f), p.sub(one(), f)))
			p.store(8, p.mul(dc, f))
			i, cand := p.load(0), p.load(2)
			p.store(0, p.mul(p.mul(p.mul(dc, cand), i), p.sub(one(), i)))
			p.store(2, p.mul(p.mul(dc, i), p.fnma(cand, cand, p.inRegister(one()))))
		})
	}},
}

// layerNormBack is dx = inv*(dy*w - sum/n - (x-mean)*inv*dot/n), added to what is
// there or not, with sum of dy*w and dot of dy*w and (x-mean)*inv.
func layerNormBack(add bool) func(p *program) {
	return func(p *program) {
		n := p.factor(0)
		p.straight()
		mean, inv := p.loadRow(4), p.loadRow(5)
		sum, dot := p.accumulator(0), p.accumulator(0)
		p.pass(func() {
			g := p.mul(p.load(1), p.load(3))
			p.accumulate("VADD", sum, g)
			p.accumulateProduct(dot, g, p.sub(p.load(2), mean))
		})
		average := p.div(p.across("VADD", sum), n)
		slope := p.mul(p.mul(inv, inv), p.div(p.across("VADD", dot), n))
		p.pass(func() {
			g := p.sub(p.mul(p.load(1), p.load(3)), average)
			dx := p.mul(inv, p.fnma(p.sub(p.load(2), mean), slope, g))
			if add {
				dx = p.add(dx, p.load(0))
			}
			p.store(0, dx)
		})
	}
}
