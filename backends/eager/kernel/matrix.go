package kernel

// Matrix is a strided view of stored elements, or of the patches of an image
// that are never stored.
type Matrix[T Float] struct {
	data     []T
	row, col int // strides
	window   *Window
	flipped  bool // the patch matrix, transposed
	packed   []T  // or the elements in a product's own order
}

// Rows views data as row-major with ld elements from row to row.
func Rows[T Float](data []T, ld int) Matrix[T] { return Matrix[T]{data: data, row: ld, col: 1} }

// T is the transposed view.
func (m Matrix[T]) T() Matrix[T] {
	m.row, m.col, m.flipped = m.col, m.row, !m.flipped
	return m
}

// Window is how a convolution slides over one image [C,H,W].
type Window struct {
	C, H, W int
	Kernel  int
	Stride  int
	Pad     int // zeros on each side
	Shift   int // displaces the window; 0 but in a mutant
}

// Out is the number of window positions down and across.
func (w *Window) Out() (h, wd int) {
	return (w.H+2*w.Pad-w.Kernel)/w.Stride + 1, (w.W+2*w.Pad-w.Kernel)/w.Stride + 1
}

// Depth is the number of elements under the window.
func (w *Window) Depth() int { return w.C * w.Kernel * w.Kernel }

// Patches views image as the matrix [C*k*k, H'*W'] whose product with the
// filters [F, C*k*k] is the convolution ("im2col", Chellapilla, Puri, Simard
// 2006). The matrix is gathered while it is packed and never stored.
func Patches[T Float](image []T, w *Window) Matrix[T] { return Matrix[T]{data: image, window: w} }

// pack copies m[k0:k0+kc, c0:c0+width] to dst as kc rows of ld elements, the
// rest of each row zero. width is at most maxTile.
func (m Matrix[T]) pack(dst []T, ld, k0, kc, c0, width int) {
	switch {
	case m.window != nil && m.flipped:
		m.packPositions(dst, ld, k0, kc, c0, width)
	case m.window != nil:
		m.packPatches(dst, ld, k0, kc, c0, width)
	case m.col == 1:
		for p := range kc {
			to := dst[p*ld : (p+1)*ld]
			copy(to, m.data[(k0+p)*m.row+c0:][:width])
			clear(to[width:])
		}
	case m.row == 1:
		m.packTransposed(dst, ld, k0, kc, c0, width)
	default:
		for p := range kc {
			to := dst[p*ld : (p+1)*ld]
			for j := range width {
				to[j] = m.data[(k0+p)*m.row+(c0+j)*m.col]
			}
			clear(to[width:])
		}
	}
}

// packTransposed reads columns that are each contiguous in memory.
func (m Matrix[T]) packTransposed(dst []T, ld, k0, kc, c0, width int) {
	src := m.data[c0*m.col+k0:]
	j, deep := transposeVector(dst, ld, src, m.col, kc, width)
	if deep < kc {
		packColumns(dst[deep*ld:], ld, src[deep:], m.col, kc-deep, 0, j)
	}
	packColumns(dst, ld, src, m.col, kc, j, width)
	if width < ld {
		for p := range kc {
			clear(dst[p*ld+width : (p+1)*ld])
		}
	}
}

// packColumns sets dst[p*ld+j] to src[j*stride+p] for p < kc and j from j to end.
func packColumns[T Float](dst []T, ld int, src []T, stride, kc, j, end int) {
	for ; j+4 <= end; j += 4 {
		from := src[j*stride:]
		s0, s1, s2, s3 := from[:kc], from[stride:][:kc], from[2*stride:][:kc], from[3*stride:][:kc]
		for p := range kc {
			to := dst[p*ld+j:][:4]
			to[0], to[1], to[2], to[3] = s0[p], s1[p], s2[p], s3[p]
		}
	}
	for ; j < end; j++ {
		for p, v := range src[j*stride:][:kc] {
			dst[p*ld+j] = v
		}
	}
}

