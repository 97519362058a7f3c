package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// Covers is w with the positions up to the last window of a pooling of the given side
// and stride, and that pooling.
func (w Window) Covers(side, stride int) (Window, Pooling) {
	h, wd := w.all()
	p := Pooling{H: h, W: wd, C: w.F, Side: side, Stride: stride}
	h, wd = p.Out()
	w.Down, w.Across = (h-1)*stride+side, (wd-1)*stride+side
	p.H, p.W = w.Down, w.Across
	return w, p
}

// ConvPool is Conv and MaxPool of its output, a block of images at a time while
// they lie in the cache, the output itself nowhere. w and p are from Covers.
func (m *Math[T]) ConvPool(n int, x, filters, y []T, from []int32, w *Window, p *Pooling, e Epilogue[T]) {
	down, across := p.Out()
	need("the images", len(x), n*w.In())
	need("the output", len(y), n*down*across*p.C)
	need("the packed filters", len(filters), m.FiltersLen(w))
	if e.Bias != nil {
		need("the bias", len(e.Bias), w.F)
	}
	w.checkPooling(p)
	if from != nil {
		need("where it came from", len(from), n*down*across*p.C)
	}
	m.sweep = sweepRegion[T]{math: m, g: w.forward(), n: n, x: x, panels: filters, e: e, pooling: *p, pooled: y, where: from}
	m.sweep.run()
}

// poolPart is Part where the output is pooled: the parts share out the rows of
// windows of the pooling.
func (s *sweepRegion[T]) poolPart(i int) {
	l, g, p := s.math.lanes[i], &s.g, &s.pooling
	down, across := p.Out()
	from, to := pool.Span(s.n*down, 1, s.threads, i)
	block, size := s.block(), down*across*p.C
	l.out = grow(l.out, block*g.image)
	part := *s
	part.y = l.out
	for at := from; at < to; {
		image, r0 := at/down, at%down
		n, r1 := 1, min(down, r0+to-at)
		if r0 == 0 && r1 == down {
			n = min(block, (to-at)/down)
		}
		part.x = s.x[image*g.h*g.w*g.c:]
		part.images(l, 0, n, r0*p.Stride, (r1-1)*p.Stride+p.Side)
		var where []int32
		if s.where != nil {
			where = s.where[image*size:]
		}
		last := (n-1)*down + r1
		MaxPool(s.pooled[image*size:], where, l.out, p, r0, last)
		at += last - r0
	}
}
