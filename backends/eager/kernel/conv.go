package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// Conv computes y[n,F,H',W'] from x[n,C,H,W] and filters[F,C,k,k]: one product
// per image. bias may be nil. buf is scratch of PackedLen(depth, filters).
func (m *Math[T]) Conv(n, filters int, x, weight, bias, y, buf []T, win *Window) {
	oh, ow := win.Out()
	in, out, depth := win.C*win.H*win.W, oh*ow, win.Depth()
	left := Rows(weight, depth)
	m.Each(n, func(l *Lane[T], i int) {
		to := y[i*filters*out:][:filters*out]
		if bias != nil {
			for f := range filters {
				Fill(to[f*out:][:out], bias[f])
			}
		}
		l.Mul(filters, out, depth, left, Patches(x[i*in:][:in], win), to, out, bias != nil)
	})
}

// ConvInput computes dx, or with acc adds to it, from dy. buf is scratch of
// PackedLen(filters, depth).
func (m *Math[T]) ConvInput(n, filters int, dy, weight, dx, buf []T, win *Window, acc bool) {
	oh, ow := win.Out()
	in, out, depth := win.C*win.H*win.W, oh*ow, win.Depth()
	left := Rows(weight, depth).T()
	m.Each(n, func(l *Lane[T], i int) {
		l.cols = grow(l.cols, depth*out)
		l.Mul(depth, out, filters, left, Rows(dy[i*filters*out:][:filters*out], out), l.cols, out, false)
		to := dx[i*in:][:in]
		if !acc {
			clear(to)
		}
		AddPatches(to, l.cols, win)
	})
}

// ConvWeight computes dw[F,C,k,k], or with acc adds to it, from x and dy. The
// threads share out the filters or the window's elements, so that each sum
// runs over the images in order.
func (m *Math[T]) ConvWeight(n, filters int, x, dy, dw []T, win *Window, acc bool) {
	oh, ow := win.Out()
	in, out, depth := win.C*win.H*win.W, oh*ow, win.Depth()
	parts := m.pool.Threads()
	m.pool.Run(parts, func(part int) {
		l := m.lanes[part]
		f0, f1, d0, d1 := 0, filters, 0, depth
		if filters >= depth {
			f0, f1 = pool.Span(filters, l.tile.mr, parts, part)
		} else {
			d0, d1 = pool.Span(depth, l.tile.nr, parts, part)
		}
		for i := range n {
			l.mul(f0, f1, d0, d1, out, Rows(dy[i*filters*out:][:filters*out], out), Patches(x[i*in:][:in], win).T(), dw, depth, acc || i > 0, Epilogue[T]{})
		}
	})
}
