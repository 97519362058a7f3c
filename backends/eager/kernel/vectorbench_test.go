package kernel

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// BenchmarkRowLoops times every loop in each family, on 16 rows of 256 elements.
func BenchmarkRowLoops(b *testing.B) {
	best := vectorLevel
	defer func() { vectorLevel = best }()
	const rows, n = 16, 256
	r := rand.New(rand.NewPCG(7, 8))
	for _, name := range slices.Sorted(maps.Keys(rowLoops)) {
		l := rowLoops[name]
		for v := levelGo; v <= best; v++ {
			var x [][]float32
			for _, kind := range []byte(l.args) {
				x = append(x, make([]float32, argLen(kind, rows, n)))
				for i := range x[len(x)-1] {
					x[len(x)-1][i] = r.Float32()
				}
			}
			b.Run(fmt.Sprintf("%s/%s", name, v), func(b *testing.B) {
				vectorLevel = v
				for b.Loop() {
					l.run(x, rows, n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rows*n), "ns/element")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
