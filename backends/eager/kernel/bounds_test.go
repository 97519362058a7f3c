package kernel

import (
	"fmt"
	"testing"
)

// operand is one of a call, its name in messages and the elements that the call
// takes of it.
type operand struct {
	name   string
	length int
}

// TestShortOperands: every call takes operands of just the elements that its shape
// and strides reach, and refuses each of them with one fewer, by name and lengths.
func TestShortOperands(t *testing.T) {
	eachTile(t, shortOperands[float32], shortOperands[float64])
	each16(t, shortOperands16)
}

// eachCut calls f with full operands, and then with each of them one too short. What
// is cut off still lies behind it, so that a kernel that reads there does no harm.
func eachCut(t *testing.T, name string, operands []operand, f func(length []int)) {
	t.Helper()
	length := make([]int, len(operands))
	for i, o := range operands {
		length[i] = o.length
	}
	if v := panicOf(func() { f(length) }); v != nil {
		t.Errorf("%s with full operands: %v", name, v)
	}
	for i, o := range operands {
		length[i]--
		want := fmt.Sprintf("kernel: %s has %d elements, expected at least %d", o.name, o.length-1, o.length)
		if v := panicOf(func() { f(length) }); v != want {
			t.Errorf("%s with a short operand %d: panic %v, want %q", name, i, v, want)
		}
		length[i]++
	}
}