// maxTile is the widest panel of any tile.
const maxTile = 32

// packPatches packs window positions c0.. as columns, elements under the
// window k0.. as rows.
func (m Matrix[T]) packPatches(dst []T, ld, k0, kc, c0, width int) {
	w := m.window
	_, ow := w.Out()
	var ys, xs, at [maxTile]int
	inside := true
	for j := range width {
		y, x := (c0+j)/ow*w.Stride-w.Pad+w.Shift, (c0+j)%ow*w.Stride-w.Pad+w.Shift
		ys[j], xs[j], at[j] = y, x, y*w.W+x
		inside = inside && y >= 0 && x >= 0 && y+w.Kernel <= w.H && x+w.Kernel <= w.W
	}
	square := w.Kernel * w.Kernel
	c, ky, kx := k0/square, k0%square/w.Kernel, k0%w.Kernel
	for p := range kc {
		to := dst[p*ld : (p+1)*ld]
		base := c*w.H*w.W + ky*w.W + kx
		if inside {
			for j, a := range at[:width] {
				to[j] = m.data[base+a]
			}
		} else {
			for j := range width {
				if uint(ys[j]+ky) < uint(w.H) && uint(xs[j]+kx) < uint(w.W) {
					to[j] = m.data[base+at[j]]
				} else {
					to[j] = 0
				}
			}
		}
		clear(to[width:])
		if kx++; kx == w.Kernel {
			kx = 0
			if ky++; ky == w.Kernel {
				ky = 0
				c++
			}
		}
	}
}

// packPositions packs elements under the window c0.. as columns, window
// positions k0.. as rows.
func (m Matrix[T]) packPositions(dst []T, ld, k0, kc, c0, width int) {
	w := m.window
	_, ow := w.Out()
	var kys, kxs, at [maxTile]int
	square := w.Kernel * w.Kernel
	for j := range width {
		e := c0 + j
		kys[j], kxs[j] = e%square/w.Kernel, e%w.Kernel
		at[j] = e/square*w.H*w.W + kys[j]*w.W + kxs[j]
	}
	oy, ox := k0/ow, k0%ow
	for p := range kc {
		to := dst[p*ld : (p+1)*ld]
		y, x := oy*w.Stride-w.Pad+w.Shift, ox*w.Stride-w.Pad+w.Shift
		base := y*w.W + x
		if y >= 0 && x >= 0 && y+w.Kernel <= w.H && x+w.Kernel <= w.W {
			for j, a := range at[:width] {
				to[j] = m.data[base+a]
			}
		} else {
			for j := range width {
				if uint(y+kys[j]) < uint(w.H) && uint(x+kxs[j]) < uint(w.W) {
					to[j] = m.data[base+at[j]]
				} else {
					to[j] = 0
				}
			}
		}
		clear(to[width:])
		if ox++; ox == ow {
			ox = 0
			oy++
		}
	}
}

// AddPatches adds the patch matrix cols [C*k*k, H'*W'] back to the image it was
// gathered from: the transpose of Patches.
func AddPatches[T Float](image, cols []T, w *Window) {
	oh, ow := w.Out()
	for r := range w.Depth() {
		square := w.Kernel * w.Kernel
		c, ky, kx := r/square, r%square/w.Kernel, r%w.Kernel
		plane := image[c*w.H*w.W:][:w.H*w.W]
		for oy := range oh {
			y := oy*w.Stride - w.Pad + w.Shift + ky
			if y < 0 || y >= w.H {
				continue
			}
			from := cols[(r*oh+oy)*ow:][:ow]
			to := plane[y*w.W:][:w.W]
			x := kx - w.Pad + w.Shift
			if w.Stride == 1 {
				lo, hi := max(0, -x), min(ow, w.W-x)
				if lo < hi {
					Add(to[x+lo:x+hi], from[lo:hi])
				}
				continue
			}
			for _, v := range from {
				if uint(x) < uint(w.W) {
					to[x] += v
				}
				x += w.Stride
			}
		}
	}
}
