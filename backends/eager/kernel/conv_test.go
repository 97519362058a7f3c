package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// convProblem is a convolution with operands and results, all of exact length.
type convProblem[T Float] struct {
	w                        Window
	n                        int
	x, weight, bias, dy      []T
	y, dx, dw                []T
	wantY, wantX, wantWeight []float64
	filters, turned          []T
}

func newConvProblem[T Float](r *rand.Rand, m *Math[T], place room[T]) *convProblem[T] {
	p := &convProblem[T]{n: 1 + r.IntN(10)}
	w := &p.w
	w.Kernel, w.Stride = 1+r.IntN(4), 1+r.IntN(3)
	w.Pad, w.Shift = r.IntN(w.Kernel+1), r.IntN(4)/3
	w.H, w.W = w.Kernel+r.IntN(9), w.Kernel+r.IntN(20)
	w.C, w.F = 1+r.IntN(5), 1+r.IntN(9)
	if r.IntN(4) == 0 {
		w.C, w.F = 1+r.IntN(200), 1+r.IntN(40)
	}
	p.fill(r, m, place)
	return p
}

// fill makes the operands and results of p.w.
func (p *convProblem[T]) fill(r *rand.Rand, m *Math[T], place room[T]) {
	w := &p.w
	depth := w.Kernel * w.Kernel * w.C
	random := func(n int) []T {
		x := place(n)
		copy(x, randoms[T](r, n))
		return x
	}
	p.x, p.weight, p.bias, p.dy = random(p.n*w.In()), random(depth*w.F), random(w.F), random(p.n*w.Len())
	p.y, p.dx, p.dw = random(p.n*w.Len()), random(p.n*w.In()), random(depth*w.F)
	p.filters, p.turned = place(m.FiltersLen(w)), place(m.TurnedLen(w))
}

// define computes what the three functions should leave, by the definition. With
// acc the gradients are added to what is there.
func (p *convProblem[T]) define(acc bool) {
	w := &p.w
	oh, ow := w.Out()
	p.wantY, p.wantX, p.wantWeight = make([]float64, len(p.y)), make([]float64, len(p.x)), make([]float64, len(p.dw))
	if acc {
		for i, v := range p.dx {
			p.wantX[i] = float64(v)
		}
		for i, v := range p.dw {
			p.wantWeight[i] = float64(v)
		}
	}
	for i := range p.n {
		for oy := range oh {
			for ox := range ow {
				for f := range w.F {
					at := ((i*oh+oy)*ow+ox)*w.F + f
					sum, g := float64(p.bias[f]), float64(p.dy[at])
					for ky := range w.Kernel {
						for kx := range w.Kernel {
							y, x := oy*w.Stride-w.Pad+w.Shift+ky, ox*w.Stride-w.Pad+w.Shift+kx
							if y < 0 || y >= w.H || x < 0 || x >= w.W {
								continue
							}
							for c := range w.C {
								pixel, weight := ((i*w.H+y)*w.W+x)*w.C+c, ((ky*w.Kernel+kx)*w.C+c)*w.F+f
								sum += float64(p.x[pixel]) * float64(p.weight[weight])
								p.wantX[pixel] += g * float64(p.weight[weight])
								p.wantWeight[weight] += g * float64(p.x[pixel])
							}
						}
					}
					p.wantY[at] = max(sum, 0)
				}
			}
		}
	}
}

func (p *convProblem[T]) check(t *testing.T, m *Math[T], acc bool) {
	t.Helper()
	p.define(acc)
	m.PackFilters(p.weight, p.filters, &p.w)
	m.PackTurned(p.weight, p.turned, &p.w)
	m.Conv(p.n, p.x, p.filters, p.y, &p.w, Epilogue[T]{Bias: p.bias, ReLU: true})
	m.ConvInput(p.n, p.dy, p.turned, p.dx, &p.w, acc)
	m.ConvWeight(p.n, p.x, p.dy, p.dw, &p.w, acc)
	for what, c := range map[string]struct {
		got  []T
		want []float64
	}{"y": {p.y, p.wantY}, "dx": {p.dx, p.wantX}, "dw": {p.dw, p.wantWeight}} {
		for i, v := range c.got {
			if d := math.Abs(float64(v) - c.want[i]); !(d <= 4000*roundoff[T]()) {
				t.Fatalf("%d images %+v acc %v: %s[%d] is %v, want %v", p.n, p.w, acc, what, i, v, c.want[i])
			}
		}
	}
}

