package kernel

import "math"

// The transforms of Winograd's convolution F(2x2,3x3): Lavin and Gray, Fast
// Algorithms for Convolutional Neural Networks, 2015, arXiv:1509.09308. The portable
// forms here are the definition; vectors of float32 do the same operations in the
// same order, and give the same bits. Their struct is their only argument, which the
// assembly reads by offset (asm/winograd.go). Numbers of channels and filters are
// multiples of 16 there; strides count elements, and all planes are sixteen.

// winogradInput is V = B^T d B for a row of tiles, with
//
//	      1  0 -1  0
//	B^T = 0  1  1  0
//	      0 -1  1  0
//	      0  1  0 -1
//
// and d the 4 x 4 pixels of a tile, the next tile's two columns further on. Of the
// columns lead are zeros before the image begins; full tiles have their last two
// columns in it, then half of them one, then none. Element (i,j) of a tile lies in
// plane 4i+j.
type winogradInput[T Float] struct {
	rows                   [4]*T // pixels in the image; rows of zeros outside
	v                      *T
	plane, tile, pixel     int // strides: V's planes, its tiles, the image's pixels
	channels               int
	lead, full, half, none int
}

func (a *winogradInput[T]) plain() {
	tiles := a.full + a.half + a.none
	columns := 2 + 2*tiles
	inside := 2 - a.lead + 2*a.full + a.half
	for t := range tiles {
		for c := range a.channels {
			var d [4][4]T // after the transform down the columns
			for j := range 4 {
				x := 2*t + j - a.lead
				if x < 0 || x >= inside || x >= columns-a.lead {
					continue
				}
				var r [4]T
				for i, row := range a.rows {
					r[i] = *at(row, x*a.pixel+c)
				}
				d[0][j], d[1][j], d[2][j], d[3][j] = r[0]-r[2], r[1]+r[2], r[2]-r[1], r[1]-r[3]
			}
			for i, r := range d {
				for j, v := range [4]T{r[0] - r[2], r[1] + r[2], r[2] - r[1], r[1] - r[3]} {
					*at(a.v, (4*i+j)*a.plane+t*a.tile+c) = v
				}
			}
		}
	}
}

// winogradOutput is Y = max(A^T M A + bias, least), or with winogradAdd that of the
// sum with what is there, for a row of tiles of two rows and columns of Y each, with
//
//	A^T = 1 1  1  0
//	      0 1 -1 -1
//
// M has the filters of a tile behind those of the tile before.
type winogradOutput[T Float] struct {
	m              *T
	plane          int
	row0, row1     *T // of Y
	bias           *T
	pixel          int // stride of Y's columns
	filters, tiles int
	flags, last    int // of all tiles but the last, of that one
	least          T   // 0 for ReLU, else -Inf; NaN stays NaN
}

// Bits of the flags.
const (
	winogradAdd       = 1 << iota
	winogradOneRow    // the second row does not exist
	winogradOneColumn // nor the second column
)

// noLeast is the least number, which all but NaN reach.
func noLeast[T Float]() T { return T(math.Inf(-1)) }

func (a *winogradOutput[T]) plain() {
	for t := range a.tiles {
		flags := a.flags
		if t == a.tiles-1 {
			flags = a.last
		}
		for f := range a.filters {
			var s [2][4]T
			for j := range 4 {
				m := func(i int) T { return *at(a.m, (4*i+j)*a.plane+t*a.filters+f) }
				s[0][j] = m(1) + m(2) + m(0)
				s[1][j] = m(1) - m(2) - m(3)
			}
			for i, row := range [2]*T{a.row0, a.row1} {
				for j, v := range [2]T{s[i][1] + s[i][2] + s[i][0], s[i][1] - s[i][2] - s[i][3]} {
					if i == 1 && flags&winogradOneRow != 0 || j == 1 && flags&winogradOneColumn != 0 {
						continue
					}
					v += *at(a.bias, f)
					to := at(row, (2*t+j)*a.pixel+f)
					if flags&winogradAdd != 0 {
						v += *to
					}
					if v < a.least {
						v = a.least
					}
					*to = v
				}
			}
		}
	}
}

// winogradFilters is U = G g G^T for rows of width filters each, with
//
//	    1    0   0
//	G = 1/2  1/2 1/2
//	    1/2 -1/2 1/2
//	    0    0   1
//
// and g the nine taps of a filter, tap elements apart, row by row.
type winogradFilters[T Float] struct {
	w           *T
	tap, row    int // strides of the weights: taps, rows
	u           *T
	plane, next int // strides of U: planes, rows
	rows, width int
	add         int // in the way back: not 0 adds to what is there
	half        T   // 1/2
}

func (a *winogradFilters[T]) plain() {
	for r := range a.rows {
		for f := range a.width {
			var d [4][3]T
			for x := range 3 {
				g := func(y int) T { return *at(a.w, r*a.row+(3*y+x)*a.tap+f) }
				sum := g(0) + g(2)
				d[0][x], d[1][x], d[2][x], d[3][x] = g(0), a.half*(sum+g(1)), a.half*(sum-g(1)), g(2)
			}
			for i, d := range d {
				sum := d[0] + d[2]
				for j, v := range [4]T{d[0], a.half * (sum + d[1]), a.half * (sum - d[1]), d[2]} {
					*at(a.u, (4*i+j)*a.plane+r*a.next+f) = v
				}
			}
		}
	}
}

// winogradGradient is D = A dY A^T for a row of tiles of two rows and columns of the
// output's gradient each, with A as in winogradOutput: what the gradient of M would be.
type winogradGradient[T Float] struct {
	row0, row1     *T // of dY; zeros where it has none
	d              *T
	plane, tile    int // strides of D
	pixel          int // stride of dY's columns
	filters, tiles int
	last           int // not 0: the last tile has one column
}

func (a *winogradGradient[T]) plain() {
	for t := range a.tiles {
		for f := range a.filters {
			var y [2][2]T
			for i, row := range [2]*T{a.row0, a.row1} {
				y[i][0] = *at(row, 2*t*a.pixel+f)
				if t < a.tiles-1 || a.last == 0 {
					y[i][1] = *at(row, (2*t+1)*a.pixel+f)
				}
			}
			var e [4][2]T
			for j := range 2 {
				e[0][j], e[1][j], e[2][j], e[3][j] = y[0][j], y[0][j]+y[1][j], y[0][j]-y[1][j], 0-y[1][j]
			}
			for i, e := range e {
				for j, v := range [4]T{e[0], e[0] + e[1], e[0] - e[1], 0 - e[1]} {
					*at(a.d, (4*i+j)*a.plane+t*a.tile+f) = v
				}
			}
		}
	}
}

// plainBack is dW = G^T dU G, or with add adds that: the gradient of the weights from
// that of U.
func (a *winogradFilters[T]) plainBack() {
	for r := range a.rows {
		for f := range a.width {
			var d [3][4]T
			for j := range 4 {
				u := func(i int) T { return *at(a.u, (4*i+j)*a.plane+r*a.next+f) }
				sum := a.half * (u(1) + u(2))
				d[0][j], d[1][j], d[2][j] = sum+u(0), a.half*(u(1)-u(2)), sum+u(3)
			}
			for y, d := range d {
				sum := a.half * (d[1] + d[2])
				for x, v := range [3]T{sum + d[0], a.half * (d[1] - d[2]), sum + d[3]} {
					to := at(a.w, r*a.row+(3*y+x)*a.tap+f)
					if a.add != 0 {
						v += *to
					}
					*to = v
				}
			}
		}
	}
}
