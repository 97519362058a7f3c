package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/half"
	"github.com/dlbench/dlbench/backends/eager/pool"
)

// each16 runs do for every family of this machine, and for AMX's program on the
// model of its tiles (amxmodel_test.go).
func each16(t *testing.T, do func(*testing.T, *tile16)) {
	for _, k := range append(tiles16(), modelTile(t)...) {
		if k.usable {
			t.Run(k.name, func(t *testing.T) { do(t, k) })
		}
	}
}

// problem16 is a random product with its answer in float64.
type problem16 struct {
	m, n, k, ldc int
	a, b         Matrix16
	acc          bool
	c            []float32
	want, size   []float64 // size sums the magnitudes of the terms
}

// newProblem16 draws operands in any layout, in 16 bits or rounded from float32, whose
// memory comes from the rooms.
func newProblem16(r *rand.Rand, m, n, k int, room16 func(int) []uint16, room32 func(int) []float32) problem16 {
	operand := func(rows, cols int) (Matrix16, func(i, j int) float64) {
		flip := r.IntN(2) == 0
		if flip {
			rows, cols = cols, rows
		}
		ld := cols + r.IntN(4)
		wide := room32((rows-1)*ld + cols)
		for i := range wide {
			wide[i] = float32(r.Float64()*2 - 1)
		}
		short := room16(len(wide))
		half.BF16.Narrow(short, wide)
		value := func(i, j int) float64 {
			if flip {
				i, j = j, i
			}
			return float64(fromBits(uint32(short[i*ld+j]) << 16))
		}
		x := Rows16(short, ld)
		if r.IntN(3) == 0 {
			x = RowsRounded(wide, ld)
		}
		if flip {
			x = x.T()
		}
		return x, value
	}
	p := problem16{m: m, n: n, k: k, ldc: n + r.IntN(4), acc: r.IntN(2) == 0}
	var av, bv func(i, j int) float64
	p.a, av = operand(m, k)
	p.b, bv = operand(k, n)
	p.c = room32((m-1)*p.ldc + n)
	for i := range p.c {
		p.c[i] = float32(r.Float64())
	}
	p.want, p.size = make([]float64, len(p.c)), make([]float64, len(p.c))
	for i, v := range p.c {
		p.want[i] = float64(v)
	}
	for i := range m {
		for j := range n {
			at := i*p.ldc + j
			if !p.acc {
				p.want[at] = 0
			}
			p.size[at] = math.Abs(p.want[at])
			for q := range k {
				term := av(i, q) * bv(q, j)
				p.want[at] += term
				p.size[at] += math.Abs(term)
			}
		}
	}
	return p
}

// check holds the product to the answer: errors of a sum of k+1 terms in float32, and
// nothing but the product written.
func (p problem16) check(t *testing.T, x *MathBF16) {
	t.Helper()
	x.Mul(p.m, p.n, p.k, p.a, p.b, p.c, p.ldc, p.acc)
	for i, got := range p.c {
		if d := math.Abs(float64(got) - p.want[i]); !(d <= float64(p.k+1)*p.size[i]*0x1p-23) {
			t.Fatalf("%dx%dx%d ldc=%d acc=%v, A %+v, B %+v: C[%d,%d] is %v, want %v", p.m, p.k, p.n, p.ldc, p.acc, layout(p.a), layout(p.b), i/p.ldc, i%p.ldc, got, p.want[i])
		}
	}
}

func layout(m Matrix16) string { return fmt.Sprintf("(%d,%d wide=%v)", m.row, m.col, m.wide != nil) }

// The assembly reads the fields of a call at multiples of 8, in this order.
func TestCall16Layout(t *testing.T) {
	var c call16
	for i, offset := range []uintptr{
		unsafe.Offsetof(c.a), unsafe.Offsetof(c.b), unsafe.Offsetof(c.c), unsafe.Offsetof(c.rowA), unsafe.Offsetof(c.colA),
		unsafe.Offsetof(c.rowC), unsafe.Offsetof(c.steps), unsafe.Offsetof(c.flags), unsafe.Offsetof(c.mask), unsafe.Offsetof(c.segs), unsafe.Offsetof(c.segA),
	} {
		if unsafe.Sizeof(c.steps) == 8 && offset != uintptr(8*i) {
			t.Errorf("field %d lies at %d", i, offset)
		}
	}
}

// A kernel that is wrong in one element is not used.
func TestAgrees(t *testing.T) {
	for _, k := range modelTile(t) {
		if !agrees(k.run) {
			t.Error("AMX on its model does not agree with portable Go")
		}
		for _, at := range []int{0, 33, 32*columns16 - 1} {
			if agrees(func(c *call16, rows int) {
				k.run(c, rows)
				unsafe.Slice(c.c, 32*columns16)[at]++
			}) {
				t.Errorf("element %d is wrong and was not seen", at)
			}
		}
	}
}

func made[T any](n int) []T { return make([]T, n) }

// Every family against the definition: sizes around the tiles' edges and beyond the
// blocks, both transposes, wide rows, operands in 16 bits and rounded.
func TestBF16MatchesDefinition(t *testing.T) {
	each16(t, func(t *testing.T, k *tile16) {
		r := rand.New(rand.NewPCG(31, 32))
		for n := 1; n <= 3; n++ {
			x := newBF16(threads(t, n), k)
			for i := range 120 {
				size := func() int { return 1 + r.IntN([]int{3, 17, 40, 90}[i%4]) }
				newProblem16(r, size(), size(), size(), made[uint16], made[float32]).check(t, x)
			}
			newProblem16(r, 250, 40, 1100, made[uint16], made[float32]).check(t, x)
			newProblem16(r, 3, 300, 513, made[uint16], made[float32]).check(t, x)
		}
	})
}

