package kernel

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A loop on rows of n elements. args says how many elements each argument has:
// of all rows, of one row, or one per row.
type rowLoop struct {
	args string // a: all rows, r: one row, s: one per row
	run  func(x [][]float32, rows, n int)
}

func stepOf(x [][]float32, rows, n int) *LSTMStep[float32] {
	return &LSTMStep[float32]{Rows: rows, H: n, I: x[0], F: x[1], G: x[2], O: x[3], Before: x[4], C: x[5], Y: x[6], Gates: n, Cells: n, Hidden: n}
}

var rowLoops = map[string]rowLoop{
	"add":          {"aa", func(x [][]float32, _, _ int) { Add(x[0], x[1]) }},
	"scale":        {"a", func(x [][]float32, _, _ int) { Scale(x[0], 0.7) }},
	"add-scaled":   {"aa", func(x [][]float32, _, _ int) { AddScaled(x[0], x[1], 0.7) }},
	"add-to-rows":  {"ar", func(x [][]float32, _, _ int) { AddToRows(x[0], x[1]) }},
	"sum-rows":     {"ra", func(x [][]float32, _, _ int) { SumRows(x[0], x[1], false) }},
	"sum":          {"as", func(x [][]float32, _, _ int) { x[1][0] = Sum(x[0]) }},
	"dot":          {"aas", func(x [][]float32, _, _ int) { x[2][0] = Dot(x[0], x[1]) }},
	"exp":          {"aa", func(x [][]float32, _, _ int) { Exp(x[0], x[1]) }},
	"sigmoid":      {"aa", func(x [][]float32, _, _ int) { Sigmoid(x[0], x[1]) }},
	"tanh":         {"aa", func(x [][]float32, _, _ int) { Tanh(x[0], x[1]) }},
	"gelu":         {"aa", func(x [][]float32, _, _ int) { GELU(x[0], x[1]) }},
	"gelu-back":    {"aaa", func(x [][]float32, _, _ int) { GELUBack(x[0], x[1], x[2]) }},
	"sigmoid-back": {"aaa", func(x [][]float32, _, _ int) { SigmoidBack(x[0], x[1], x[2]) }},
	"relu":         {"aa", func(x [][]float32, _, _ int) { ReLU(x[0], x[1]) }},
	"relu-back":    {"aaa", func(x [][]float32, _, _ int) { ReLUBack(x[0], x[1], x[2]) }},
	"momentum":     {"aaa", func(x [][]float32, _, _ int) { Momentum(x[0], x[1], x[2], 0.1, 0.9, 1) }},
	"adam": {"aaaa", func(x [][]float32, _, _ int) {
		for i, v := range x[3] {
			x[3][i] = v * v // a second moment is never negative
		}
		Adam(x[0], x[1], x[2], x[3], AdamStep{Beta1: 0.9, Beta2: 0.999, Rate: 0.001, Root: 1.5, Epsilon: 1e-7})
	}},
	"softmax":      {"aass", func(x [][]float32, _, n int) { SoftmaxRows(x[0], x[1], x[2], x[3], n, 0.5, 2) }},
	"softmax-back": {"aa", func(x [][]float32, _, n int) { SoftmaxBack(x[0], x[1], n, 0.5) }},
	"layernorm":    {"aarrss", func(x [][]float32, _, _ int) { LayerNorm(x[0], x[1], x[2], x[3], x[4], x[5], 1e-5) }},
	"layernorm-back": {"aaarss", func(x [][]float32, _, _ int) {
		LayerNormBack(x[0], x[1], x[2], x[3], x[4], x[5], false)
	}},
	"layernorm-back-add": {"aaarss", func(x [][]float32, _, _ int) {
		LayerNormBack(x[0], x[1], x[2], x[3], x[4], x[5], true)
	}},
	"layernorm-sums": {"rraass", func(x [][]float32, _, n int) {
		LayerNormSums(x[0], x[1], x[2], x[3], x[4], x[5], n, n/3, n)
	}},
	"lstm": {"aaaaaaa", func(x [][]float32, rows, n int) { stepOf(x, rows, n).Forward() }},
	"lstm-first": {"aaaaraa", func(x [][]float32, rows, n int) {
		s := stepOf(x, rows, n)
		s.NoBefore = true
		s.Forward()
	}},
	"lstm-back": {"aaaaaaaaa", func(x [][]float32, rows, n int) { stepOf(x, rows, n).Back(x[6], x[7], x[8]) }},
}

func argLen(kind byte, rows, n int) int {
	switch kind {
	case 'a':
		return rows * n
	case 'r':
		return n
	}
	return rows
}

// Every loop against portable code: lengths around the vectors', several rows.
// Where one is not finite the other is not. A sum may have other roundings:
// results are compared to the size of the operands, which are near 1.
func TestRowLoopsMatchPortable(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, name := range slices.Sorted(maps.Keys(rowLoops)) {
			l := rowLoops[name]
			for n := 1; n < 70; n++ {
				matchPortable(t, r, name, l, 1+n%4, n, n%3 == 0)
			}
		}
	})
}

func matchPortable(t *testing.T, r *rand.Rand, name string, l rowLoop, rows, n int, odd bool) {
	t.Helper()
	var got, want [][]float32
	for _, kind := range []byte(l.args) {
		x := make([]float32, argLen(kind, rows, n))
		if odd {
			copy(x, oddly[float32](r, len(x)))
		} else {
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
		}
		got, want = append(got, x), append(want, append([]float32(nil), x...))
	}
	l.run(got, rows, n)
	portably(func() { l.run(want, rows, n) })
	for k := range got {
		for i, v := range got[k] {
			w := want[k][i]
			if v == w || v != v && w != w {
				continue
			}
			if odd && v-v != 0 && w-w != 0 {
				continue // infinity less infinity in another order is NaN
			}
			if math.Abs(float64(v-w)) > 3e-6*(1+math.Abs(float64(w)))*math.Sqrt(float64(n*rows)) {
				t.Fatalf("%s of %d rows of %d: argument %d element %d is %v by vectors, %v one by one", name, rows, n, k, i, v, w)
			}
		}
	}
}

func FuzzRowLoops(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(40))
	f.Fuzz(func(t *testing.T, seed uint64, rows, n uint8) {
		if rows == 0 || n == 0 {
			return
		}
		eachLevel(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			for _, name := range slices.Sorted(maps.Keys(rowLoops)) {
				l := rowLoops[name]
				matchPortable(t, r, name, l, int(rows), int(n), false)
			}
		})
	})
}
