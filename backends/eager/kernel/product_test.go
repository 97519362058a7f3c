package kernel

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"
)

// The assembly reads the fields of call by their place: each takes eight bytes,
// in this order.
func TestLayoutOfCall(t *testing.T) {
	if bits.UintSize != 64 {
		t.Skip("there is no assembly for this platform")
	}
	want := []string{
		"a", "b", "c", "bias", "rowA", "colA", "rowB", "rowC", "k", "segs", "segA", "segB", "outer", "outerA", "outerB",
		"panels", "panelA", "panelC", "groups", "groupA", "groupC", "flags", "mask", "lanes", "ahead",
	}
	of := reflect.TypeFor[call[float32]]()
	for i, name := range want {
		if f := of.Field(i); f.Name != name || f.Offset != uintptr(8*i) {
			t.Errorf("field %d is %s at %d, want %s at %d", i, f.Name, f.Offset, name, 8*i)
		}
	}
}

// problem is a random call with its operands, each exactly as long as the call reaches.
type problem[T Float] struct {
	call          call[T]
	a, b, c, bias []T
	rows          int
}

// room returns where an operand of n elements lies.
type room[T Float] func(n int) []T

func onHeap[T Float](n int) []T { return make([]T, n) }

// newProblem draws a call of all loops, with strides larger than they must be.
func newProblem[T Float](r *rand.Rand, t *tile[T], place room[T]) *problem[T] {
	p := &problem[T]{}
	w := &p.call
	width, vector := 1+r.IntN(t.nr), t.nr/2
	far := r.IntN(4) == 0
	if far && r.IntN(4) > 0 {
		width = vector * (1 + r.IntN(2))
	}
	p.rows = 1 + r.IntN(3*t.mr)
	w.k, w.segs, w.outer, w.groups = 1+r.IntN(20), 1+r.IntN(3), 1+r.IntN(3), 1+r.IntN(3)
	full := t.nr
	if width <= t.nr/2 {
		full = t.nr / 2
	}
	gap := func() int { return r.IntN(3) }
	if r.IntN(2) == 0 { // rows of A lie apart, or columns do
		w.colA, w.rowA = 1+gap(), w.k+gap()
	} else {
		w.rowA, w.colA = 1+gap(), p.rows+gap()
	}
	w.segA, w.outerA, w.groupA = r.IntN(50), r.IntN(50), r.IntN(70) // pixels under a window overlap
	w.rowB = full + gap()
	w.segB, w.outerB = r.IntN(50), r.IntN(50)
	w.ahead = r.IntN(2) * r.IntN(1<<20) // beyond the operand, where nothing may be read
	w.rowC = width + gap()
	w.groupC = p.rows*w.rowC + gap()
	if far { // all rows begin at multiples of a vector
		w.flags |= flagFar
		w.rowC = (width+vector-1)/vector*vector + vector*gap()
		w.groupC = p.rows*w.rowC + vector*gap()
	}
	if r.IntN(2) == 0 {
		w.flags |= flagAcc
	}
	if r.IntN(2) == 0 {
		w.flags |= flagReLU
	}
	p.a = place((p.rows-1)*w.rowA + (w.k-1)*w.colA + (w.segs-1)*w.segA + (w.outer-1)*w.outerA + (w.groups-1)*w.groupA + 1)
	p.b = place((w.k-1)*w.rowB + (w.segs-1)*w.segB + (w.outer-1)*w.outerB + full)
	p.c = place((w.groups-1)*w.groupC + (p.rows-1)*w.rowC + width)
	if far && width%vector == 0 {
		p.c = aligned(p.c, place, vector)
	}
	for _, x := range [][]T{p.a, p.b, p.c} {
		copy(x, randoms[T](r, len(x)))
	}
	w.a, w.b, w.c = &p.a[0], &p.b[0], &p.c[0]
	if r.IntN(2) == 0 {
		p.bias = place(width)
		copy(p.bias, randoms[T](r, width))
		w.bias = &p.bias[0]
	}
	t.setWidth(w, width)
	return p
}

// aligned is x, or a slice like it, that begins at a multiple of a vector.
func aligned[T Float](x []T, place room[T], vector int) []T {
	size, n := uintptr(vector)*unsafe.Sizeof(x[0]), len(x)
	if uintptr(unsafe.Pointer(&x[0]))%size != 0 {
		x = place(n + vector)
	}
	for uintptr(unsafe.Pointer(&x[0]))%size != 0 {
		x = x[1:]
	}
	return x[:n:n]
}

// want is what the call leaves in C, by the definition, in float64.
func (p *problem[T]) want() []float64 {
	w := &p.call
	out := make([]float64, len(p.c))
	for i, v := range p.c {
		out[i] = float64(v)
	}
	for g := range w.groups {
		for i := range p.rows {
			for j := range w.width {
				var sum float64
				if p.bias != nil {
					sum = float64(p.bias[j])
				}
				for o := range w.outer {
					for s := range w.segs {
						for q := range w.k {
							a := p.a[g*w.groupA+i*w.rowA+q*w.colA+s*w.segA+o*w.outerA]
							sum += float64(a) * float64(p.b[q*w.rowB+s*w.segB+o*w.outerB+j])
						}
					}
				}
				at := g*w.groupC + i*w.rowC + j
				if w.flags&flagAcc != 0 {
					sum += out[at]
				}
				if w.flags&flagReLU != 0 && sum < 0 {
					sum = 0
				}
				out[at] = sum
			}
		}
	}
	return out
}