func FuzzBF16(f *testing.F) {
	f.Add(uint64(1), uint16(33), uint16(31), uint16(65))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k uint16) {
		r := rand.New(rand.NewPCG(seed, 1))
		for _, tile := range tiles16() {
			if tile.usable {
				newProblem16(r, 1+int(m%100), 1+int(n%100), 1+int(k%200), made[uint16], made[float32]).check(t, newBF16(threads(t, 1), tile))
			}
		}
	})
}

// A result may not depend on the number of threads.
func TestBF16IsIndependentOfThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for range 10 {
		m, n, k := 1+r.IntN(150), 1+r.IntN(150), 1+r.IntN(600)
		a, b := randoms[float32](r, m*k), randoms[float32](r, k*n)
		var first []float32
		for n16 := 1; n16 <= 4; n16++ {
			c := make([]float32, m*n)
			NewBF16(threads(t, n16)).Mul(m, n, k, RowsRounded(a, k), RowsRounded(b, n), c, n, false)
			if first == nil {
				first = c
			}
			for i := range c {
				if c[i] != first[i] {
					t.Fatalf("%dx%dx%d: element %d with %d threads is %v, with one %v", m, n, k, i, n16, c[i], first[i])
				}
			}
		}
	}
}

// NaN and infinity reach exactly their row and column. Subnormals of bfloat16 count as
// zero or for what they are, never for more.
func TestBF16CarriesNaNAndInf(t *testing.T) {
	each16(t, func(t *testing.T, k *tile16) {
		r := rand.New(rand.NewPCG(35, 36))
		x := newBF16(threads(t, 1), k)
		for _, special := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0x1p-130, -0x1p-133} {
			for range 20 {
				m, n, depth := 1+r.IntN(40), 1+r.IntN(70), 1+r.IntN(20)
				a, b, c := randoms[float32](r, m*depth), randoms[float32](r, depth*n), make([]float32, m*n)
				row, col := r.IntN(m), r.IntN(n)
				if tiny := math.Abs(special) < 1; tiny {
					for i := range a {
						a[i] = float32(special)
					}
				} else {
					a[row*depth+r.IntN(depth)] = float32(special)
					b[r.IntN(depth)*n+col] = float32(special)
				}
				x.Mul(m, n, depth, RowsRounded(a, depth), RowsRounded(b, n), c, n, false)
				for i := range m {
					for j := range n {
						v := float64(c[i*n+j])
						if math.Abs(special) < 1 {
							if !(math.Abs(v) <= float64(depth)*math.Abs(special)) {
								t.Fatalf("%dx%dx%d of %v: C[%d,%d] = %v", m, depth, n, special, i, j, v)
							}
						} else if bad := math.IsNaN(v) || math.IsInf(v, 0); bad != (i == row || j == col) {
							t.Fatalf("%dx%dx%d with %v in row %d and column %d: C[%d,%d] = %v", m, depth, n, special, row, col, i, j, v)
						}
					}
				}
			}
		}
	})
}

func TestBF16OfNothing(t *testing.T) {
	x, c := NewBF16(threads(t, 1)), []float32{1, 2}
	x.Mul(1, 2, 0, Rows16(nil, 0), Rows16(nil, 2), c, 2, true)
	x.Mul(0, 2, 3, Rows16(nil, 3), Rows16(make([]uint16, 6), 2), nil, 2, false)
	if c[0] != 1 || c[1] != 2 {
		t.Fatalf("adding an empty product changed C to %v", c)
	}
	x.Mul(1, 2, 0, Rows16(nil, 0), Rows16(nil, 2), c, 2, false)
	if c[0] != 0 || c[1] != 0 {
		t.Fatalf("an empty product is %v, want zeros", c)
	}
}

// BenchmarkBF16 multiplies operands of 16 bits beside the same product in float32.
func BenchmarkBF16(b *testing.B) {
	for _, s := range []struct {
		m, k, n int
		tb      bool
	}{{256, 256, 256, false}, {1024, 1024, 1024, false}, {3872, 288, 64, false}, {8192, 576, 128, false}, {32, 1600, 128, true}, {128, 512, 512, true}} {
		for n := 1; n <= 2; n++ {
			for _, bf16 := range []bool{false, true} {
				b.Run(fmt.Sprintf("%dx%dx%d/bf16=%v/threads=%d", s.m, s.k, s.n, bf16, n), func(b *testing.B) {
					p := pool.New(n)
					defer p.Close()
					r := rand.New(rand.NewPCG(1, 2))
					wa, wb, c := randoms[float32](r, s.m*s.k), randoms[float32](r, s.k*s.n), make([]float32, s.m*s.n)
					ha, hb := make([]uint16, len(wa)), make([]uint16, len(wb))
					half.BF16.Narrow(ha, wa)
					half.BF16.Narrow(hb, wb)
					a, bb, x := Rows(wa, s.k), Rows(wb, s.n), New[float32](p)
					a16, b16, x16 := Rows16(ha, s.k), Rows16(hb, s.n), NewBF16(p)
					if s.tb {
						bb, b16 = Rows(wb, s.k).T(), Rows16(hb, s.k).T()
					}
					for b.Loop() {
						if bf16 {
							x16.Mul(s.m, s.n, s.k, a16, b16, c, s.n, false)
						} else {
							x.Mul(s.m, s.n, s.k, a, bb, c, s.n, false)
						}
					}
					b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}
