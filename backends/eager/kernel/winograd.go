package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// A convolution with a window of 3x3 and stride 1 can be computed in tiles of 2x2
// positions, each from 4x4 pixels: after a transform of pixels and filters sixteen
// products with the channels as their depth give all four positions, 4 products per
// position instead of 9 (Winograd, 1980; Lavin and Gray, 2015, arXiv:1509.09308,
// F(2x2,3x3)). The transforms are additions, see winogradtiles.go. So are computed the
// convolution, the gradient of its input, and, in winogradweight.go, that of its weights.
//
// The grid of tiles begins at position 0,0 whatever part of the positions is asked
// for, so that a result does not depend on how a pass is cut.
//
// Rounding errors are those of the direct sum where pixels, and taps, are of one size:
// TestWinogradKeepsItsBound holds them to 8 units of the last place of the sum of the
// products' magnitudes. They are relative to a channel's largest pixel under the window
// times all magnitudes of its filter, though, not to each product: a pixel of 1e8 under a
// tap of 0 leaves nothing of a sum of 1, of which the direct sum loses nothing
// (TestWinogradErrorsAreOfTheWindow).
//
// What is not finite in a pixel reaches the positions that have it under their window
// and no other, as by the direct sum; but infinities, of which a transform takes the
// difference, may be NaN there. In the filters it reaches every position, also one whose
// window has that tap outside of the image.

// winogradBlock is how many elements V and M of a block of tiles may have together:
// half of a second-level cache of 1 MiB. A block has at least winogradTiles, since
// every block reads all transformed filters.
const (
	winogradBlock = 1 << 17
	winogradTiles = 56
)

// choice is which of its ways a convolution takes. Tests and benchmarks set it.
type choice int

const (
	byShape choice = iota
	always         // Winograd's where it is possible
	never
)

// winograd reports whether a pass is computed by Winograd's way: where that is
// possible and, by shape, was measured to be faster (BenchmarkConvWays).
func (m *Math[T]) winograd(g *sweep) bool {
	possible := g.whole && g.taps == 3 && g.wide == 3 && g.stride == 1 && g.c%16 == 0 && g.filters%16 == 0 && m.tile.nr%16 == 0 &&
		g.top <= 0 && g.top >= -2 && g.left <= 0 && g.left >= -2 && g.w >= 2+g.left && g.oh > 0 && g.ow > 0
	switch {
	case !possible || m.way == never:
		return false
	case m.way == always:
		return true
	}
	return Is32[T]() && vectorLevel != levelGo && m.tile.name != "go" && 3*g.tiledProducts() <= 2*g.products()
}

// products is how many pixels a pass multiplies per image, channel and filter, each
// position's by themselves; tiledProducts is how many elements of tiles.
func (g *sweep) products() (n int) {
	for y := range g.oh {
		first, last := g.tapsIn(y)
		n += (last - first) * g.wide * g.ow
	}
	return n
}

func (g *sweep) tiledProducts() int { return 16 * ((g.oh + 1) / 2) * ((g.ow + 1) / 2) }

// transformed is the room that the transformed filters of a pass take.
func (m *Math[T]) transformed(g *sweep) int { return 16 * m.transformedPlane(g) }

// transformedPlane is how many of these elements lie from plane to plane.
func (m *Math[T]) transformedPlane(g *sweep) int {
	return winogradPlane(1, m.PackedLen(g.c, g.filters))
}

// winogradRow is how many elements lie from tile to tile of V: not a multiple of
// 1 KiB, so that the rows of a tile of the product do not displace each other.
func winogradRow(channels int) int {
	if channels%256 == 0 {
		return channels + 16
	}
	return channels
}

// winogradPlane is how many elements lie from plane to plane of tiles rows of ld: an
// odd number of cache lines, so that a tile's sixteen elements do not displace each
// other.
func winogradPlane(tiles, ld int) int { return (tiles*ld+15)/16*16 | 16 }

// winogradRows is the rows of positions before row r of all rows of tiles, where an
// image has oh rows of positions.
func winogradRows(r, oh int) int {
	tiles := (oh + 1) / 2
	return r/tiles*oh + r%tiles*2
}

// winogradImages passes over rows y0 to y1 of positions of n images. Where y0 is odd,
// the row before it, which is of the same tiles, is written too.
func (s *sweepRegion[T]) winogradImages(l *Lane[T], first, n, y0, y1 int) {
	g := &s.g
	from, to := y0/2, (y1+1)/2 // rows of tiles
	wide := (g.ow + 1) / 2
	each := 16 * wide * (winogradRow(g.c) + g.filters) // elements of a row of tiles
	rows := n * (to - from)
	block := max(winogradBlock/each, (winogradTiles+wide-1)/wide)
	blocks := (rows + block - 1) / block
	most := (rows + blocks - 1) / blocks * wide
	ld, size := winogradRow(g.c), g.h*g.w*g.c
	l.zeros = grow(l.zeros, max(g.w*g.c, g.filters)) // nobody writes there
	l.v = grow(l.v, 16*winogradPlane(most, ld))
	l.m = grow(l.m, 16*winogradPlane(most, g.filters))
	for b := range blocks {
		r0, r1 := pool.Span(rows, 1, blocks, b)
		for r := r0; r < r1; r++ {
			image := s.x[(first+r/(to-from))*size:][:size]
			l.tilesIn(g, image, (r-r0)*wide, most, from+r%(to-from), 0, g.c)
		}
		s.products(l, (r1-r0)*wide, most)
		for r := r0; r < r1; r++ {
			s.tilesOut(l, (r-r0)*wide, most, first+r/(to-from), from+r%(to-from), y1)
		}
	}
}

