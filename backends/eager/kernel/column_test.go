package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// everyLevel runs do in portable code and with each family of vector loops.
func everyLevel(t *testing.T, do func(t *testing.T)) {
	t.Run("go", func(t *testing.T) { portably(func() { do(t) }) })
	if vectorLevel != levelGo {
		eachLevel(t, do)
	}
}

// same reports whether two numbers are the same, or both not a number.
func same(a, b float32) bool { return a == b || a != a && b != b }

// Column loops against their definition, which they match to the bit: sums run
// from the first row on, nothing is fused.
func TestColumns(t *testing.T) {
	everyLevel(t, func(t *testing.T) { testColumns(t, 300, onHeap[float32]) })
}

func testColumns(t *testing.T, times int, place room[float32]) {
	r := rand.New(rand.NewPCG(41, 42))
	for range times {
		c, rows := 1+r.IntN(150), 1+r.IntN(20)
		random := func(n int) []float32 {
			x := place(n)
			copy(x, randoms[float32](r, n))
			if r.IntN(5) == 0 {
				x[r.IntN(n)] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e-42}[r.IntN(4)]
			}
			return x
		}
		x, dy, dx := random(rows*c), random(rows*c), random(rows*c)
		mean, scale, k0, k1 := random(c), random(c), random(c), random(c)
		sums, squares, dots, y := place(c), place(c), place(c), place(rows*c)
		before := append([]float32(nil), dx...)
		ColumnSums(sums, x)
		ColumnSquares(squares, x, mean)
		ColumnDots(dots, dy, x, mean)
		Normalize(y, x, mean, scale, k0)
		acc := r.IntN(2) == 0
		NormalizeBack(dx, dy, x, mean, scale, k0, k1, acc)
		for j := range c {
			var sum, square, dot float32
			for i := j; i < rows*c; i += c {
				d := x[i] - mean[j]
				d2, g := float32(d*d), float32(dy[i]*d)
				sum, square, dot = sum+x[i], square+d2, dot+g
				if want := float32(d*scale[j]) + k0[j]; !same(y[i], want) {
					t.Fatalf("%dx%d: normalised element %d is %v, want %v", rows, c, i, y[i], want)
				}
				want := scale[j] * (dy[i] - k0[j] - float32(d*k1[j]))
				if acc {
					want += before[i]
				}
				if !same(dx[i], want) {
					t.Fatalf("%dx%d acc %v: gradient %d is %v, want %v", rows, c, acc, i, dx[i], want)
				}
			}
			if !same(sum, sums[j]) || !same(square, squares[j]) || !same(dot, dots[j]) {
				t.Fatalf("%dx%d: sums of column %d are %v, %v, %v, want %v, %v, %v", rows, c, j, sums[j], squares[j], dots[j], sum, square, dot)
			}
		}
	}
}

// Max pooling and its way back against the definition: ties go to the first, NaN
// is the largest, windows may overlap or leave rows out.
func TestMaxPool(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		testMaxPool(t, 300, onHeap[float32], func(n int) []int32 { return make([]int32, n) })
	})
}

func testMaxPool(t *testing.T, times int, place room[float32], ints room32) {
	r := rand.New(rand.NewPCG(43, 44))
	for range times {
		p := Pooling{Side: 1 + r.IntN(5), Stride: 1 + r.IntN(4), C: 1 + r.IntN(70)}
		p.H, p.W = p.Side+r.IntN(7), p.Side+r.IntN(7)
		n := 1 + r.IntN(3)
		oh, ow := p.Out()
		in, out := p.H*p.W*p.C, oh*ow*p.C
		x, y, dy, dx, from := place(n*in), place(n*out), place(n*out), place(n*in), ints(n*out)
		for i := range x {
			x[i] = float32(r.IntN(5)) // ties are frequent
			if r.IntN(50) == 0 {
				x[i] = float32(math.NaN())
			}
		}
		copy(dy, randoms[float32](r, len(dy)))
		copy(dx, randoms[float32](r, len(dx)))
		acc := r.IntN(2) == 0
		want := make([]float32, len(dx))
		if acc {
			copy(want, dx)
		}
		MaxPool(y, nil, x, &p, 0, n*oh)
		MaxPool(y, from, x, &p, 0, n*oh)
		MaxPoolBack(dx, dy, from, &p, 0, n, acc)
		for i := range y {
			c, ox, oy, image := i%p.C, i/p.C%ow, i/(p.C*ow)%oh, i/out
			at := func(tap int) int {
				return image*in + ((oy*p.Stride+tap/p.Side)*p.W+ox*p.Stride+tap%p.Side)*p.C + c
			}
			where := 0
			for tap := range p.Side * p.Side {
				if v := x[at(tap)]; v > x[at(where)] || v != v {
					where = tap
				}
			}
			if !same(y[i], x[at(where)]) || int(from[i]) != where {
				t.Fatalf("%+v: element %d is %v from %d, want %v from %d", p, i, y[i], from[i], x[at(where)], where)
			}
			want[at(where)] += dy[i]
		}
		for i, w := range want {
			if math.Abs(float64(dx[i]-w)) > 1e-5 {
				t.Fatalf("%+v acc %v: gradient %d is %v, want %v", p, acc, i, dx[i], w)
			}
		}
	}
}

// room32 is room for ints.
type room32 func(n int) []int32
