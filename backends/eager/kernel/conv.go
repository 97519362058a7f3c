package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// Convolution runs on the micro-kernels directly, without a matrix of patches: in
// images [H,W,C] the elements under a row of the window are one run of memory, so
// that a position's sum is a product over Kernel segments, one image row apart,
// and the positions of an output row are the rows of A (Georganas et al., 2018,
// arXiv:1808.05567, for images in blocks of channels).

// Window is how a convolution slides over images [H,W,C] with weights
// [Kernel,Kernel,C,F].
type Window struct {
	H, W, C int
	Kernel  int
	Stride  int
	Pad     int // zeros on each side
	Shift   int // displaces the window; 0 but in a mutant
	F       int // filters

	Down, Across int // positions that anything reads, from the first on; 0: all
}

// Out is the number of window positions down and across that anything reads.
func (w *Window) Out() (h, wd int) {
	h, wd = w.all()
	if w.Down > 0 {
		h, wd = w.Down, w.Across
	}
	return h, wd
}

// all is the number of window positions, read or not.
func (w *Window) all() (h, wd int) {
	return (w.H+2*w.Pad-w.Kernel)/w.Stride + 1, (w.W+2*w.Pad-w.Kernel)/w.Stride + 1
}

// In and Len are the elements of one image and of its output.
func (w *Window) In() int { return w.H * w.W * w.C }

func (w *Window) Len() int {
	h, wd := w.Out()
	return h * wd * w.F
}

// depth is the number of elements under the window.
func (w *Window) depth() int { return w.Kernel * w.Kernel * w.C }

// sweep is one pass of a window over images [h,w,c], and where it leaves its
// results.
type sweep struct {
	h, w, c     int
	taps, wide  int // rows and columns of the window
	top, left   int // of the first position: rows and columns outside are zeros
	stride      int
	oh, ow      int // positions
	filters     int
	origin      int  // element of the output where position 0,0 of image 0 lies
	image       int  // elements from there to image 1,
	rowTo, next int  // to the next row of positions, to the next position
	whole       bool // it is all of the convolution
}

// forward is the pass of the convolution itself.
func (w *Window) forward() sweep {
	oh, ow := w.Out()
	return sweep{
		h: w.H, w: w.W, c: w.C, taps: w.Kernel, wide: w.Kernel, top: w.Shift - w.Pad, left: w.Shift - w.Pad, stride: w.Stride,
		oh: oh, ow: ow, filters: w.F, image: oh * ow * w.F, rowTo: ow * w.F, next: w.F, whole: true,
	}
}

// tapsBack is which rows of the window reach the input's rows py, py+Stride, ...:
// first, first-Stride, ... so many of them, the first from row top of the output.
func (w *Window) tapsBack(py int) (first, taps, top int) {
	at := py + w.Pad - w.Shift // row ky of the window lies there where (at-ky)/Stride is the output's row
	for first = w.Kernel - 1; first >= 0 && (at-first)%w.Stride != 0; first-- {
	}
	if first < 0 {
		return 0, 0, 0
	}
	return first, first/w.Stride + 1, (at - first) / w.Stride
}

// backward is the pass over the output's gradient that gives that of the input's
// rows py, py+Stride, ... and columns px, px+Stride, ...: a convolution of stride
// 1 with the weights that reach them, turned around.
func (w *Window) backward(py, px int) sweep {
	oh, ow := w.Out()
	_, taps, top := w.tapsBack(py)
	_, wide, left := w.tapsBack(px)
	return sweep{
		h: oh, w: ow, c: w.F, taps: taps, wide: wide, top: top, left: left, stride: 1,
		oh: (w.H - py + w.Stride - 1) / w.Stride, ow: (w.W - px + w.Stride - 1) / w.Stride, filters: w.C,
		origin: (py*w.W + px) * w.C, image: w.In(), rowTo: w.Stride * w.W * w.C, next: w.Stride * w.C, whole: w.Stride == 1,
	}
}

// padded is the image that the window sees: rows and columns from the first tap
// of the first position to the last of the last.
func (g *sweep) padded() (h, w int) {
	return (g.oh-1)*g.stride + g.taps, (g.ow-1)*g.stride + g.wide
}

// inside reports whether the window never leaves the images.
func (g *sweep) inside() bool {
	h, w := g.padded()
	return g.top >= 0 && g.left >= 0 && g.top+h <= g.h && g.left+w <= g.w
}

