package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// Few rows times a B that does not stay in a cache, against the definition.
func TestFarRows(t *testing.T) {
	for _, k := range tiles32() {
		if !k.usable {
			continue
		}
		pools := []*pool.Pool{threads(t, 1), threads(t, 2)}
		r := rand.New(rand.NewPCG(31, 32))
		for i, p := range pools {
			m, n, depth := 1+r.IntN(k.mr), 16400+r.IntN(100), 260+r.IntN(20)
			x := newMath(p, k)
			a, b := randoms[float32](r, m*depth), randoms[float32](r, depth*n)
			right := Rows(b, n)
			if x.tile.stream(m, n, depth, &right); right.deep != pageRows {
				t.Fatalf("%dx%dx%d is read %d rows at a time", m, n, depth, right.deep)
			}
			got, want := randoms[float32](r, m*n), make([]float32, m*n)
			copy(want, got)
			x.Mul(m, n, depth, Rows(a, depth), Rows(b, n), got, n, i == 0)
			mulPlain(m, n, depth, func(i, j int) float32 { return a[i*depth+j] }, func(i, j int) float32 { return b[i*n+j] }, want, n, i == 0)
			for j := range got {
				if d := math.Abs(float64(got[j] - want[j])); !(d <= 1e-4) {
					t.Fatalf("%s %dx%dx%d: element %d is %v, want %v", k.name, m, n, depth, j, got[j], want[j])
				}
			}
		}
	}
}

// A C that is written past the caches is that which is not, to the last bit, and
// nothing beside it is written.
func TestFarC(t *testing.T) { eachTile(t, farC[float32], farC[float64]) }

func farC[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(33, 34))
	for _, p := range []*pool.Pool{threads(t, 1), threads(t, 2)} {
		m, n, ld, depth := 258+r.IntN(5), 16400+r.IntN(3)*k.nr/4, 16448, 1+r.IntN(4)
		x := newMath(p, k)
		a, b, bias := randoms[T](r, m*depth), randoms[T](r, depth*n), randoms[T](r, n)
		room := make([]T, m*(ld+1)+line)
		far := room[:m*ld]
		for !k.farC(m, far, ld) {
			if room = room[1:]; len(room) < m*ld {
				t.Fatal("no C is far")
			}
			far = room[:m*ld]
		}
		near := make([]T, m*(ld+1))
		if k.farC(m, near, ld+1) {
			t.Fatal("rows that do not begin at multiples of a vector are far")
		}
		e := Epilogue[T]{Bias: bias, ReLU: true}
		x.MulEpilogue(m, n, depth, Rows(a, depth), Rows(b, n), far, ld, e)
		x.MulEpilogue(m, n, depth, Rows(a, depth), Rows(b, n), near, ld+1, e)
		for i := range m {
			for j := range ld {
				if got, want := far[i*ld+j], near[i*(ld+1)+j]; got != want {
					t.Fatalf("%dx%dx%d: element %d,%d is %v, want %v", m, n, depth, i, j, got, want)
				}
			}
		}
	}
}