func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func shortOperands[T Float](t *testing.T, k *tile[T]) {
	x := newMath(threads(t, 2), k)
	l := x.lanes[0]
	all := make([]T, 1<<16)
	of := func(n int) []T { return all[:n:n] }
	for _, s := range []struct{ m, n, depth, wide int }{
		{1, 1, 1, 0}, {3, k.nr, 4, 0}, {5, k.nr/2 + 1, 7, 3}, {50, k.nr + 1, 9, 1}, {4, 3, 0, 0}, {40, 2*k.nr - 1, 30, 2},
	} {
		lda, ldb, ldc := s.depth+s.wide, s.n+s.wide, s.n+s.wide
		c := operand{"C", (s.m-1)*ldc + s.n}
		a, at := operand{"A", (s.m-1)*lda + s.depth}, operand{"A", (s.depth-1)*(s.m+s.wide) + s.m}
		b, bt := operand{"B", (s.depth-1)*ldb + s.n}, operand{"B", (s.n-1)*lda + s.depth}
		packed := operand{"packed B", x.PackedLen(s.depth, s.n)}
		bias := operand{"the bias", s.n}
		if s.depth == 0 { // of A and B nothing is read
			none := func() { x.Mul(s.m, s.n, 0, Rows[T](nil, 1), Rows[T](nil, 1), of(c.length), ldc, false) }
			if v := panicOf(none); v != nil {
				t.Errorf("a product without terms: %v", v)
			}
			eachCut(t, "Mul", []operand{c, bias}, func(n []int) {
				x.MulEpilogue(s.m, s.n, 0, Rows[T](nil, 1), Rows[T](nil, 1), of(n[0]), ldc, Epilogue[T]{Bias: of(n[1])})
			})
			continue
		}
		eachCut(t, "Mul", []operand{a, b, c}, func(n []int) {
			x.Mul(s.m, s.n, s.depth, Rows(of(n[0]), lda), Rows(of(n[1]), ldb), of(n[2]), ldc, true)
		})
		eachCut(t, "Mul, transposed", []operand{at, bt, c}, func(n []int) {
			x.Mul(s.m, s.n, s.depth, Rows(of(n[0]), s.m+s.wide).T(), Rows(of(n[1]), lda).T(), of(n[2]), ldc, false)
		})
		eachCut(t, "Mul, packed", []operand{a, packed, c}, func(n []int) {
			x.Mul(s.m, s.n, s.depth, Rows(of(n[0]), lda), Matrix[T]{packed: of(n[1])}, of(n[2]), ldc, false)
		})
		eachCut(t, "PackInPlace", []operand{{"B", s.n * s.depth}}, func(n []int) { x.PackInPlace(s.depth, s.n, make([]T, n[0])) })
		if whole := s.n / k.nr * k.nr; whole > 0 && whole < s.n {
			eachCut(t, "Mul, packed in place", []operand{{"packed B", whole * s.depth}, {"the last panel of packed B", k.nr * s.depth}}, func(n []int) {
				x.Mul(s.m, s.n, s.depth, Rows(all, lda), Matrix[T]{packed: of(n[0]), tail: of(n[1])}, all, ldc, false)
			})
		}
		eachCut(t, "MulEpilogue", []operand{a, b, c, bias}, func(n []int) {
			x.MulEpilogue(s.m, s.n, s.depth, Rows(of(n[0]), lda), Rows(of(n[1]), ldb), of(n[2]), ldc, Epilogue[T]{Bias: of(n[3])})
		})
		eachCut(t, "Lane.Mul", []operand{a, b, c}, func(n []int) {
			l.Mul(s.m, s.n, s.depth, Rows(of(n[0]), lda), Rows(of(n[1]), ldb), of(n[2]), ldc, false)
		})
		eachCut(t, "Lane.MulBias", []operand{a, b, c, bias}, func(n []int) {
			l.MulBias(s.m, s.n, s.depth, Rows(of(n[0]), lda), Rows(of(n[1]), ldb), of(n[2]), ldc, of(n[3]))
		})
		whole, tail := operand{"packed B", s.n / k.nr * k.nr * s.depth}, operand{"the last panel of packed B", k.nr * s.depth}
		if s.n%k.nr != 0 && whole.length > 0 {
			inPlace := func(n []int) Matrix[T] { return Matrix[T]{packed: of(n[0]), tail: of(n[1])} }
			eachCut(t, "Mul, packed in place", []operand{whole, tail, a, c}, func(n []int) {
				x.Mul(s.m, s.n, s.depth, Rows(of(n[2]), lda), inPlace(n), of(n[3]), ldc, false)
			})
			out := make([]T, s.n*s.depth)
			eachCut(t, "Unpack", []operand{whole, tail}, func(n []int) { x.Unpack(s.depth, s.n, inPlace(n), out) })
		}
		eachCut(t, "PackInPlace", []operand{{"B", s.n * s.depth}}, func(n []int) { x.PackInPlace(s.depth, s.n, of(n[0])) })
		for _, o := range []operand{b, bt} {
			eachCut(t, "PackRight", []operand{o, {"the room for packed B", packed.length}}, func(n []int) {
				right := Rows(of(n[0]), ldb)
				if o == bt {
					right = Rows(of(n[0]), lda).T()
				}
				x.PackRight(s.depth, s.n, right, of(n[1]))
			})
		}
	}
	for _, w := range shortWindows() {
		const n = 3
		images, output := operand{"the images", n * w.In()}, operand{"the output", n * w.Len()}
		weights := w.Kernel * w.Kernel * w.C * w.F
		eachCut(t, "PackFilters", []operand{{"the weights", weights}, {"the room for packed filters", x.FiltersLen(&w)}}, func(n []int) {
			x.PackFilters(of(n[0]), of(n[1]), &w)
		})
		eachCut(t, "PackTurned", []operand{{"the weights", weights}, {"the room for packed filters", x.TurnedLen(&w)}}, func(n []int) {
			x.PackTurned(of(n[0]), of(n[1]), &w)
		})
		eachCut(t, "Conv", []operand{images, {"the packed filters", x.FiltersLen(&w)}, output, {"the bias", w.F}}, func(len []int) {
			x.Conv(n, of(len[0]), of(len[1]), of(len[2]), &w, Epilogue[T]{Bias: of(len[3])})
		})
		under, pooling := w.Covers(1, 2)
		down, across := pooling.Out()
		pooled := n * down * across * w.F
		eachCut(t, "ConvPool", []operand{images, {"the packed filters", x.FiltersLen(&w)}, {"the output", pooled}, {"where it came from", pooled}, {"the bias", w.F}}, func(len []int) {
			x.ConvPool(n, of(len[0]), of(len[1]), of(len[2]), make([]int32, pooled)[:len[3]], &under, &pooling, Epilogue[T]{Bias: of(len[4])})
		})
		eachCut(t, "ConvInput", []operand{output, {"the packed filters", x.TurnedLen(&w)}, images}, func(len []int) {
			x.ConvInput(n, of(len[0]), of(len[1]), of(len[2]), &w, false)
		})
		eachCut(t, "ConvWeight", []operand{images, output, {"the weights' gradient", weights}}, func(len []int) {
			x.ConvWeight(n, of(len[0]), of(len[1]), of(len[2]), &w, false)
		})
	}
}

func shortWindows() []Window {
	return []Window{
		{H: 5, W: 6, C: 2, F: 4, Kernel: 3, Stride: 1, Pad: 1},
		{H: 7, W: 5, C: 4, F: 34, Kernel: 2, Stride: 2},
		{H: 5, W: 5, C: 2, F: 2, Kernel: 1, Stride: 2},
		{H: 8, W: 8, C: 16, F: 32, Kernel: 3, Stride: 1, Pad: 1}, // in tiles, where that is faster
	}
}