// tilesIn transforms channels c0 to c1 of row ty of tiles of image x to V, from tile at
// on. The planes of V have room for most tiles.
func (l *Lane[T]) tilesIn(g *sweep, x []T, at, most, ty, c0, c1 int) {
	ld := winogradRow(c1 - c0)
	tiles, lead := (g.ow+1)/2, -g.left
	rest := g.w - (2 - lead) // columns of the image behind the first two of the first tile
	full := min(tiles, rest/2)
	half := min(tiles-full, rest-2*full)
	a := winogradInput[T]{
		v: &l.v[at*ld], plane: winogradPlane(most, ld), tile: ld, pixel: g.c, channels: c1 - c0,
		lead: lead, full: full, half: half, none: tiles - full - half,
	}
	for i := range a.rows {
		if y := 2*ty + g.top + i; y >= 0 && y < g.h {
			a.rows[i] = &x[y*g.w*g.c+c0]
		} else {
			a.rows[i] = &l.zeros[0]
		}
	}
	a.run()
}

// products multiplies the planes of V, tiles rows, with those of the filters to M.
func (s *sweepRegion[T]) products(l *Lane[T], tiles, most int) {
	g, nr := &s.g, l.tile.nr
	ld := winogradRow(g.c)
	w := &l.call
	*w = one[T](g.c)
	w.rowA, w.colA, w.rowB, w.rowC = ld, 1, nr, g.filters
	filters := s.math.transformedPlane(g)
	v, m := winogradPlane(most, ld), winogradPlane(most, g.filters)
	for p := range 16 {
		for j := 0; j < g.filters; j += nr {
			l.tile.setWidth(w, min(nr, g.filters-j))
			w.a, w.b, w.c = &l.v[p*v], &s.panels[p*filters+j*g.c], &l.m[p*m+j]
			l.tile.cut(w, tiles)
		}
	}
}

// tilesOut transforms the tiles of M from tile at on to row ty of tiles of an image,
// of which it stores the positions before row y1.
func (s *sweepRegion[T]) tilesOut(l *Lane[T], at, most, image, ty, y1 int) {
	g := &s.g
	y := s.y[image*g.image+g.origin:]
	a := winogradOutput[T]{
		m: &l.m[at*g.filters], plane: winogradPlane(most, g.filters), bias: &l.zeros[0], pixel: g.next,
		filters: g.filters, tiles: (g.ow + 1) / 2, least: noLeast[T](),
	}
	if s.e.Bias != nil {
		a.bias = &s.e.Bias[:g.filters][0]
	}
	if s.e.ReLU {
		a.least = 0
	}
	if s.acc {
		a.flags = winogradAdd
	}
	if 2*ty+1 < y1 {
		a.row0, a.row1 = &y[2*ty*g.rowTo], &y[(2*ty+1)*g.rowTo]
	} else {
		a.row0, a.flags = &y[2*ty*g.rowTo], a.flags|winogradOneRow
		a.row1 = a.row0
	}
	a.last = a.flags
	if g.ow%2 == 1 {
		a.last |= winogradOneColumn
	}
	a.run()
}

// filterRows is how many rows of filters are turned around at a time: nine taps of
// them stay in the second-level cache.
const filterRows = 64

// filterRegion transforms the filters of a pass, the panels of columns shared out
// among its parts.
type filterRegion[T Float] struct {
	math    *Math[T]
	g       sweep
	b, buf  []T // weights[3,3,C,F], planes of panels
	turned  bool
	threads int
}

func (m *Math[T]) transformFilters(weight, buf []T, g *sweep, turned bool) {
	nr := m.tile.nr
	m.filter = filterRegion[T]{math: m, g: *g, b: weight[:9*g.c*g.filters], buf: buf[:m.transformed(g)], turned: turned, threads: 1}
	if len(m.filter.b) >= 1<<15 {
		m.filter.threads = min(m.pool.Threads(), (g.filters+nr-1)/nr)
	}
	m.pool.Do(m.filter.threads, &m.filter)
	m.filter = filterRegion[T]{}
}

func (p *filterRegion[T]) Part(i int) {
	g, nr, l := &p.g, p.math.tile.nr, p.math.lanes[i]
	c, f := g.c, g.filters
	from, to := pool.Span((f+nr-1)/nr, 1, p.threads, i)
	a := winogradFilters[T]{plane: p.math.transformedPlane(g), next: nr, half: 0.5}
	for j := from * nr; j < min(to*nr, f); j += nr {
		a.width = min(nr, f-j)
		if !p.turned {
			a.w, a.tap, a.row, a.u, a.rows = &p.b[j], c*f, f, &p.buf[j*c], c
			a.run()
			continue
		}
		l.b = grow(l.b, 9*filterRows*nr)
		for k := 0; k < c; k += filterRows {
			a.rows = min(filterRows, c-k)
			a.w, a.tap, a.row, a.u = &l.b[0], filterRows*nr, nr, &p.buf[(j*c)+k*nr]
			for t := range 9 {
				Rows(p.b[(8-t)*c*f:], c).T().pack(l.b[t*a.tap:], nr, k, a.rows, j, a.width)
			}
			a.run()
		}
	}
}
