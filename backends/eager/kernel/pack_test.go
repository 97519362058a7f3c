package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Packed in place, a matrix gives the product that packing a copy of it gives, to the
// last bit and on any number of threads, and comes back as it was.
func TestPackInPlace(t *testing.T) { eachTile(t, packsInPlace[float32], packsInPlace[float64]) }

func packsInPlace[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(27, 28))
	for i := range 60 {
		m, n, depth := 1+r.IntN(60), 1+r.IntN(90), 1+r.IntN([]int{9, 300, 5000}[i%3])
		a, w := randoms[T](r, m*depth), randoms[T](r, n*depth)
		first := make([]T, m*n)
		x := newMath(onePool, k)
		x.Mul(m, n, depth, Rows(a, depth), x.PackRight(depth, n, Rows(w, depth).T(), make([]T, x.PackedLen(depth, n))), first, n, false)
		for threads := 1; threads <= 3; threads++ {
			p := pool.New(threads)
			x, c := newMath(p, k), make([]T, m*n)
			packed := slices.Clone(w)
			b := x.PackInPlace(depth, n, packed)
			x.Mul(m, n, depth, Rows(a, depth), b, c, n, false)
			p.Close()
			if !slices.Equal(c, first) {
				t.Fatalf("%dx%dx%d on %d threads: the product is another", m, n, depth, threads)
			}
			back := make([]T, n*depth)
			x.Unpack(depth, n, b, back)
			if !slices.Equal(back, w) {
				t.Fatalf("%dx%d does not come back", n, depth)
			}
			if rest := n / k.nr * k.nr * depth; !slices.Equal(packed[rest:], w[rest:]) {
				t.Fatalf("%dx%d: columns that fill no panel were changed", n, depth)
			}
		}
	}
}

// BenchmarkFewRows multiplies few rows by a large matrix W^T as it lies, [units,in],
// and packed, on one thread and two: the dense layers of networks at inference.
func BenchmarkFewRows(b *testing.B) {
	for _, s := range []struct {
		name    string
		m, n, k int
	}{{"8x32768x512", 8, 512, 32768}, {"32x1600x128", 32, 128, 1600}, {"32x784x64", 32, 64, 784}} {
		for threads := 1; threads <= 2; threads++ {
			p := pool.New(threads)
			x, r := New[float32](p), rand.New(rand.NewPCG(1, 2))
			a, w, c := randoms[float32](r, s.m*s.k), randoms[float32](r, s.n*s.k), make([]float32, s.m*s.n)
			for _, packed := range []bool{false, true} {
				right, how := Rows(w, s.k).T(), "plain"
				if packed {
					right, how = x.PackInPlace(s.k, s.n, slices.Clone(w)), "packed"
				}
				b.Run(s.name+"/"+how+"/threads="+string(rune('0'+threads)), func(b *testing.B) {
					for b.Loop() {
						x.Mul(s.m, s.n, s.k, Rows(a, s.k), right, c, s.n, false)
					}
					b.SetBytes(int64(4 * len(w)))
				})
			}
			p.Close()
		}
	}
}
