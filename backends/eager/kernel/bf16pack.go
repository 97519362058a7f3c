package kernel

import (
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/half"
)

// block is the part of m with rows r0 to r0+rows and columns c0 to c0+cols as
// bfloat16: m itself, or what buf then holds, in the same order.
func (l *lane16) block(m Matrix16, r0, rows, c0, cols int) Matrix16 {
	if m.wide == nil {
		m.half = m.half[r0*m.row+c0*m.col:]
		return m
	}
	from := m.wide[r0*m.row+c0*m.col:]
	l.rounded = grow(l.rounded, rows*(cols+1)+cols*(rows+1))
	switch {
	case m.col == 1:
		for i := range rows {
			half.BF16.Narrow(l.rounded[i*cols:][:cols], from[i*m.row:][:cols])
		}
		return Matrix16{half: l.rounded, row: cols, col: 1}
	case m.row == 1:
		ld := rows + rows&1 // even, so that pairs can be moved as words
		for j := range cols {
			half.BF16.Narrow(l.rounded[j*ld:][:rows], from[j*m.col:][:rows])
		}
		return Matrix16{half: l.rounded, row: 1, col: ld}
	}
	for i := range rows {
		for j := range cols {
			half.BF16.Narrow(l.rounded[i*cols+j:][:1], from[i*m.row+j*m.col:][:1])
		}
	}
	return Matrix16{half: l.rounded, row: cols, col: 1}
}

// packRight packs b[k0:k0+kc, c0:c0+width] as len(dst)/32 pairs of rows of 32 words,
// zeros where there is nothing.
func (l *lane16) packRight(dst []uint32, b Matrix16, k0, kc, c0, width int) {
	b = l.block(b, k0, kc, c0, width)
	full := kc / 2 // pairs that both rows fill
	switch {
	case b.col == 1:
		for p := range full {
			to := dst[p*columns16:][:columns16]
			interleave(to[:width], b.half[2*p*b.row:], b.half[(2*p+1)*b.row:])
			clear(to[width:])
		}
	case b.row == 1 && b.col%2 == 0:
		l.wordsOfColumns(dst, b, full, width)
	default:
		for p := range full {
			to := dst[p*columns16:][:columns16]
			for j := range width {
				at := 2*p*b.row + j*b.col
				to[j] = uint32(b.half[at]) | uint32(b.half[at+b.row])<<16
			}
			clear(to[width:])
		}
	}
	rest := dst[full*columns16:]
	clear(rest)
	if kc%2 != 0 {
		for j := range width {
			rest[j] = uint32(b.half[(kc-1)*b.row+j*b.col])
		}
	}
}

// wordsOfColumns packs columns that lie in one piece each: their pairs are the
// words of a matrix that is transposed.
func (l *lane16) wordsOfColumns(dst []uint32, b Matrix16, full, width int) {
	if full == 0 {
		return
	}
	stride := b.col / 2
	src := unsafe.Slice((*uint32)(unsafe.Pointer(&b.half[0])), (width-1)*stride+full)
	transposeWords(dst, columns16, src, stride, full, width)
	if width < columns16 {
		for p := range full {
			clear(dst[p*columns16+width : (p+1)*columns16])
		}
	}
}

// transposeWords sets dst[p*ld+j] to src[j*stride+p] for p < deep and j < wide.
func transposeWords(dst []uint32, ld int, src []uint32, stride, deep, wide int) {
	as32 := func(x []uint32) []float32 { // the bits, which are moved alone
		return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
	}
	w, d := transposeVector(as32(dst), ld, as32(src), stride, deep, wide)
	for j := range wide {
		from := 0
		if j < w {
			from = d
		}
		for p := from; p < deep; p++ {
			dst[p*ld+j] = src[j*stride+p]
		}
	}
}

// left is where the block of A with rows ic and columns pc begins, in pairs, with
// its strides in bytes. It is read in place where its rows are contiguous and
// whole, else packed.
func (l *lane16) left(a Matrix16, ic, mc, pc, kc, pairs int) (p *uint32, row, col int) {
	t := l.tile
	whole := 2*pairs == kc && (!t.contiguous || mc%t.mr == 0)
	if a.col == 1 && a.half != nil && whole {
		return (*uint32)(unsafe.Pointer(&a.half[ic*a.row+pc])), 2 * a.row, 4
	}
	rows := mc
	if t.contiguous {
		rows = (mc + t.mr - 1) / t.mr * t.mr
	}
	ld := pairs + 16 // words: rows that lie 4 KiB apart displace each other from the caches
	a = l.block(a, ic, mc, pc, kc)
	if a.row == 1 { // two columns of A make a row of pairs
		wide := mc + 16
		l.pairs = grow(l.pairs, pairs*wide)
		for q := range pairs {
			to := l.pairs[q*wide:][:mc]
			switch {
			case 2*q+1 < kc:
				interleave(to, a.half[2*q*a.col:], a.half[(2*q+1)*a.col:])
			case 2*q < kc:
				for i, v := range a.half[2*q*a.col:][:mc] {
					to[i] = uint32(v)
				}
			default:
				clear(to)
			}
		}
		if !t.contiguous {
			return &l.pairs[0], 4, 4 * wide
		}
		l.a = grow(l.a, rows*ld)
		transposeWords(l.a, ld, l.pairs, wide, mc, pairs)
	} else {
		l.a = grow(l.a, rows*ld)
		for i := range mc {
			to := unsafe.Slice((*uint16)(unsafe.Pointer(&l.a[i*ld])), 2*pairs)
			if a.col == 1 {
				copy(to[:kc], a.half[i*a.row:])
			} else {
				for q := range kc {
					to[q] = a.half[i*a.row+q*a.col]
				}
			}
			clear(to[kc:])
		}
	}
	for i := mc; i < rows; i++ {
		clear(l.a[i*ld:][:pairs])
	}
	return &l.a[0], 4 * ld, 4
}

// interleave sets dst[i] to low[i] and, in the upper half, high[i].
func interleave(dst []uint32, low, high []uint16) {
	low, high = low[:len(dst)], high[:len(dst)]
	done := interleaveVector(dst, low, high)
	for i := done; i < len(dst); i++ {
		dst[i] = uint32(low[i]) | uint32(high[i])<<16
	}
}
