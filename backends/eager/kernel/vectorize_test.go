package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// eachLevel runs do for each family of vector loops of this processor but portable code.
func eachLevel(t *testing.T, do func(t *testing.T)) {
	best := vectorLevel
	if best == levelGo {
		t.Skip("one path only: no vector loops here")
	}
	defer func() { vectorLevel = best }()
	for l := levelAVX2; l <= best; l++ {
		t.Run(l.String(), func(t *testing.T) {
			vectorLevel = l
			do(t)
		})
	}
}

// portably runs do in portable code.
func portably(do func()) {
	l := vectorLevel
	vectorLevel = levelGo
	defer func() { vectorLevel = l }()
	do()
}

var oddValues = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e-40, -1e-40, 5e-324, 1e-300, 1e-20, -1e-20, 88.7, -88.7, 1e30}

// oddly returns n normal numbers, one in four of them odd.
func oddly[T Float](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		if x[i] = T(r.NormFloat64()); r.IntN(4) == 0 {
			x[i] = T(oddValues[r.IntN(len(oddValues))])
		}
	}
	return x
}

// The loops that say "exact" give the same bits in each family: all lengths
// around the vectors', NaN, infinity, zeros of both signs and subnormals.
func TestExactLoopsMatchPortable(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		exactLoops[float32](t)
		exactLoops[float64](t)
	})
}

func exactLoops[T Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	loops := map[string]func(a, b, c, d []T){
		"add":       func(a, b, _, _ []T) { Add(a, b) },
		"scale":     func(a, _, _, _ []T) { Scale(a, 0.3) },
		"sum-rows":  func(a, b, _, _ []T) { SumRows(a[:len(a)/3], b, true) },
		"bias":      func(a, b, _, _ []T) { AddToRows(a, b[:len(b)/3]) },
		"relu":      func(a, b, _, _ []T) { ReLU(a, b) },
		"relu-back": func(a, b, c, _ []T) { ReLUBack(a, b, c) },
		"momentum":  func(a, b, c, _ []T) { Momentum(a, b, c, 0.01, 0.9, 1) },
		"adam": func(a, b, c, d []T) {
			for i, v := range d {
				if v < 0 {
					d[i] = -v // a second moment is never negative
				}
			}
			Adam(a, b, c, d, AdamStep{Beta1: 0.9, Beta2: 0.999, Rate: 0.001, Root: 1.5, Epsilon: 1e-7})
		},
	}
	for name, run := range loops {
		for n := range 70 {
			args := [4][]T{oddly[T](r, n), oddly[T](r, n), oddly[T](r, n), oddly[T](r, n)}
			var again [4][]T
			for i, x := range args {
				again[i] = append([]T(nil), x...)
			}
			run(args[0], args[1], args[2], args[3])
			portably(func() { run(again[0], again[1], again[2], again[3]) })
			for k := range args {
				for i := range args[k] {
					if got, want := args[k][i], again[k][i]; bitsOf(got) != bitsOf(want) && !(got != got && want != want) {
						t.Fatalf("%s of %d elements: slice %d element %d is %v by vectors, %v one by one", name, n, k, i, got, want)
					}
				}
			}
		}
	}
}

func bitsOf[T Float](x T) uint64 {
	if Is32[T]() {
		return uint64(*(*uint32)(unsafe.Pointer(&x)))
	}
	return *(*uint64)(unsafe.Pointer(&x))
}

// functions32 are the functions of one variable, their value in float64, and the
// error bound of portable code and of vectors in units in the last place of the
// result. GELU is that far off only where the result is below 1e-36, else at most 6.
var functions32 = []struct {
	name            string
	run             func(y, x []float32)
	want            func(x float64) float64
	portable, bound float64
}{
	{"exp", Exp[float32], math.Exp, 1.2, 1.2},
	{"sigmoid", Sigmoid[float32], func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 2.5, 2.5},
	{"tanh", Tanh[float32], math.Tanh, 2, 3},
	{"gelu", GELU[float32], func(x float64) float64 { return x * normalCDF(x) }, 0.6, 9},
}

// distance is how far got is from want in units in the last place of want; a
// result in the subnormal range has the unit of the smallest normal number.
func distance(got float32, want float64) float64 {
	w := float32(want)
	if got == w || got != got && want != want {
		return 0
	}
	if math.IsInf(float64(got), 0) || math.IsInf(float64(w), 0) || got != got || want != want {
		return math.Inf(1)
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// patternStride says that TestFunctionsKeepTheirBounds tries every so many'th
// bit pattern; it was 61 when the bounds were set.
const patternStride = 3163

func TestFunctionsKeepTheirBounds(t *testing.T) {
	x, y := make([]float32, 0, 1<<32/patternStride+64), []float32(nil)
	for bits := uint64(0); bits < 1<<32; bits += patternStride {
		x = append(x, math.Float32frombits(uint32(bits)))
	}
	for _, v := range oddValues {
		x = append(x, float32(v))
	}
	y = make([]float32, len(x))
	check := func(t *testing.T) {
		for _, f := range functions32 {
			f.run(y, x)
			bound := f.bound
			if vectorLevel == levelGo {
				bound = f.portable
			}
			worst, at := 0.0, float32(0)
			for i, v := range x {
				d := distance(y[i], f.want(float64(v)))
				if d > 6 && f.name == "gelu" && math.Abs(float64(y[i])) > 1e-36 {
					t.Errorf("gelu(%v) is %.2f ulp off, at most 6 allowed of such results", v, d)
				}
				if d > worst {
					worst, at = d, v
				}
			}
			t.Logf("%s: worst %.2f ulp at %v", f.name, worst, at)
			if worst > bound {
				t.Errorf("%s(%v) is %.2f ulp off, at most %v allowed", f.name, at, worst, bound)
			}
		}
	}
	portably(func() { check(t) })
	eachLevel(t, check)
}

// The offsets that asm/vector.go knows.
func TestLayoutOfVectorArguments(t *testing.T) {
	var a vectorArgs
	got := [...]uintptr{unsafe.Offsetof(a.n), unsafe.Offsetof(a.rows), unsafe.Offsetof(a.main), unsafe.Offsetof(a.slices), unsafe.Offsetof(a.strides), unsafe.Offsetof(a.factors)}
	if unsafe.Sizeof(uintptr(0)) == 8 && got != [...]uintptr{0, 8, 16, 24, 120, 216} {
		t.Errorf("the fields lie at %v", got)
	}
}