// Every family of kernels against the definition.
func TestConv(t *testing.T) { eachTile(t, convMatches[float32], convMatches[float64]) }

func convMatches[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(31, 32))
	for n := 1; n <= 3; n++ {
		m := newMath(threads(t, n), k)
		for i := range 25 {
			newConvProblem(r, m, onHeap[T]).check(t, m, i%2 == 0)
		}
	}
}

// A result may not depend on the number of threads.
func TestConvIsIndependentOfThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for range 40 {
		one := New[float32](threads(t, 1))
		p := newConvProblem(r, one, onHeap[float32])
		run := func(m *Math[float32]) [3][]float32 {
			y, dx, dw := make([]float32, len(p.y)), make([]float32, len(p.dx)), make([]float32, len(p.dw))
			m.PackFilters(p.weight, p.filters, &p.w)
			m.PackTurned(p.weight, p.turned, &p.w)
			m.Conv(p.n, p.x, p.filters, y, &p.w, Epilogue[float32]{Bias: p.bias})
			m.ConvInput(p.n, p.dy, p.turned, dx, &p.w, false)
			m.ConvWeight(p.n, p.x, p.dy, dw, &p.w, false)
			return [3][]float32{y, dx, dw}
		}
		want := run(one)
		for n := 2; n <= 4; n++ {
			for j, got := range run(New[float32](threads(t, n))) {
				for i, v := range got {
					if v != want[j][i] {
						t.Fatalf("%d images %+v: result %d, element %d with %d threads is %v, with one %v", p.n, p.w, j, i, n, v, want[j][i])
					}
				}
			}
		}
	}
}

// Rows of the window outside of an image take no part, not even as zeros: an
// infinity there leaves the sum finite.
func TestRowsOutsideAreLeftOut(t *testing.T) {
	eachTile(t, rowsOutsideAreLeftOut[float32], rowsOutsideAreLeftOut[float64])
}

func rowsOutsideAreLeftOut[T Float](t *testing.T, k *tile[T]) {
	w := Window{H: 5, W: 6, C: 3, Kernel: 3, Stride: 1, Pad: 1, F: 5}
	m := newMath(threads(t, 1), k)
	ones := func(n int) []T {
		s := make([]T, n)
		Fill(s, 1)
		return s
	}
	inf := T(math.Inf(1))
	finite := func(what string, s []T) {
		t.Helper()
		for i, v := range s {
			if d := float64(v); math.IsNaN(d) || math.IsInf(d, 0) {
				t.Fatalf("%s: element %d is %v", what, i, v)
			}
		}
	}
	tap := w.Kernel * w.C * w.F // elements of a row of the window
	y, dx, dw := ones(w.Len()), ones(w.In()), ones(3*tap)

	weight, filters := ones(3*tap), ones(m.FiltersLen(&w))
	Fill(weight[:tap], inf)
	m.PackFilters(weight, filters, &w)
	m.Conv(1, ones(w.In()), filters, y, &w, Epilogue[T]{})
	finite("the first row of the output", y[:w.W*w.F])

	weight, turned := ones(3*tap), ones(m.TurnedLen(&w))
	Fill(weight[2*tap:], inf)
	m.PackTurned(weight, turned, &w)
	m.ConvInput(1, ones(w.Len()), turned, dx, &w, false)
	finite("the first row of the input's gradient", dx[:w.W*w.C])

	dy := ones(w.Len())
	Fill(dy[:w.W*w.F], inf)
	m.ConvWeight(1, ones(w.In()), dy, dw, &w, false)
	finite("the first row of the weights' gradient", dw[:tap])
}
