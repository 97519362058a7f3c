package kernel

import (
	"math/rand/v2"
	"testing"
)

// No loop reads or writes beyond its operands: that would end the test binary.
// Operands lie by turns behind and before a guard page; flip changes the turns.
func TestLoopsStayInTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for name, l := range rowLoops {
			for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33} {
				for flip := range 2 {
					t.Run(name, func(t *testing.T) {
						place, free := guarded[float32](t)
						defer free()
						if flip == 1 {
							place(1)
						}
						var x [][]float32
						for _, kind := range []byte(l.args) {
							x = append(x, place(argLen(kind, 3, n)))
							for i := range x[len(x)-1] {
								x[len(x)-1][i] = float32(r.NormFloat64())
							}
						}
						l.run(x, 3, n)
					})
				}
			}
		}
	})
}