func shortOperands16(t *testing.T, k *tile16) {
	x := newBF16(threads(t, 2), k)
	halves, words, floats := make([]uint16, 1<<16), make([]uint32, 1<<16), make([]float32, 1<<16)
	of, packed, sums := func(n int) []uint16 { return halves[:n:n] }, func(n int) []uint32 { return words[:n:n] }, func(n int) []float32 { return floats[:n:n] }
	for _, s := range []struct{ m, n, depth, wide int }{{1, 1, 1, 0}, {3, 32, 4, 0}, {20, 33, 7, 3}, {4, 3, 0, 0}, {40, 63, 70, 2}} {
		lda, ldb, ldc := s.depth+s.wide, s.n+s.wide, s.n+s.wide
		c := operand{"C", (s.m-1)*ldc + s.n}
		if s.depth == 0 {
			eachCut(t, "bfloat16 Mul", []operand{c}, func(n []int) { x.Mul(s.m, s.n, 0, Rows16(nil, 1), Rows16(nil, 1), sums(n[0]), ldc, false) })
			continue
		}
		a, at := operand{"A", (s.m-1)*lda + s.depth}, operand{"A", (s.depth-1)*(s.m+s.wide) + s.m}
		b, bt := operand{"B", (s.depth-1)*ldb + s.n}, operand{"B", (s.n-1)*lda + s.depth}
		eachCut(t, "bfloat16 Mul", []operand{a, b, c}, func(n []int) {
			x.Mul(s.m, s.n, s.depth, Rows16(of(n[0]), lda), Rows16(of(n[1]), ldb), sums(n[2]), ldc, true)
		})
		eachCut(t, "bfloat16 Mul, transposed", []operand{at, bt, c}, func(n []int) {
			x.Mul(s.m, s.n, s.depth, Rows16(of(n[0]), s.m+s.wide).T(), Rows16(of(n[1]), lda).T(), sums(n[2]), ldc, false)
		})
		out := make([]float32, c.length)
		eachCut(t, "bfloat16 Mul, rounded", []operand{a, bt, c}, func(n []int) {
			x.Mul(s.m, s.n, s.depth, RowsRounded(sums(n[0]), lda), RowsRounded(sums(n[1]), lda).T(), out[:n[2]], ldc, false)
		})
	}
	for _, w := range shortWindows() {
		if !x.Convolves(&w) {
			continue
		}
		const n = 3
		images, output := operand{"the images", n * w.In()}, operand{"the output", n * w.Len()}
		weights := w.Kernel * w.Kernel * w.C * w.F
		eachCut(t, "bfloat16 PackFilters", []operand{{"the weights", weights}, {"the room for packed filters", x.FiltersLen(&w)}}, func(n []int) {
			x.PackFilters(of(n[0]), packed(n[1]), &w)
		})
		eachCut(t, "bfloat16 PackTurned", []operand{{"the weights", weights}, {"the room for packed filters", x.TurnedLen(&w)}}, func(n []int) {
			x.PackTurned(of(n[0]), packed(n[1]), &w)
		})
		eachCut(t, "bfloat16 Conv", []operand{images, {"the packed filters", x.FiltersLen(&w)}, output}, func(len []int) {
			x.Conv(n, of(len[0]), packed(len[1]), sums(len[2]), &w, false)
		})
		eachCut(t, "bfloat16 ConvInput", []operand{output, {"the packed filters", x.TurnedLen(&w)}, images}, func(len []int) {
			x.ConvInput(n, of(len[0]), packed(len[1]), sums(len[2]), &w, false)
		})
		eachCut(t, "bfloat16 ConvWeight", []operand{images, output, {"the weights' gradient", weights}}, func(len []int) {
			x.ConvWeight(n, of(len[0]), of(len[1]), sums(len[2]), &w, false)
		})
	}
}

// A pooling of more than the convolution gives would be handed what lies behind it.
func TestConvPoolRefusesAnotherPooling(t *testing.T) {
	x := New[float32](onePool)
	w := Window{H: 9, W: 9, C: 16, F: 16, Kernel: 3, Stride: 1, Pad: 1}
	under, own := w.Covers(2, 2)
	images, filters := make([]float32, under.In()), make([]float32, x.FiltersLen(&under))
	for _, c := range []struct {
		change func(p *Pooling)
		want   any
	}{
		{func(*Pooling) {}, nil},
		{func(p *Pooling) { p.H++ }, "kernel: the pooling is of [9,8,16], the convolution gives [8,8,16]"},
		{func(p *Pooling) { p.W-- }, "kernel: the pooling is of [8,7,16], the convolution gives [8,8,16]"},
		{func(p *Pooling) { p.C = 8 }, "kernel: the pooling is of [8,8,8], the convolution gives [8,8,16]"},
	} {
		p := own
		c.change(&p)
		pooled := make([]float32, 64*16)
		if v := panicOf(func() { x.ConvPool(1, images, filters, pooled, nil, &under, &p, Epilogue[float32]{}) }); v != c.want {
			t.Errorf("%+v: panic %v, want %v", p, v, c.want)
		}
	}
}