// within reports whether the window never leaves the images sideways.
func (g *sweep) within() bool {
	_, w := g.padded()
	return g.left >= 0 && g.left+w <= g.w
}

// tapsIn is which rows of the window lie in the image at row y of positions: first
// to last, none where these are equal.
func (g *sweep) tapsIn(y int) (first, last int) {
	at := g.top + y*g.stride
	first = min(max(-at, 0), g.taps)
	return first, max(first, min(g.h-at, g.taps))
}

// likeRow is where the rows of positions end that, from row y on and up to end,
// have the same rows of the window in the image.
func (g *sweep) likeRow(y, end int) int {
	first, last := g.tapsIn(y)
	for y++; y < end; y++ {
		if a, b := g.tapsIn(y); a != first || b != last {
			break
		}
	}
	return y
}

// pad copies rows from to to of the padded image from image src to dst.
func pad[T any](dst, src []T, g *sweep, from, to int) {
	_, w := g.padded()
	x0, x1 := max(0, g.left), min(g.w, g.left+w) // columns of the image that are copied
	if x1 < x0 {
		x1 = x0
	}
	before := min(max(-g.left, 0), w) * g.c
	for r := from; r < to; r++ {
		row := dst[r*w*g.c:][:w*g.c]
		y := r + g.top
		if y < 0 || y >= g.h {
			clear(row)
			continue
		}
		clear(row[:before])
		n := copy(row[before:], src[(y*g.w+x0)*g.c:(y*g.w+x1)*g.c])
		clear(row[before+n:])
	}
}

// Sizes of the blocks of a pass: deepest is how many rows of a panel of B are
// used before the next, so that they stay in the first-level cache; a block of
// images has blockPositions positions, unless they take more than blockImages
// elements, which stay in the second.
const (
	deepest        = 384
	blockPositions = 512
	blockImages    = 1 << 17
)

// sweepRegion is a pass as a region of the pool: its parts share out the rows of
// positions of n images.
type sweepRegion[T Float] struct {
	math    *Math[T]
	g       sweep
	n       int
	x, y    []T
	panels  []T // the weights [taps,wide,c,filters], packed
	acc     bool
	e       Epilogue[T]
	threads int

	winograd bool // panels are transformed, and so is the pass

	pooling Pooling // of the output, which then is pooled and where; Side 0: none
	pooled  []T
	where   []int32
}

func (s *sweepRegion[T]) Part(i int) {
	if s.pooling.Side > 0 {
		s.poolPart(i)
		return
	}
	g := &s.g
	from, to := pool.Span(s.n*g.oh, 1, s.threads, i)
	if s.winograd {
		from, to = pool.Span(s.n*((g.oh+1)/2), 1, s.threads, i)
		from, to = winogradRows(from, g.oh), winogradRows(to, g.oh)
	}
	block := s.block()
	for at := from; at < to; { // from row at of all positions, to the end of a block of images or of an image
		image, y0 := at/g.oh, at%g.oh
		if y0 > 0 || to-at < g.oh {
			y1 := min(g.oh, y0+to-at)
			s.images(s.math.lanes[i], image, 1, y0, y1)
			at += y1 - y0
			continue
		}
		n := min(block, (to-at)/g.oh)
		s.images(s.math.lanes[i], image, n, 0, g.oh)
		at += n * g.oh
	}
}

// block is how many images a pass takes at a time.
func (s *sweepRegion[T]) block() int {
	g := &s.g
	return max(1, min(blockPositions/(g.oh*g.ow), blockImages/(g.h*g.w*g.c)))
}

