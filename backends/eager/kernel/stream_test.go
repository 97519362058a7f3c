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
