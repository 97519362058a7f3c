package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

func randoms[T Float](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.Float64()*2 - 1)
	}
	return x
}

func eachTile(t *testing.T, f32 func(*testing.T, *tile[float32]), f64 func(*testing.T, *tile[float64])) {
	for _, k := range tiles32() {
		if k.usable {
			t.Run("f32/"+k.name, func(t *testing.T) { f32(t, k) })
		}
	}
	for _, k := range tiles64() {
		if k.usable {
			t.Run("f64/"+k.name, func(t *testing.T) { f64(t, k) })
		}
	}
}

// Every family of micro-kernels against the definition: sizes around the
// tiles' edges, both transposes, leading dimensions wider than the rows.
func TestMulMatchesDefinition(t *testing.T) { eachTile(t, mulMatches[float32], mulMatches[float64]) }

func mulMatches[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(1, 2))
	for threads := 1; threads <= 3; threads++ {
		p := pool.New(threads)
		defer p.Close()
		x := newMath(p, k)
		for n := range 150 {
			size := func() int { return 1 + r.IntN([]int{3, 17, 40, 90}[n%4]) }
			mulCase(t, r, x, size(), size(), size())
		}
		mulCase(t, r, x, 300, 40, 600)
		for range 3 { // B in place by some rows, and rows of B that clash
			mulCase(t, r, x, 40+r.IntN(50), []int{100 + r.IntN(60), 1024}[r.IntN(2)], 250+r.IntN(20))
		}
		mulCase(t, r, x, 3, 1100, 20)
		mulCase(t, r, x, 300, 1100, 20) // more of C than the second-level cache holds
		for range 10 {                  // more than streamK
			mulCase(t, r, x, 1+r.IntN(50), 1+r.IntN(70), 2000+r.IntN(2500))
		}
	}
}

func mulCase[T Float](t *testing.T, r *rand.Rand, x *Math[T], m, n, k int) {
	t.Helper()
	operand := func(rows, cols int) (Matrix[T], func(i, j int) T) {
		if r.IntN(2) == 0 {
			ld := cols + r.IntN(3)
			d := randoms[T](r, rows*ld)
			return Rows(d, ld), func(i, j int) T { return d[i*ld+j] }
		}
		ld := rows + r.IntN(3)
		d := randoms[T](r, cols*ld)
		return Rows(d, ld).T(), func(i, j int) T { return d[j*ld+i] }
	}
	a, af := operand(m, k)
	b, bf := operand(k, n)
	ldc, acc := n+r.IntN(4), r.IntN(2) == 0
	got := randoms[T](r, m*ldc)
	want := append([]T(nil), got...)
	switch r.IntN(5) {
	case 0:
		b = x.PackRight(k, n, b, make([]T, x.PackedLen(k, n)))
	case 1:
		w := make([]T, n*k)
		for i := range w {
			w[i] = bf(i%k, i/k)
		}
		b = x.PackInPlace(k, n, w)
	}
	x.Mul(m, n, k, a, b, got, ldc, acc)
	mulPlain(m, n, k, af, bf, want, ldc, acc)
	limit := float64(k+1) * 2e-7
	if !Is32[T]() {
		limit = float64(k+1) * 3e-16
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= limit) {
			t.Fatalf("%dx%dx%d acc=%v: element %d is %v, want %v", m, n, k, acc, i, got[i], want[i])
		}
	}
}

// mulPlain is what Mul computes, by the definition.
func mulPlain[T Float](m, n, k int, a, b func(i, j int) T, c []T, ldc int, acc bool) {
	for i := range m {
		for j := range n {
			var sum T
			for p := range k {
				sum += a(i, p) * b(p, j)
			}
			if acc {
				sum += c[i*ldc+j]
			}
			c[i*ldc+j] = sum
		}
	}
}

// A result may not depend on the number of threads.
func TestMulIsIndependentOfThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 22 {
		m, n, k := 1+r.IntN(100), 1+r.IntN(100), 1+r.IntN(400)
		if i >= 20 { // B does not stay in a cache
			m, n, k = 1+r.IntN(4), 9000+r.IntN(9000), 500
		}
		a, b := randoms[float32](r, m*k), randoms[float32](r, k*n)
		var first []float32
		for threads := 1; threads <= 4; threads++ {
			p := pool.New(threads)
			c := make([]float32, m*n)
			New[float32](p).Mul(m, n, k, Rows(a, k), Rows(b, n), c, n, false)
			p.Close()
			if first == nil {
				first = c
			}
			for i := range c {
				if c[i] != first[i] {
					t.Fatalf("%dx%dx%d: element %d with %d threads is %v, with one %v", m, n, k, i, threads, c[i], first[i])
				}
			}
		}
	}
}

