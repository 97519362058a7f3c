package gorgonia

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// split cuts x [n, ...] into its n parts along the first axis, by halving: the
// gradient of a slice is as large as what it was cut from, so cutting all parts
// from the whole would make the work quadratic in n.
func (b *builder) split(x *G.Node, n int) []*G.Node {
	if n == 1 {
		return []*G.Node{b.do(G.Reshape(x, x.Shape()[1:]))}
	}
	parts := make([]*G.Node, 0, n)
	m := splitPoint(n)
	for _, r := range [][2]int{{0, m}, {m, n}} {
		part := b.do(G.Slice(x, G.S(r[0], r[1])))
		if r[1]-r[0] == 1 {
			parts = append(parts, part) // the slice dropped the axis
			continue
		}
		parts = append(parts, b.split(part, r[1]-r[0])...)
	}
	return parts
}

// splitPoint returns about half of n such that the slices [0,m) and [m,n)
// differ in the low bytes of their bounds: the library's hash of a slice holds
// no more, and equal hashes are taken for equal nodes.
func splitPoint(n int) int {
	m := n / 2
	if byte(m) == 0 && byte(n) == byte(m) {
		m--
	}
	return m
}

// join puts steps [batch, D] below one another, [len(steps)*batch, D].
//
// The gradient of Concat is a slice per part, so what splitPoint says of slices
// holds here as well: many parts go through Concat in groups whose slices differ.
// Were they taken for equal, steps would get the gradient of another step.
func (b *builder) join(steps []*G.Node) *G.Node {
	n, rows := len(steps), steps[0].Shape()[0]
	switch {
	case n == 1:
		return steps[0]
	case n <= distinctSlices(rows):
		return b.do(G.Concat(0, steps...))
	case byte(rows) == 0:
		return b.joinHalves(steps)
	}
	m := joinPoint(n, rows)
	return b.do(G.Concat(0, b.join(steps[:m]), b.join(steps[m:])))
}

// joinHalves joins steps of a multiple of 256 rows: no two of those can be told
// apart, so each is held as two halves along an axis of its own.
func (b *builder) joinHalves(steps []*G.Node) *G.Node {
	rows, d := steps[0].Shape()[0], steps[0].Shape()[1]
	halves := make([]*G.Node, len(steps))
	for i, h := range steps {
		halves[i] = b.do(G.Reshape(b.copied(h), tensor.Shape{2, rows / 2, d}))
	}
	return b.do(G.Reshape(b.join(halves), tensor.Shape{len(steps) * rows, d}))
}

// distinctSlices is how many slices of the given number of rows, one behind
// another, differ in the low bytes of their bounds.
func distinctSlices(rows int) int {
	n := 1
	for byte(n*rows) != 0 {
		n++
	}
	return n
}

// joinPoint returns about half of n such that m and n-m parts of the given
// number of rows differ in the low bytes of their bounds, or in their number.
func joinPoint(n, rows int) int {
	m := n / 2
	if 2*m == n && byte(m*rows) == 0 {
		m--
	}
	return m
}
