package kernel

import "unsafe"

// With few rows most of a product's time goes into reading B once from memory. How far
// a block reaches and how far ahead elements are fetched then decide its speed.
const (
	// A packed B is read in long runs: streamK of the depth at a time, each element
	// fetched streamAhead elements before its turn, so that the pages that it lies in
	// are known in time.
	streamK     = 2048
	streamAhead = 3072
	// Rows of B that are longer than a page, and do not stay in a cache, are read side
	// by side, pageRows of them at a time: more would displace each other from the
	// first-level cache where their length is a power of two, and be more than the
	// processor fetches on its own.
	pageRows  = 8
	pageAhead = 256
	page      = 4096     // bytes
	memory    = 16 << 20 // bytes
	line      = 64       // bytes
	// Up to a depth of shallow a product is as much about writing C as about summing. If
	// that is more than the second-level cache holds, it is written along the rows of a
	// tile from end to end, not down a panel's columns, each row on a page of its own.
	shallow = 32
	second  = 1 << 20 // bytes
)

// stream sets how B of C[m,n] = A[m,k] B[k,n] is read. It may depend on the product
// alone, not on the part of it that a thread computes: deep is the order of the sums.
func (t *tile[T]) stream(m, n, k int, b *Matrix[T]) {
	switch {
	case b.isPacked() && m <= fewRows:
		b.deep, b.ahead = streamK, streamAhead
	case Is32[T]() && b.col == 1 && m <= t.mr && 4*b.row >= page && 4*k*n > memory:
		b.deep, b.ahead = pageRows, pageAhead
	}
}

// rowsOfC is how many of so many rows of C are computed before the next panel of B,
// which they share. It has no influence on the sums.
func (t *tile[T]) rowsOfC(rows, depth, ldc int) int {
	var zero T
	if depth <= shallow && rows*ldc*int(unsafe.Sizeof(zero)) > second {
		return t.mr
	}
	return blockM
}

// farC reports whether so many rows of C are more than a cache holds, and begin where
// vectors may that are written past the caches: that saves reading what is about to be
// overwritten. Such stores become visible to other threads with the next locked
// instruction, which every way to hand a result on has in Go; a fence of their own
// after each tile would cost more than they save.
func (t *tile[T]) farC(rows int, c []T, ldc int) bool {
	size := int(unsafe.Sizeof(c[0]))
	return rows*ldc*size > memory && ldc*size%line == 0 && uintptr(unsafe.Pointer(&c[0]))%line == 0
}
