package kernel

import (
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Convolution of images of bfloat16, on the passes of conv.go: the elements under a
// row of the window are pairs in one piece, and the rows of the window segments.

// FastBF16 reports whether this machine multiplies bfloat16 faster than float32.
func FastBF16() bool { return best16 != plain16 }

// Convolves reports whether MathBF16 has the convolution of that window: the runs under
// its rows, forward and back, have to be whole pairs.
func (x *MathBF16) Convolves(w *Window) bool {
	return !x.tile.contiguous && w.C%2 == 0 && w.F%2 == 0
}

// FiltersLen and TurnedLen are the words that PackFilters and PackTurned take.
func (x *MathBF16) FiltersLen(w *Window) int { return wordsOf(w.depth(), w.F) }
func (x *MathBF16) TurnedLen(w *Window) int  { return wordsOf(w.Kernel*w.Kernel*w.F, w.C) }

// wordsOf is the room of k rows, an even number, and n columns in panels.
func wordsOf(k, n int) int { return k / 2 * ((n + columns16 - 1) / columns16 * columns16) }

// PackFilters stores weight[k,k,C,F] in buf, in the order in which Conv reads it.
func (x *MathBF16) PackFilters(weight []uint16, buf []uint32, w *Window) {
	need("the weights", len(weight), w.weights())
	need("the room for packed filters", len(buf), x.FiltersLen(w))
	x.pack = pack16{x: x, w: *w, weight: weight, buf: buf, columns: w.F}
	x.packAll()
}

// PackTurned stores weight in the order in which ConvInput reads it.
func (x *MathBF16) PackTurned(weight []uint16, buf []uint32, w *Window) {
	need("the weights", len(weight), w.weights())
	need("the room for packed filters", len(buf), x.TurnedLen(w))
	x.pack = pack16{x: x, w: *w, weight: weight, buf: buf, columns: w.C, turned: true}
	x.packAll()
}

func (x *MathBF16) packAll() {
	panels := (x.pack.columns + columns16 - 1) / columns16
	x.pack.threads = min(x.pool.Threads(), panels)
	if x.pack.w.depth()*x.pack.w.F < 1<<15 {
		x.pack.threads = 1
	}
	x.pool.Do(x.pack.threads, &x.pack)
	x.pack = pack16{}
}

// pack16 packs weights, the panels shared out among its parts.
type pack16 struct {
	x       *MathBF16
	w       Window
	weight  []uint16
	buf     []uint32
	columns int
	turned  bool
	threads int
}

func (p *pack16) Part(i int) {
	l, w := p.x.lanes[i], &p.w
	from, to := pool.Span((p.columns+columns16-1)/columns16, 1, p.threads, i)
	for q := from; q < to; q++ {
		j := q * columns16
		width := min(columns16, p.columns-j)
		if !p.turned {
			depth := w.depth()
			l.packRight(p.buf[j*depth/2:][:depth/2*columns16], Rows16(p.weight, w.F), 0, depth, j, width)
			continue
		}
		buf := p.buf
		for py := range w.Stride {
			for px := range w.Stride {
				firstY, taps, _ := w.tapsBack(py)
				firstX, wide, _ := w.tapsBack(px)
				depth := taps * wide * w.F
				for t := range taps * wide {
					ky, kx := firstY-t/wide*w.Stride, firstX-t%wide*w.Stride
					block := Rows16(p.weight[(ky*w.Kernel+kx)*w.C*w.F:], w.F).T()
					l.packRight(buf[j*depth/2+t*w.F/2*columns16:][:w.F/2*columns16], block, 0, w.F, j, width)
				}
				buf = buf[wordsOf(depth, p.columns):]
			}
		}
	}
}

// Conv computes y[n,H',W',F], or with acc adds to it, from x[n,H,W,C] and filters, as
// PackFilters left them.
func (x *MathBF16) Conv(n int, images []uint16, filters []uint32, y []float32, w *Window, acc bool) {
	w.check(n, len(images), len(y))
	need("the packed filters", len(filters), x.FiltersLen(w))
	x.sweep = sweep16{x: x, g: w.forward(), n: n, images: images, y: y, panels: filters, acc: acc}
	x.sweep.run()
}

// ConvInput computes dx, or with acc adds to it, from dy and filters, as PackTurned
// left them.
func (x *MathBF16) ConvInput(n int, dy []uint16, filters []uint32, dx []float32, w *Window, acc bool) {
	w.check(n, len(dx), len(dy))
	need("the packed filters", len(filters), x.TurnedLen(w))
	if !acc && w.Kernel < w.Stride {
		clear(dx[:n*w.In()]) // there are places that no window reaches
	}
	for py := range w.Stride {
		for px := range w.Stride {
			g := w.backward(py, px)
			if g.taps > 0 && g.wide > 0 && g.oh > 0 && g.ow > 0 {
				x.sweep = sweep16{x: x, g: g, n: n, images: dy, y: dx, panels: filters, acc: acc}
				x.sweep.run()
			}
			filters = filters[wordsOf(g.taps*g.wide*w.F, w.C):]
		}
	}
}

// sweep16 is a pass as a region of the pool: its parts share out the rows of positions
// of n images.
type sweep16 struct {
	x       *MathBF16
	g       sweep
	n       int
	images  []uint16
	y       []float32
	panels  []uint32
	acc     bool
	threads int
}

func (s *sweep16) run() {
	s.threads = s.x.pool.Parts(s.n*s.g.oh*s.g.ow*s.g.filters*s.g.taps*s.g.wide*s.g.c, 2*pool.LeastProducts)
	s.x.pool.Do(s.threads, s)
	*s = sweep16{}
}

func (s *sweep16) Part(i int) {
	from, to := pool.Span(s.n*s.g.oh, 1, s.threads, i)
	for at := from; at < to; { // from row at of all positions, to the end of an image
		image, y0 := at/s.g.oh, at%s.g.oh
		y1 := min(s.g.oh, y0+to-at)
		s.rows(s.x.lanes[i], image, y0, y1)
		at += y1 - y0
	}
}

// rows passes over rows y0 to y1 of positions of an image.
func (s *sweep16) rows(l *lane16, image, y0, y1 int) {
	g := &s.g
	x, width := l.seen(g, s.images[image*g.h*g.w*g.c:], y0, y1)
	run := g.wide * g.c
	w := &l.call
	*w = call16{rowA: 2 * g.stride * g.c, colA: 4, rowC: 4 * g.next, steps: run / 2, segs: g.taps, segA: 2 * width}
	if s.acc {
		w.flags = flagAcc
	}
	t := l.tile
	tiles := (g.ow + t.mr - 1) / t.mr
	for j := 0; j < g.filters; j += columns16 {
		w.mask = 1<<min(columns16, g.filters-j) - 1
		w.b = &s.panels[j*g.taps*run/2]
		for y := y0; y < y1; y++ {
			row := x[(y-y0)*g.stride*width:]
			to := s.y[image*g.image+g.origin+y*g.rowTo+j:]
			for q := range tiles {
				a, b := g.ow*q/tiles, g.ow*(q+1)/tiles
				w.a = (*uint32)(unsafe.Pointer(&row[a*g.stride*g.c]))
				w.c = &to[a*g.next]
				t.run(w, b-a)
			}
		}
	}
}

// seen is what the window sees of an image from row y0 of positions to y1, and how many
// elements lie from row to row: the image itself, or a copy with zeros around it.
func (l *lane16) seen(g *sweep, image []uint16, y0, y1 int) (x []uint16, width int) {
	if g.inside() {
		return image[((g.top+y0*g.stride)*g.w+g.left)*g.c:], g.w * g.c
	}
	_, wide := g.padded()
	width = wide * g.c
	first := *g
	first.top += y0 * g.stride
	rows := (y1-y0-1)*g.stride + g.taps
	l.rounded = grow(l.rounded, rows*width)
	pad(l.rounded, image[:g.h*g.w*g.c], &first, 0, rows)
	return l.rounded, width
}

// ConvWeight computes dw[k,k,C,F], or with acc adds to it, from x[n,H,W,C] and
// dy[n,H',W',F]: products over all positions, in pairs of them.
func (x *MathBF16) ConvWeight(n int, images, dy []uint16, dw []float32, w *Window, acc bool) {
	w.check(n, len(images), len(dy))
	need("the weights' gradient", len(dw), w.weights())
	x.weight = weight16{x: x, g: w.forward(), n: n, images: images, dy: dy, dw: dw, acc: acc, threads: min(x.pool.Threads(), (w.F+columns16-1)/columns16)}
	x.pool.Do(x.weight.threads, &x.weight)
	x.weight = weight16{}
}

// weight16 is that product as a region of the pool: its parts share out the filters.
type weight16 struct {
	x          *MathBF16
	g          sweep
	n          int
	images, dy []uint16
	dw         []float32
	acc        bool
	threads    int
}

func (s *weight16) Part(i int) {
	g, l := &s.g, s.x.lanes[i]
	j0, j1 := pool.Span(g.filters, columns16, s.threads, i)
	if j0 >= j1 {
		return
	}
	rows := min(g.oh, max(1, weightPositions/g.ow))
	for image := range s.n {
		for y := 0; y < g.oh; y += rows {
			s.block(l, image, y, min(y+rows, g.oh), j0, j1, s.acc || image > 0 || y > 0)
		}
	}
}

// block adds, or without acc sets, the part of rows y0 to y1 of positions of an image to
// columns j0 to j1.
func (s *weight16) block(l *lane16, image, y0, y1, j0, j1 int, acc bool) {
	g, t := &s.g, l.tile
	run, f, positions := g.wide*g.c, g.filters, (y1-y0)*g.ow
	pairs := (positions + 1) / 2
	panels := (j1 - j0 + columns16 - 1) / columns16
	l.b = grow(l.b, panels*pairs*columns16)
	given := Rows16(s.dy[(image*g.oh+y0)*g.ow*f:], f)
	for q := range panels {
		j := j0 + q*columns16
		l.packRight(l.b[q*pairs*columns16:][:pairs*columns16], given, 0, positions, j, min(columns16, j1-j))
	}
	x, width := l.seen(g, s.images[image*g.h*g.w*g.c:], y0, y1)
	wide := run + 16
	l.pairs = grow(l.pairs, pairs*wide)
	w := &l.call
	*w = call16{rowA: 4, colA: 4 * wide, rowC: 4 * f, steps: pairs, segs: 1}
	if acc {
		w.flags = flagAcc
	}
	tiles := (run + t.mr - 1) / t.mr
	for ky := range g.taps {
		under := func(p int) []uint16 { return x[(p/g.ow*g.stride+ky)*width+p%g.ow*g.stride*g.c:][:run] }
		for p := range pairs {
			to := l.pairs[p*wide:][:run]
			if 2*p+1 < positions {
				interleave(to, under(2*p), under(2*p+1))
				continue
			}
			for i, v := range under(2 * p) {
				to[i] = uint32(v)
			}
		}
		for q := range panels {
			j := j0 + q*columns16
			w.b, w.mask = &l.b[q*pairs*columns16], 1<<min(columns16, j1-j)-1
			for r := range tiles {
				a, b := run*r/tiles, run*(r+1)/tiles
				w.a, w.c = &l.pairs[a], &s.dw[(ky*run+a)*f+j]
				t.run(w, b-a)
			}
		}
	}
}
