package kernel

import (
	"math/rand/v2"
	"testing"
)

// No product of bfloat16 touches memory beyond its operands.
func TestBF16StaysInside(t *testing.T) {
	each16(t, func(t *testing.T, k *tile16) {
		r := rand.New(rand.NewPCG(37, 38))
		room16, free16 := guarded[uint16](t)
		room32, free32 := guarded[float32](t)
		x := newBF16(threads(t, 1), k)
		for i := range 150 {
			depth := 1 + r.IntN(70)
			if i%3 == 0 {
				depth = 32 * (1 + r.IntN(3)) // read in place
			}
			newProblem16(r, 1+r.IntN(70), 1+r.IntN(70), depth, room16, room32).check(t, x)
			free16()
			free32()
		}
	})
}

// Neither does a convolution.
func TestConvBF16StaysInside(t *testing.T) {
	each16(t, func(t *testing.T, k *tile16) {
		x := newBF16(threads(t, 1), k)
		if x.tile.contiguous {
			return
		}
		r := rand.New(rand.NewPCG(43, 44))
		room16, free16 := guarded[uint16](t)
		room32, free32 := guarded[float32](t)
		for range 40 {
			convCase16(t, r, x, room16, room32)
			free16()
			free32()
		}
	})
}
