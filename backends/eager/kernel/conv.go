package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// Conv computes y[n,F,H',W'] from x[n,C,H,W] and filters[F,C,k,k]: one product
// per image. bias may be nil.
func (m *Math[T]) Conv(n, filters int, x, weight, bias, y []T, win *Window) {
	oh, ow := win.Out()
	in, out, depth := win.C*win.H*win.W, oh*ow, win.Depth()
	m.images(n, func(w *work[T], i int) {
		to := y[i*filters*out:][:filters*out]
		if bias != nil {
			for f := range filters {
				Fill(to[f*out:][:out], bias[f])
			}
		}
		w.mul(0, filters, 0, out, depth, Rows(weight, depth), Patches(x[i*in:][:in], win), to, out, bias != nil)
	})
}

// ConvInput computes dx, or with acc adds to it, from dy.
func (m *Math[T]) ConvInput(n, filters int, dy, weight, dx []T, win *Window, acc bool) {
	oh, ow := win.Out()
	in, out, depth := win.C*win.H*win.W, oh*ow, win.Depth()
	m.images(n, func(w *work[T], i int) {
		w.cols = grow(w.cols, depth*out)
		w.mul(0, depth, 0, out, filters, Rows(weight, depth).T(), Rows(dy[i*filters*out:][:filters*out], out), w.cols, out, false)
		to := dx[i*in:][:in]
		if !acc {
			clear(to)
		}
		AddPatches(to, w.cols, win)
	})
}

// ConvWeight computes dw[F,C,k,k], or with acc adds to it, from x and dy. The
// threads share out the filters, so that each sum runs over the images in order.
func (m *Math[T]) ConvWeight(n, filters int, x, dy, dw []T, win *Window, acc bool) {
	oh, ow := win.Out()
	in, out, depth := win.C*win.H*win.W, oh*ow, win.Depth()
	parts := m.pool.Threads()
	byFilter := filters >= depth
	m.pool.Run(parts, func(part int) {
		w := m.works[part]
		f0, f1, d0, d1 := 0, filters, 0, depth
		if byFilter {
			f0, f1 = pool.Span(filters, w.tile.mr, parts, part)
		} else {
			d0, d1 = pool.Span(depth, w.tile.nr, parts, part)
		}
		for i := range n {
			w.mul(f0, f1, d0, d1, out, Rows(dy[i*filters*out:][:filters*out], out), Patches(x[i*in:][:in], win).T(), dw, depth, acc || i > 0)
		}
	})
}

// images runs do for each of n images, several at the same time.
func (m *Math[T]) images(n int, do func(w *work[T], i int)) {
	parts := min(m.pool.Threads(), n)
	m.pool.Run(parts, func(part int) {
		from, to := pool.Span(n, 1, parts, part)
		for i := from; i < to; i++ {
			do(m.works[part], i)
		}
	})
}
