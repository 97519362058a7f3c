package kernel

import "github.com/dlbench/dlbench/backends/eager/pool"

// The gradient of the weights of a convolution in tiles is the adjoint of the way
// forward: of each tile V, the transformed pixels, and D = A dY A^T; sixteen products
// dU = V^T D whose depth are the tiles; dW = G^T dU G. What is not finite in a pixel or
// in dY may reach all nine taps of its channel or filter.

// tiledWeights is that as a region of the pool. Its parts share out filters and
// channels; each element is summed over the tiles in their order.
type tiledWeights[T Float] struct {
	math      *Math[T]
	g         sweep // forward
	n         int
	x, dy, dw []T
	acc       bool
	columns   int // parts that share out the filters; times rows those of the channels
	rows      int
}

// weightTiles is how many tiles a block has at least: each block adds to all of dU.
// Where that does not stay in the cache, a block has room for largeBlock elements of V
// and D; if all tiles are in one, dU is made in parts of 64 channels and a panel of filters.
const (
	weightTiles = 112
	largeBlock  = 1 << 20
)

// leastTiles is from how many tiles of all images on the gradient of the weights is
// computed in tiles. With a few dozen, dU costs more than the products save. The other
// reason asks for more: an element whose exact value is 0, since no pixel under its tap
// meets a gradient, is 0 in the direct sum too, but here what rounding leaves of its
// neighbours, and Adam makes a step of that. With pooling and ReLU behind it many elements of
// a convolution are so where positions are few: of mnist-cnn in batches of 4, 144 tiles, the
// second convolution's weights then took up all of their budget in float32, in
// batches of 32, 1152 tiles, a quarter.
const leastTiles = 1024

// tiledGradient reports whether the gradient of the weights is computed in tiles: see
// winograd.
func (m *Math[T]) tiledGradient(g *sweep, n int) bool {
	return m.winograd(g) && (m.way == always || n*g.tiledProducts() >= 16*leastTiles)
}

func (s *tiledWeights[T]) run() {
	threads, nr := s.math.pool.Threads(), s.math.tile.nr
	s.columns = min(threads, (s.g.filters+nr-1)/nr)
	s.rows = min(threads/s.columns, s.g.c/16)
	s.math.pool.Do(s.columns*s.rows, s)
	*s = tiledWeights[T]{}
}

func (s *tiledWeights[T]) Part(i int) {
	g, l := &s.g, s.math.lanes[i]
	nr := l.tile.nr
	j0, j1 := pool.Span(g.filters, nr, s.columns, i%s.columns)
	c0, c1 := pool.Span(g.c, 16, s.rows, i/s.columns)
	if j0 >= j1 || c0 >= c1 {
		return
	}
	c, f := c1-c0, j1-j0
	high, wide := (g.oh+1)/2, (g.ow+1)/2 // tiles
	lines := s.n * high
	room, large := winogradBlock, 16*g.c*g.filters > winogradBlock*2
	if large {
		room = largeBlock
	}
	block := max(room/(16*wide*(g.c+g.filters)), (weightTiles+wide-1)/wide)
	blocks := (lines + block - 1) / block
	most := (lines + blocks - 1) / blocks * wide
	v, d := winogradRow(c), f|16 // from tile to tile
	size := g.h * g.w * g.c
	l.zeros = grow(l.zeros, max(g.w*g.c, g.ow*g.filters)) // nobody writes there
	l.v = grow(l.v, 16*winogradPlane(most, v))
	l.m = grow(l.m, 16*winogradPlane(most, d))
	deep, across := c, f // of the part of dU that is summed at a time
	if large && blocks == 1 {
		deep, across = min(c, 64), min(f, nr)
	}
	l.u = grow(l.u, 16*winogradPlane(deep, across))
	for b := range blocks {
		r0, r1 := pool.Span(lines, 1, blocks, b)
		for r := r0; r < r1; r++ {
			l.tilesIn(g, s.x[r/high*size:][:size], (r-r0)*wide, most, r%high, c0, c1)
			s.gradient(l, (r-r0)*wide, most, r/high, r%high, j0, j1)
		}
		for k := 0; k < c; k += deep {
			for j := 0; j < f; j += across {
				rows, columns := min(deep, c-k), min(across, f-j)
				s.products(l, winogradPlane(most, v), v, k, rows, winogradPlane(most, d), d, j, columns, (r1-r0)*wide, b > 0)
				if b < blocks-1 {
					continue
				}
				a := winogradFilters[T]{
					w: &s.dw[(c0+k)*g.filters+j0+j], tap: g.c * g.filters, row: g.filters,
					u: &l.u[0], plane: winogradPlane(rows, columns), next: columns, rows: rows, width: columns, half: 0.5,
				}
				if s.acc {
					a.add = 1
				}
				a.back()
			}
		}
	}
}

// products sets dU for channels k to k+rows and filters j to j+columns, or with acc
// adds to it, from tiles that lie v elements apart in V and d in D, and planes that
// lie planeV and planeD apart.
func (s *tiledWeights[T]) products(l *Lane[T], planeV, v, k, rows, planeD, d, j, columns, tiles int, acc bool) {
	nr, u := l.tile.nr, winogradPlane(rows, columns)
	w := &l.call
	*w = one[T](tiles)
	w.rowA, w.colA, w.rowB, w.rowC = 1, v, d, columns
	if acc {
		w.flags |= flagAcc
	}
	for p := range 16 {
		for q := 0; q < columns; q += nr {
			l.tile.setWidth(w, min(nr, columns-q))
			w.a, w.b, w.c = &l.v[p*planeV+k], &l.m[p*planeD+j+q], &l.u[p*u+q]
			l.tile.cut(w, rows)
		}
	}
}

// gradient transforms filters j0 to j1 of row ty of tiles of an image of dY to D, from
// tile at on.
func (s *tiledWeights[T]) gradient(l *Lane[T], at, most, image, ty, j0, j1 int) {
	g := &s.g
	dy := s.dy[image*g.image:][:g.image]
	ld := (j1 - j0) | 16
	a := winogradGradient[T]{
		row0: &dy[2*ty*g.rowTo+j0], row1: &l.zeros[0], d: &l.m[at*ld], plane: winogradPlane(most, ld), tile: ld,
		pixel: g.next, filters: j1 - j0, tiles: (g.ow + 1) / 2, last: g.ow % 2,
	}
	if 2*ty+1 < g.oh {
		a.row1 = &dy[(2*ty+1)*g.rowTo+j0]
	}
	a.run()
}