// NaN and infinity reach exactly the rows and columns that they belong to:
// padding of the panels may not leak into C, nor hide them.
func TestMulCarriesNaNAndInf(t *testing.T) { eachTile(t, mulSpecial[float32], mulSpecial[float64]) }

func mulSpecial[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(5, 6))
	p := pool.New(1)
	x := newMath(p, k)
	for _, special := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for range 30 {
			m, n, depth := 1+r.IntN(40), 1+r.IntN(70), 1+r.IntN(20)
			a, b, c := randoms[T](r, m*depth), randoms[T](r, depth*n), make([]T, m*n)
			row, col := r.IntN(m), r.IntN(n)
			a[row*depth+r.IntN(depth)] = T(special)
			b[r.IntN(depth)*n+col] = T(special)
			x.Mul(m, n, depth, Rows(a, depth), Rows(b, n), c, n, false)
			for i := range m {
				for j := range n {
					v := float64(c[i*n+j])
					bad := math.IsNaN(v) || math.IsInf(v, 0)
					if bad != (i == row || j == col) {
						t.Fatalf("%dx%dx%d with %v in row %d and column %d: C[%d,%d] = %v", m, n, depth, special, row, col, i, j, v)
					}
				}
			}
		}
	}
}

func TestMulOfNothing(t *testing.T) {
	x := New[float32](pool.New(1))
	c := []float32{1, 2}
	x.Mul(1, 2, 0, Rows([]float32{}, 0), Rows([]float32{}, 2), c, 2, true)
	if c[0] != 1 || c[1] != 2 {
		t.Fatalf("adding an empty product changed C to %v", c)
	}
	x.Mul(1, 2, 0, Rows([]float32{}, 0), Rows([]float32{}, 2), c, 2, false)
	if c[0] != 0 || c[1] != 0 {
		t.Fatalf("an empty product is %v, want zeros", c)
	}
}

// The shapes that a step of the shipped workloads spends its time in.
func BenchmarkMul(b *testing.B) {
	shapes := []struct {
		name    string
		m, n, k int
		ta, tb  bool
	}{
		{"square-256", 256, 256, 256, false, false},
		{"square-512", 512, 512, 512, false, false},
		{"square-1024", 1024, 1024, 1024, false, false},
		{"conv1", 32, 676, 9, false, false},
		{"conv2", 64, 121, 288, false, false},
		{"dense", 32, 128, 1600, false, true},
		{"dense-dX", 32, 1600, 128, false, false},
		{"dense-dW", 128, 1600, 32, true, false},
		{"lstm", 32, 256, 192, false, true},
		{"mlp", 64, 128, 784, false, true},
	}
	for _, s := range shapes {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%s/threads=%d", s.name, threads), func(b *testing.B) {
				p := pool.New(threads)
				defer p.Close()
				mulSpeed[float32](b, p, s.m, s.n, s.k, s.ta, s.tb)
			})
		}
	}
	b.Run("f64/square-512/threads=1", func(b *testing.B) { mulSpeed[float64](b, pool.New(1), 512, 512, 512, false, false) })
}

func mulSpeed[T Float](b *testing.B, p *pool.Pool, m, n, k int, ta, tb bool) {
	r := rand.New(rand.NewPCG(7, 8))
	x := New[T](p)
	am, bm := Rows(randoms[T](r, m*k), k), Rows(randoms[T](r, k*n), n)
	if ta {
		am = Rows(randoms[T](r, m*k), m).T()
	}
	if tb {
		bm = Rows(randoms[T](r, k*n), k).T()
	}
	c := make([]T, m*n)
	for b.Loop() {
		x.Mul(m, n, k, am, bm, c, n, false)
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}

// threads is a pool that ends with the test.
func threads(t testing.TB, n int) *pool.Pool {
	p := pool.New(n)
	t.Cleanup(p.Close)
	return p
}

var onePool = pool.New(1)
