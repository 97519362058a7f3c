package kernel

// Matrix is a strided view of stored elements.
type Matrix[T Float] struct {
	data     []T
	row, col int // strides

	// Or the elements in a product's own order, panel by panel: the whole ones, and one
	// whose missing columns are zeros.
	packed, tail []T

	deep, ahead int // how a product reads it (stream.go); 0: as usual
}

// isPacked reports whether m is in a product's own order.
func (m Matrix[T]) isPacked() bool { return m.packed != nil || m.tail != nil }

// panel is where row pc of the packed panel of width columns from j on begins, nr
// columns being a whole one and k the number of rows.
func (m Matrix[T]) panel(j, pc, k, nr, width int) *T {
	if width < nr && m.tail != nil {
		return &m.tail[pc*nr]
	}
	return &m.packed[j*k+pc*nr]
}

// Rows views data as row-major with ld elements from row to row.
func Rows[T Float](data []T, ld int) Matrix[T] { return Matrix[T]{data: data, row: ld, col: 1} }

// T is the transposed view.
func (m Matrix[T]) T() Matrix[T] {
	m.row, m.col = m.col, m.row
	return m
}

// pack copies m[k0:k0+kc, c0:c0+width] to dst as kc rows of ld elements, the
// rest of each row zero. width is at most maxTile.
func (m Matrix[T]) pack(dst []T, ld, k0, kc, c0, width int) {
	switch {
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