// check runs the call and holds it to want; what is not a number or infinite
// must be the same, the rest within limit.
func (p *problem[T]) check(t *testing.T, k *tile[T], limit float64) {
	t.Helper()
	want := p.want()
	k.cut(&p.call, p.rows)
	for i, v := range p.c {
		got := float64(v)
		switch {
		case math.IsNaN(want[i]) && math.IsNaN(got) || want[i] == got:
		case !(math.Abs(got-want[i]) <= limit):
			w := p.call
			t.Fatalf("%d rows, %d columns, k %dx%dx%d, %d groups, flags %d: C[%d] is %v, want %v", p.rows, w.width, w.k, w.segs, w.outer, w.groups, w.flags, i, got, want[i])
		}
	}
}

func roundoff[T Float]() float64 {
	if Is32[T]() {
		return 0x1p-24
	}
	return 0x1p-53
}

// Every family of micro-kernels on random loops, strides and edges.
func TestMicroKernels(t *testing.T) { eachTile(t, kernelsMatch[float32], kernelsMatch[float64]) }

func kernelsMatch[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 3000 {
		p := newProblem(r, k, onHeap[T])
		p.check(t, k, 200*roundoff[T]())
	}
}

// NaN, infinities and subnormals come out as the definition has them.
func TestMicroKernelsOnSpecialValues(t *testing.T) {
	eachTile(t, specialsMatch[float32], specialsMatch[float64])
}

func specialsMatch[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(13, 14))
	tiny := T(math.SmallestNonzeroFloat32)
	if !Is32[T]() {
		tiny = T(math.SmallestNonzeroFloat64)
	}
	for range 1000 {
		p := newProblem(r, k, onHeap[T])
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0} {
			for _, x := range [][]T{p.a, p.b, p.c, p.bias} {
				if len(x) > 0 && r.IntN(6) == 0 {
					x[r.IntN(len(x))] = T(v)
				}
			}
		}
		p.check(t, k, 200*roundoff[T]())
		// Sums of subnormals are exact: subnormal times small whole numbers.
		p = newProblem(r, k, onHeap[T])
		for i := range p.a {
			p.a[i] = tiny * T(r.IntN(9)-4)
		}
		for i := range p.b {
			p.b[i] = T(r.IntN(9) - 4)
		}
		for _, x := range [][]T{p.c, p.bias} {
			for i := range x {
				x[i] = tiny * T(r.IntN(9)-4)
			}
		}
		p.check(t, k, 0)
	}
}

// FuzzMicroKernels draws the problem from a seed.
func FuzzMicroKernels(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		for _, k := range tiles32() {
			if k.usable {
				newProblem(rand.New(rand.NewPCG(seed, 1)), k, onHeap[float32]).check(t, k, 200*roundoff[float32]())
			}
		}
		for _, k := range tiles64() {
			if k.usable {
				newProblem(rand.New(rand.NewPCG(seed, 1)), k, onHeap[float64]).check(t, k, 200*roundoff[float64]())
			}
		}
	})
}

// Bias and ReLU in the product equal bias and ReLU after it.
func TestMulEpilogue(t *testing.T) { eachTile(t, epilogueMatches[float32], epilogueMatches[float64]) }

func epilogueMatches[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(15, 16))
	x := newMath(threads(t, 2), k)
	for range 60 {
		m, n, depth := 1+r.IntN(90), 1+r.IntN(90), r.IntN(600)
		a, b, bias := randoms[T](r, m*depth), randoms[T](r, depth*n), randoms[T](r, n)
		got, want := make([]T, m*n), make([]T, m*n)
		x.MulEpilogue(m, n, depth, Rows(a, depth), Rows(b, n), got, n, Epilogue[T]{Bias: bias, ReLU: true})
		x.Mul(m, n, depth, Rows(a, depth), Rows(b, n), want, n, false)
		for i := range want {
			want[i] = max(want[i]+bias[i%n], 0)
			if d := math.Abs(float64(got[i] - want[i])); !(d <= float64(depth+2)*4*roundoff[T]()) {
				t.Fatalf("%dx%dx%d: element %d is %v, want %v", m, n, depth, i, got[i], want[i])
			}
		}
	}
}

// The transposition in registers against the definition, beside its own edges.
func TestPackTransposed(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	for range 300 {
		kc, width := 1+r.IntN(70), 1+r.IntN(maxTile)
		stride, ld := kc+r.IntN(5), width+r.IntN(maxTile+1-width)
		src := randoms[float32](r, (width-1)*stride+kc)
		dst := randoms[float32](r, kc*ld+1)
		last := dst[kc*ld]
		Rows(src, stride).T().pack(dst, ld, 0, kc, 0, width)
		for p := range kc {
			for j := range ld {
				var want float32
				if j < width {
					want = src[j*stride+p]
				}
				if got := dst[p*ld+j]; got != want {
					t.Fatalf("%dx%d: element %d,%d is %v, want %v", kc, width, p, j, got, want)
				}
			}
		}
		if dst[kc*ld] != last {
			t.Fatalf("%dx%d: an element behind the result was written", kc, width)
		}
	}
}

func ExampleEpilogue() {
	x := New[float32](onePool)
	c := make([]float32, 2)
	x.MulEpilogue(1, 2, 2, Rows([]float32{1, 2}, 2), Rows([]float32{1, 0, 0, 1}, 2), c, 2, Epilogue[float32]{Bias: []float32{0.5, -3}, ReLU: true})
	fmt.Println(c)
	// Output: [1.5 0]
}
