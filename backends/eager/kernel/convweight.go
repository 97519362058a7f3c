package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// The gradient of a convolution's weights is a product over all positions of all
// images: of the pixels under each row of the window, transposed by their strides,
// with the output's gradient.

// weightPositions is about how many positions a block of it has: so many rows of a
// panel of the output's gradient stay in the first-level cache.
const weightPositions = 256

// partialWeights is up to how many elements the gradient is summed in chunks of
// images, which threads share out; larger ones are shared out by elements. It
// depends on the shape alone, as the order of the sums may.
const (
	partialWeights = 1 << 14
	partialChunks  = 8
)

// weightRegion is that product as a region of the pool.
type weightRegion[T Float] struct {
	math      *Math[T]
	w         Window
	n         int
	x, dy, dw []T
	acc       bool
	chunks    int // sums of chunks of images in partial; 0: none
	partial   []T
	byColumn  bool // else the threads share out the rows of the gradient
	threads   int
}

// ConvWeight computes dw[k,k,C,F], or with acc adds to it, from x[n,H,W,C] and
// dy[n,H',W',F].
func (m *Math[T]) ConvWeight(n int, x, dy, dw []T, w *Window, acc bool) {
	w.check(n, len(x), len(dy))
	need("the weights' gradient", len(dw), w.weights())
	if g := w.forward(); m.tiledGradient(&g, n) {
		m.tiled = tiledWeights[T]{math: m, g: g, n: n, x: x, dy: dy, dw: dw, acc: acc}
		m.tiled.run()
		return
	}
	threads := m.pool.Threads()
	panels := (w.F + m.tile.nr - 1) / m.tile.nr
	m.weight = weightRegion[T]{math: m, w: *w, n: n, x: x, dy: dy, dw: dw, acc: acc, threads: threads}
	s := &m.weight
	size := w.depth() * w.F
	s.byColumn = panels%threads == 0 || panels >= 4*threads
	if size <= partialWeights && n >= partialChunks {
		m.sums = grow(m.sums, partialChunks*size)
		s.partial, s.chunks = m.sums, partialChunks
	}
	m.pool.Do(threads, s)
	for i := range s.chunks {
		Copy(dw[:size], s.partial[i*size:][:size], acc || i > 0)
	}
	*s = weightRegion[T]{}
}

func (s *weightRegion[T]) Part(i int) {
	l, w := s.math.lanes[i], &s.w
	depth := w.depth()
	switch {
	case s.chunks > 0:
		from, to := pool.Span(s.chunks, 1, s.threads, i)
		for c := from; c < to; c++ {
			i0, i1 := pool.Span(s.n, 1, s.chunks, c)
			s.part(l, s.partial[c*depth*w.F:], i0, i1, 0, depth, 0, w.F, false)
		}
	case s.byColumn:
		j0, j1 := pool.Span(w.F, l.tile.nr, s.threads, i)
		s.part(l, s.dw, 0, s.n, 0, depth, j0, j1, s.acc)
	default:
		m0, m1 := pool.Span(depth, 1, s.threads, i)
		s.part(l, s.dw, 0, s.n, m0, m1, 0, w.F, s.acc)
	}
}

// part computes rows m0 to m1 and columns j0 to j1 of the gradient from images i0
// to i1.
func (s *weightRegion[T]) part(l *Lane[T], dw []T, i0, i1, m0, m1, j0, j1 int, acc bool) {
	if m0 >= m1 || j0 >= j1 {
		return
	}
	g := s.w.forward()
	size, width := g.h*g.w*g.c, g.w*g.c // of an image and a row of it
	corner := g.left * g.c              // from an image's row to what the window sees of it
	within, padded := g.within(), 0
	h, wide := g.padded()
	if !within {
		padded, width, corner = h*wide*g.c, wide*g.c, -g.top*wide*g.c
	}
	down, across := s.w.all() // so that what is read does not decide about the order of the sums
	images, rows := max(1, weightPositions*3/2/(down*across)), g.oh
	if images == 1 {
		rows = min(g.oh, max(1, weightPositions/across))
	}
	for i := i0; i < i1; i += images {
		n := min(images, i1-i)
		x, step := s.x[i*size:], size
		if !within {
			l.a = grow(l.a, images*padded)
			for im := range n {
				pad(l.a[im*padded:][:padded], s.x[(i+im)*size:][:size], &g, max(0, -g.top), min(h, g.h-g.top))
			}
			x, step = l.a, padded
		}
		for y := 0; y < g.oh; y += rows {
			s.block(l, &g, x[:n*step], step, corner, width, dw, i, n, y, min(y+rows, g.oh), m0, m1, j0, j1, acc || i > i0 || y > 0)
		}
	}
}

// block adds, or without acc sets, the part of rows y0 to y1 of positions of n
// images from image on: all rows, if they are several. What the window sees of row
// r of image i begins at x[i*step+corner+r*width]. As on the way forward, rows of
// the window outside of an image are left out.
func (s *weightRegion[T]) block(l *Lane[T], g *sweep, x []T, step, corner, width int, dw []T, image, n, y0, y1, m0, m1, j0, j1 int, acc bool) {
	nr, run, f := l.tile.nr, g.wide*g.c, g.filters
	positions := (y1 - y0) * g.ow
	dys := s.dy[(image*g.oh+y0)*g.ow*f:]
	w := &l.call
	*w = one[T](g.ow)
	w.rowA, w.colA, w.rowC = 1, g.stride*g.c, f
	w.segA = g.stride * width
	w.outer, w.outerA = n, step
	if acc {
		w.flags |= flagAcc
	}
	for j := j0; j < j1; j += nr {
		columns := min(nr, j1-j)
		var panel *T // of the output's gradient
		l.tile.setWidth(w, columns)
		if f <= 2*nr && (columns == nr || columns == nr/2) {
			panel, w.rowB = &dys[j], f
		} else {
			l.b = grow(l.b, n*positions*nr)
			Rows(dys, f).pack(l.b, nr, 0, n*positions, j, columns)
			panel, w.rowB = &l.b[0], nr
		}
		w.segB, w.outerB = g.ow*w.rowB, positions*w.rowB
		for ky := m0 / run; ky*run < m1; ky++ {
			a, b := max(m0, ky*run), min(m1, (ky+1)*run)
			from, to := g.rowsIn(ky, y0, y1)
			if from == to {
				if !acc {
					for r := a; r < b; r++ {
						clear(dw[r*f+j:][:columns])
					}
				}
				continue
			}
			w.segs = to - from
			w.a, w.b = &x[corner+(g.top+from*g.stride+ky)*width+a-ky*run], at(panel, (from-y0)*w.segB)
			w.c = &dw[a*f+j]
			l.tile.cut(w, b-a)
		}
	}
}

// rowsIn is which of rows y0 to y1 of positions have row ky of the window in the
// image: from to to, none where these are equal.
func (g *sweep) rowsIn(ky, y0, y1 int) (from, to int) {
	for from = y0; from < y1 && g.top+from*g.stride+ky < 0; from++ {
	}
	for to = y1; to > from && g.top+(to-1)*g.stride+ky >= g.h; to-- {
	}
	return from, to
}