// images passes over rows y0 to y1 of positions of n images. Rows of the window
// outside of an image are left out; columns are not, as a row of pixels is one run
// of the sum: images are copied with zeros beside them.
func (s *sweepRegion[T]) images(l *Lane[T], first, n, y0, y1 int) {
	if s.winograd {
		s.winogradImages(l, first, n, y0, y1)
		return
	}
	g := &s.g
	size, width := g.h*g.w*g.c, g.w*g.c // of an image and a row of it
	x := s.x[first*size:]
	corner := g.left * g.c // from an image's row to what the window sees of it
	if !g.within() {
		h, w := g.padded()
		padded := h * w * g.c
		l.a = grow(l.a, n*padded)
		from, to := max(y0*g.stride, -g.top), min((y1-1)*g.stride+g.taps, g.h-g.top) // rows of the image
		for i := range n {
			pad(l.a[i*padded:][:padded], x[i*size:][:size], g, from, to)
		}
		x, size, width, corner = l.a, padded, w*g.c, -g.top*w*g.c
	}
	w := &l.call
	*w = one[T](0)
	w.rowA, w.colA, w.rowB, w.rowC = g.stride*g.c, 1, l.tile.nr, g.next
	w.segA, w.segB = width, g.wide*g.c*l.tile.nr
	w.groupA, w.groupC = g.stride*width, g.rowTo
	for j := 0; j < g.filters; j += l.tile.nr {
		l.tile.setWidth(w, min(l.tile.nr, g.filters-j))
		for y, end := y0, 0; y < y1; y = end {
			end = g.likeRow(y, y1)
			s.rows(l, x[:n*size], size, corner, first, n, j, y, end)
		}
	}
}

// rows computes the filters from j on, as many as l.call is set to, at rows y0 to
// y1 of positions, which all have the same rows of the window in the image. Of
// image i what the window sees in row r begins at x[i*size+corner+r*segA].
func (s *sweepRegion[T]) rows(l *Lane[T], x []T, size, corner, first, n, j, y0, y1 int) {
	g, w := &s.g, &l.call
	from, last := g.tapsIn(y0)
	run := g.wide * g.c // elements under one row of the window
	if from == last {
		for i := range n {
			for y := y0; y < y1; y++ {
				s.empty(s.y[(first+i)*g.image+g.origin+y*g.rowTo+j:], j, w.width)
			}
		}
		return
	}
	taps, pieces := max(1, deepest/run), 1
	if taps == 1 {
		pieces = (run + deepest - 1) / deepest
	}
	w.groups = y1 - y0
	for tap := from; tap < last; tap += taps {
		for piece := range pieces {
			k0, k1 := run*piece/pieces, run*(piece+1)/pieces
			w.segs, w.k = min(taps, last-tap), k1-k0
			w.flags &^= flagAcc | flagReLU
			w.bias = nil
			if s.acc || tap > from || piece > 0 {
				w.flags |= flagAcc
			}
			if s.e.Bias != nil && tap == from && piece == 0 {
				w.bias = &s.e.Bias[j]
			}
			if s.e.ReLU && tap+taps >= last && piece == pieces-1 {
				w.flags |= flagReLU
			}
			w.b = &s.panels[j*g.taps*run+(tap*run+k0)*l.tile.nr]
			for i := range n {
				w.a = &x[i*size+corner+(g.top+y0*g.stride+tap)*w.segA+k0]
				w.c = &s.y[(first+i)*g.image+g.origin+y0*g.rowTo+j]
				l.tile.cut(w, g.ow)
			}
		}
	}
}

// empty sets columns j to j+width of a row of positions whose window lies outside
// of the image; y begins at the first.
func (s *sweepRegion[T]) empty(y []T, j, width int) {
	for ox := range s.g.ow {
		to := y[ox*s.g.next:][:width]
		if !s.acc {
			clear(to)
		}
		if s.e.Bias != nil {
			Add(to, s.e.Bias[j:j+width])
		}
		if s.e.ReLU {
			ReLU(to, to)
		}
	}
}

// run runs the pass.
func (s *sweepRegion[T]) run() {
	s.winograd = s.math.winograd(&s.g)
	s.threads = s.math.pool.Parts(s.n*s.g.oh*s.g.ow*s.g.filters*s.g.taps*s.g.wide*s.g.c, pool.LeastProducts)
	s.math.pool.Do(s.threads, s)
	*s = sweepRegion[T]{}
}

// Conv computes y[n,H',W',F] from x[n,H,W,C] and filters, as PackFilters left them.
func (m *Math[T]) Conv(n int, x, filters, y []T, w *Window, e Epilogue[T]) {
	w.check(n, len(x), len(y))
	need("the packed filters", len(filters), m.FiltersLen(w))
	if e.Bias != nil {
		need("the bias", len(e.Bias), w.F)
	}
	m.sweep = sweepRegion[T]{math: m, g: w.forward(), n: n, x: x, y: y, panels: filters, e: e}
	m.sweep.run()
}

