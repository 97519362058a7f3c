package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// short is x as bfloat16, in memory of the room.
func short(x []float32, room func(int) []uint16) []uint16 {
	to := room(len(x))
	half.BF16.Narrow(to, x)
	return to
}

// convCase16 holds the three products of a random convolution to the definition.
func convCase16(t *testing.T, r *rand.Rand, x *MathBF16, room16 func(int) []uint16, room32 func(int) []float32) {
	t.Helper()
	m := New[float32](onePool)
	p := newConvProblem(r, m, room32)
	for p.w.C%2 != 0 || p.w.F%2 != 0 {
		p = newConvProblem(r, m, room32)
	}
	w, acc := &p.w, r.IntN(2) == 0
	clear(p.bias)
	for _, v := range [][]float32{p.x, p.weight, p.dy} {
		half.BF16.Round(v)
	}
	p.define(acc)
	images, weight, dy := short(p.x, room16), short(p.weight, room16), short(p.dy, room16)
	filters, turned := make([]uint32, x.FiltersLen(w)), make([]uint32, x.TurnedLen(w))
	x.PackFilters(weight, filters, w)
	x.Conv(p.n, images, filters, p.y, w, false)
	ReLU(p.y, p.y) // as the definition has it
	x.PackTurned(weight, turned, w)
	x.ConvInput(p.n, dy, turned, p.dx, w, acc)
	x.ConvWeight(p.n, images, dy, p.dw, w, acc)
	for _, c := range []struct {
		name  string
		got   []float32
		want  []float64
		depth int
	}{
		{"output", p.y, p.wantY, w.depth()},
		{"gradient of the input", p.dx, p.wantX, w.Kernel * w.Kernel * w.F},
		{"gradient of the weights", p.dw, p.wantWeight, p.n * w.Len() / w.F},
	} {
		for i, got := range c.got {
			if d := math.Abs(float64(got) - c.want[i]); !(d <= float64(c.depth+2)*0x1p-23*(1+math.Sqrt(float64(c.depth)))) {
				t.Fatalf("%+v of %d images, acc=%v: %s: element %d is %v, want %v", *w, p.n, acc, c.name, i, got, c.want[i])
			}
		}
	}
}

func TestConvBF16MatchesDefinition(t *testing.T) {
	each16(t, func(t *testing.T, k *tile16) {
		for n := 1; n <= 3; n++ {
			x := newBF16(threads(t, n), k)
			if x.tile.contiguous {
				if x.Convolves(&Window{C: 2, F: 2}) {
					t.Error("rows in one piece have no convolution")
				}
				continue
			}
			r := rand.New(rand.NewPCG(41, uint64(n)))
			for range 40 {
				convCase16(t, r, x, made[uint16], made[float32])
			}
		}
	})
	x := NewBF16(onePool)
	if x.Convolves(&Window{C: 3, F: 2}) || x.Convolves(&Window{C: 2, F: 3}) {
		t.Error("runs of an odd length are no pairs")
	}
}

// BenchmarkConvBF16 is the second convolution of image-cnn at 64 pixels, 8 images, with
// both gradients, beside the same in float32.
func BenchmarkConvBF16(b *testing.B) {
	w := &Window{H: 32, W: 32, C: 64, F: 128, Kernel: 3, Stride: 1, Pad: 1}
	const n = 8
	for threads := 1; threads <= 2; threads++ {
		for _, bf16 := range []bool{false, true} {
			b.Run(fmt.Sprintf("bf16=%v/threads=%d", bf16, threads), func(b *testing.B) {
				p := pool.New(threads)
				defer p.Close()
				r := rand.New(rand.NewPCG(1, 2))
				x, weight, dy := randoms[float32](r, n*w.In()), randoms[float32](r, w.depth()*w.F), randoms[float32](r, n*w.Len())
				y, dx, dw := make([]float32, n*w.Len()), make([]float32, n*w.In()), make([]float32, w.depth()*w.F)
				m, m16 := New[float32](p), NewBF16(p)
				f, g := make([]float32, m.FiltersLen(w)), make([]float32, m.TurnedLen(w))
				f16, g16 := make([]uint32, m16.FiltersLen(w)), make([]uint32, m16.TurnedLen(w))
				x16, weight16, dy16 := short(x, made[uint16]), short(weight, made[uint16]), short(dy, made[uint16])
				for b.Loop() {
					if bf16 {
						m16.PackFilters(weight16, f16, w)
						m16.Conv(n, x16, f16, y, w, false)
						m16.PackTurned(weight16, g16, w)
						m16.ConvInput(n, dy16, g16, dx, w, false)
						m16.ConvWeight(n, x16, dy16, dw, w, false)
					} else {
						m.PackFilters(weight, f, w)
						m.Conv(n, x, f, y, w, Epilogue[float32]{})
						m.PackTurned(weight, g, w)
						m.ConvInput(n, dy, g, dx, w, false)
						m.ConvWeight(n, x, dy, dw, w, false)
					}
				}
				b.ReportMetric(6*float64(n*w.Len()*w.depth())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
