package kernel

// PackRight stores B[k,n] once in the order in which Mul reads its right
// operand, for use in several products. buf has at least PackedLen(k, n) elements.
func (x *Math[T]) PackRight(k, n int, b Matrix[T], buf []T) Matrix[T] {
	nr := x.tile.nr
	need("B", len(b.data), extent(k, n, b.row, b.col))
	need("the room for packed B", len(buf), x.PackedLen(k, n))
	for j := 0; j < n; j += nr {
		b.pack(buf[j*k:], nr, 0, k, j, min(nr, n-j))
	}
	return Matrix[T]{packed: buf}
}

// PackedLen is the room that packing n columns of depth k takes.
func (x *Math[T]) PackedLen(k, n int) int { return x.tile.packedLen(k, n) }

// PackInPlace reorders w[n,k], the transpose of a right operand B[k,n], into the
// order in which Mul reads B, panel by panel: the place of a whole panel is that of
// its columns. Those that do not fill one stay in w, and are copied.
func (x *Math[T]) PackInPlace(k, n int, w []T) Matrix[T] {
	nr := x.tile.nr
	whole := n / nr * nr
	need("B", len(w), n*k)
	panel := make([]T, nr*k)
	for j := 0; j < whole; j += nr {
		columns := w[j*k:][:nr*k]
		Rows(columns, k).T().pack(panel, nr, 0, k, 0, nr)
		copy(columns, panel)
	}
	b := Matrix[T]{packed: w[: whole*k : whole*k]}
	if whole < n {
		Rows(w[whole*k:], k).T().pack(panel, nr, 0, k, 0, n-whole)
		b.tail = panel
	}
	return b
}

// Unpack sets w[n,k] to what PackInPlace made b of.
func (x *Math[T]) Unpack(k, n int, b Matrix[T], w []T) {
	nr := x.tile.nr
	x.tile.checkRight(n, k, b)
	for j := range n {
		first := j / nr * nr
		panel := b.panel(first, 0, k, nr, n-first)
		for p, column := 0, w[j*k:][:k]; p < k; p++ {
			column[p] = *at(panel, p*nr+j%nr)
		}
	}
}