// ConvInput computes dx, or with acc adds to it, from dy and filters, as
// PackTurned left them.
func (m *Math[T]) ConvInput(n int, dy, filters, dx []T, w *Window, acc bool) {
	w.check(n, len(dx), len(dy))
	need("the packed filters", len(filters), m.TurnedLen(w))
	if !acc && w.Kernel < w.Stride {
		clear(dx[:n*w.In()]) // there are places that no window reaches
	}
	for py := range w.Stride {
		for px := range w.Stride {
			g := w.backward(py, px)
			if g.taps > 0 && g.wide > 0 && g.oh > 0 && g.ow > 0 {
				m.sweep = sweepRegion[T]{math: m, g: g, n: n, x: dy, y: dx, panels: filters, acc: acc}
				m.sweep.run()
			}
			if w.Stride > 1 { // there are more of them
				filters = filters[m.PackedLen(g.taps*g.wide*w.F, w.C):]
			}
		}
	}
}

// FiltersLen and TurnedLen are the room that PackFilters and PackTurned take.
func (m *Math[T]) FiltersLen(w *Window) int {
	if g := w.forward(); m.winograd(&g) {
		return m.transformed(&g)
	}
	return m.PackedLen(w.depth(), w.F)
}

func (m *Math[T]) TurnedLen(w *Window) int {
	if g := w.backward(0, 0); m.winograd(&g) {
		return m.transformed(&g)
	}
	return m.PackedLen(w.Kernel*w.Kernel*w.F, w.C)
}

// PackFilters stores weight[k,k,C,F] in buf, in the order in which Conv reads it.
func (m *Math[T]) PackFilters(weight, buf []T, w *Window) {
	need("the weights", len(weight), w.weights())
	need("the room for packed filters", len(buf), m.FiltersLen(w))
	if g := w.forward(); m.winograd(&g) {
		m.transformFilters(weight, buf, &g, false)
		return
	}
	m.pack = packRegion[T]{k: w.depth(), n: w.F, nr: m.tile.nr, b: weight, buf: buf}
	m.packAll(w.depth()*w.F, w.F)
}

// PackTurned stores weight in the order in which ConvInput reads it: for each of
// its passes rows [taps,wide,F], columns C.
func (m *Math[T]) PackTurned(weight, buf []T, w *Window) {
	need("the weights", len(weight), w.weights())
	need("the room for packed filters", len(buf), m.TurnedLen(w))
	if g := w.backward(0, 0); m.winograd(&g) {
		m.transformFilters(weight, buf, &g, true)
		return
	}
	m.pack = packRegion[T]{nr: m.tile.nr, n: w.C, b: weight, buf: buf, turned: w}
	m.packAll(w.depth()*w.F, w.C)
}

// packAll packs in parallel where there is enough of it.
func (m *Math[T]) packAll(elements, columns int) {
	panels := (columns + m.tile.nr - 1) / m.tile.nr
	m.pack.threads = 1
	if elements >= 1<<15 {
		m.pack.threads = min(m.pool.Threads(), panels)
	}
	m.pool.Do(m.pack.threads, &m.pack)
	m.pack = packRegion[T]{}
}

// packRegion packs weights, the panels shared out among its parts.
type packRegion[T Float] struct {
	k, n, nr int
	b, buf   []T
	turned   *Window // nil: as they lie
	threads  int
}

func (p *packRegion[T]) Part(i int) {
	from, to := pool.Span((p.n+p.nr-1)/p.nr, 1, p.threads, i)
	for q := from; q < to; q++ {
		j := q * p.nr
		width := min(p.nr, p.n-j)
		if p.turned == nil {
			Rows(p.b, p.n).pack(p.buf[j*p.k:], p.nr, 0, p.k, j, width)
		} else {
			p.turn(j, width)
		}
	}
}

// turn packs the panel of columns j of all passes back.
func (p *packRegion[T]) turn(j, width int) {
	w, buf := p.turned, p.buf
	for py := range w.Stride {
		for px := range w.Stride {
			firstY, taps, _ := w.tapsBack(py)
			firstX, wide, _ := w.tapsBack(px)
			depth := taps * wide * w.F
			for t := range taps * wide {
				ky, kx := firstY-t/wide*w.Stride, firstX-t%wide*w.Stride
				block := Rows(p.b[(ky*w.Kernel+kx)*w.C*w.F:], w.F).T()
				block.pack(buf[j*depth+t*w.F*p.nr:], p.nr, 0, w.F, j, width)
			}
			buf = buf[(p.n+p.nr-1)/p.nr*p.nr*depth:]
		}
	}
}
