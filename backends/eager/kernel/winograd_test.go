package kernel

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// The assembly reads the structs of the transforms by these offsets.
func TestLayoutOfTransforms(t *testing.T) {
	if bits.UintSize != 64 {
		t.Skip("there is no assembly for this platform")
	}
	var in winogradInput[float32]
	var out winogradOutput[float32]
	var f winogradFilters[float32]
	var d winogradGradient[float32]
	got := [][]uintptr{
		{unsafe.Offsetof(in.rows), unsafe.Offsetof(in.v), unsafe.Offsetof(in.plane), unsafe.Offsetof(in.tile), unsafe.Offsetof(in.pixel),
			unsafe.Offsetof(in.channels), unsafe.Offsetof(in.lead), unsafe.Offsetof(in.full), unsafe.Offsetof(in.half), unsafe.Offsetof(in.none)},
		{unsafe.Offsetof(out.m), unsafe.Offsetof(out.plane), unsafe.Offsetof(out.row0), unsafe.Offsetof(out.row1), unsafe.Offsetof(out.bias), unsafe.Offsetof(out.pixel),
			unsafe.Offsetof(out.filters), unsafe.Offsetof(out.tiles), unsafe.Offsetof(out.flags), unsafe.Offsetof(out.last), unsafe.Offsetof(out.least)},
		{unsafe.Offsetof(f.w), unsafe.Offsetof(f.tap), unsafe.Offsetof(f.row), unsafe.Offsetof(f.u), unsafe.Offsetof(f.plane), unsafe.Offsetof(f.next),
			unsafe.Offsetof(f.rows), unsafe.Offsetof(f.width), unsafe.Offsetof(f.add), unsafe.Offsetof(f.half)},
		{unsafe.Offsetof(d.row0), unsafe.Offsetof(d.row1), unsafe.Offsetof(d.d), unsafe.Offsetof(d.plane), unsafe.Offsetof(d.tile), unsafe.Offsetof(d.pixel),
			unsafe.Offsetof(d.filters), unsafe.Offsetof(d.tiles), unsafe.Offsetof(d.last)},
	}
	want := [][]uintptr{
		{0, 32, 40, 48, 56, 64, 72, 80, 88, 96},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 72},
		{0, 8, 16, 24, 32, 40, 48, 56, 64},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("offsets are %v, the assembly has %v", got, want)
	}
}

// sometimesSpecial is randoms with a few NaN, infinities, zeros and subnormals.
func sometimesSpecial(r *rand.Rand, x []float32) {
	copy(x, randoms[float32](r, len(x)))
	for range r.IntN(4) {
		x[r.IntN(len(x))] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1e-42}[r.IntN(6)]
	}
}

// Each transform gives the bits of its portable form, for any strides, and stays in
// its operands.
func testTransforms(t *testing.T, seed uint64, times int, place room[float32]) {
	r := rand.New(rand.NewPCG(seed, 62))
	compare := func(what string, got, want []float32, about any) {
		t.Helper()
		for i := range got {
			if !same(got[i], want[i]) || math.Signbit(float64(got[i])) != math.Signbit(float64(want[i])) && got[i] == got[i] {
				t.Fatalf("%s %+v: element %d is %v, want %v", what, about, i, got[i], want[i])
			}
		}
	}
	for range times {
		if r.IntN(2) == 0 {
			place(1) // guarded operands change sides
		}
		c, gap := 16*(1+r.IntN(3)), 8*r.IntN(3)
		in := winogradInput[float32]{channels: c, pixel: c + gap, tile: c + 8*r.IntN(3), lead: r.IntN(3), full: r.IntN(4), half: r.IntN(2), none: r.IntN(3)}
		tiles := in.full + in.half + in.none
		if tiles > 0 {
			in.plane = tiles*in.tile + 8*r.IntN(3)
			columns := 2 - in.lead + 2*in.full + in.half
			for i := range in.rows {
				row := place(max(1, (columns-1)*in.pixel+c))
				sometimesSpecial(r, row)
				in.rows[i] = &row[0]
			}
			v := [2][]float32{place(15*in.plane + (tiles-1)*in.tile + c), make([]float32, 15*in.plane+(tiles-1)*in.tile+c)}
			for i, way := range []func(*winogradInput[float32]){(*winogradInput[float32]).run, (*winogradInput[float32]).plain} {
				in.v = &v[i][0]
				way(&in)
			}
			compare("input", v[0], v[1], in)
		}
		out := winogradOutput[float32]{filters: c, tiles: 1 + r.IntN(4), pixel: c + gap, flags: r.IntN(4), least: []float32{0, float32(math.Inf(-1))}[r.IntN(2)]}
		out.last = out.flags | []int{0, winogradOneColumn}[r.IntN(2)]
		out.plane = out.tiles*c + 8*r.IntN(3)
		m, bias := place(15*out.plane+out.tiles*c), place(c)
		sometimesSpecial(r, m)
		sometimesSpecial(r, bias)
		out.m, out.bias = &m[0], &bias[0]
		columns := 2 * out.tiles
		if out.last&winogradOneColumn != 0 {
			columns--
		}
		var y [2][2][]float32
		for i := range 2 {
			y[0][i] = place((columns-1)*out.pixel + c)
			sometimesSpecial(r, y[0][i])
			y[1][i] = append([]float32(nil), y[0][i]...)
		}
		for i, way := range []func(*winogradOutput[float32]){(*winogradOutput[float32]).run, (*winogradOutput[float32]).plain} {
			out.row0, out.row1 = &y[i][0][0], &y[i][1][0]
			way(&out)
		}
		for i := range 2 {
			compare(fmt.Sprintf("output row %d", i), y[0][i], y[1][i], out)
		}
		f := winogradFilters[float32]{rows: 1 + r.IntN(5), width: c, row: c + gap, next: c + 8*r.IntN(3), half: 0.5}
		f.tap, f.plane = f.rows*f.row+8*r.IntN(2), f.rows*f.next+8*r.IntN(2)
		w := place(8*f.tap + (f.rows-1)*f.row + c)
		sometimesSpecial(r, w)
		f.w = &w[0]
		size := 15*f.plane + (f.rows-1)*f.next + c
		u := [2][]float32{place(size), make([]float32, size)}
		for i, way := range []func(*winogradFilters[float32]){(*winogradFilters[float32]).run, (*winogradFilters[float32]).plain} {
			f.u = &u[i][0]
			way(&f)
		}
		compare("filters", u[0], u[1], f)
		sometimesSpecial(r, u[0])
		f.add, f.u = r.IntN(2), &u[0][0]
		taps := [2][]float32{w, append([]float32(nil), w...)}
		for i, way := range []func(*winogradFilters[float32]){(*winogradFilters[float32]).back, (*winogradFilters[float32]).plainBack} {
			f.w = &taps[i][0]
			way(&f)
		}
		compare("taps", taps[0], taps[1], f)
		d := winogradGradient[float32]{filters: c, tiles: 1 + r.IntN(4), pixel: c + gap, last: r.IntN(2), tile: c + 8*r.IntN(3)}
		d.plane = d.tiles*d.tile + 8*r.IntN(3)
		var dy [2][]float32
		for i := range dy {
			dy[i] = place((2*d.tiles-d.last-1)*d.pixel + c)
			sometimesSpecial(r, dy[i])
		}
		d.row0, d.row1 = &dy[0][0], &dy[1][0]
		size = 15*d.plane + (d.tiles-1)*d.tile + c
		planes := [2][]float32{place(size), make([]float32, size)}
		for i, way := range []func(*winogradGradient[float32]){(*winogradGradient[float32]).run, (*winogradGradient[float32]).plain} {
			d.d = &planes[i][0]
			way(&d)
		}
		compare("gradient", planes[0], planes[1], d)
	}
}

func TestTransforms(t *testing.T) {
	eachLevel(t, func(t *testing.T) { testTransforms(t, 61, 300, onHeap[float32]) })
}

func FuzzTransforms(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		everyLevel(t, func(t *testing.T) { testTransforms(t, seed, 3, onHeap[float32]) })
	})
}

// newTiledProblem is a convolution that Winograd's way can compute.
func newTiledProblem[T Float](r *rand.Rand, m *Math[T], place room[T]) *convProblem[T] {
	p := &convProblem[T]{n: 1 + r.IntN(9), w: Window{Kernel: 3, Stride: 1, Pad: r.IntN(3), Shift: r.IntN(5) / 4}}
	p.w.H, p.w.W = 2+r.IntN(9), 2+r.IntN(9)
	if p.w.Pad == 0 {
		p.w.H, p.w.W, p.w.Shift = p.w.H+1, p.w.W+1, 0
	}
	p.w.C, p.w.F = 16*(1+r.IntN(4)), 16*(1+r.IntN(4))
	if r.IntN(8) == 0 { // so much that the weights' gradient is made in parts
		p.n, p.w.C, p.w.F = 1, 16*(8+r.IntN(3)), 16*(9+r.IntN(3))
	}
	p.fill(r, m, place)
	return p
}

// needsVectors skips a test of Winograd's way where k has none: its columns come in
// sixteens.
func needsVectors[T Float](t *testing.T, k *tile[T]) {
	t.Helper()
	if k.nr%16 != 0 {
		t.Skipf("%s has %d columns", k.name, k.nr)
	}
}

// Winograd's way against the definition in float64, in each family that has it.
func TestWinograd(t *testing.T) {
	eachTile(t, winogradMatches[float32], winogradMatches[float64])
}

func winogradMatches[T Float](t *testing.T, k *tile[T]) {
	needsVectors(t, k)
	r := rand.New(rand.NewPCG(63, 64))
	everyLevel(t, func(t *testing.T) {
		for n := 1; n <= 3; n++ {
			m := newMath(threads(t, n), k)
			m.way = always
			for i := range 12 {
				p := newTiledProblem(r, m, onHeap[T])
				for _, g := range []sweep{p.w.forward(), p.w.backward(0, 0)} {
					if p.w.Shift == 0 && !m.winograd(&g) {
						t.Fatalf("%+v is not computed in tiles", p.w)
					}
				}
				p.check(t, m, i%2 == 0)
			}
		}
	})
}

// The gradient of many weights over many tiles is summed in blocks.
func TestWinogradSumsBlocksOfTiles(t *testing.T) {
	needsVectors(t, best32)
	r := rand.New(rand.NewPCG(71, 72))
	w := &Window{H: 33, W: 34, C: 128, F: 144, Kernel: 3, Stride: 1, Pad: 1}
	const n = 2
	x, dy := randoms[float32](r, n*w.In()), randoms[float32](r, n*w.Len())
	var dw [2][]float32
	for i, way := range []choice{never, always} {
		m := New[float32](threads(t, 2))
		m.way = way
		dw[i] = randoms[float32](rand.New(rand.NewPCG(1, 1)), w.weights())
		m.ConvWeight(n, x, dy, dw[i], w, true)
	}
	for i, v := range dw[1] {
		if math.Abs(float64(v-dw[0][i])) > 1e-3 {
			t.Fatalf("element %d is %v, direct %v", i, v, dw[0][i])
		}
	}
}

// Which convolutions are computed in tiles, forward and for the input's gradient.
func TestWaysOfConvolutions(t *testing.T) {
	needsVectors(t, best32)
	m := New[float32](threads(t, 1))
	for name, c := range map[string]struct {
		w             Window
		forward, back bool
	}{
		"mnist-cnn's second":       {Window{H: 13, W: 13, C: 32, F: 64}, true, true},
		"mnist-cnn's first":        {Window{H: 28, W: 28, C: 1, F: 32}, false, false},
		"image-cnn's first":        {Window{H: 64, W: 64, C: 3, F: 64, Pad: 1}, false, false},
		"image-cnn's second":       {Window{H: 32, W: 32, C: 64, F: 128, Pad: 1}, true, true},
		"first stage of ResNet":    {Window{H: 32, W: 32, C: 64, F: 64, Pad: 1}, true, true},
		"last stage of ResNet":     {Window{H: 4, W: 4, C: 512, F: 512, Pad: 1}, true, true},
		"window of 5":              {Window{H: 16, W: 16, C: 16, F: 16, Pad: 2, Kernel: 5}, false, false},
		"window of 5, stride 2":    {Window{H: 16, W: 16, C: 16, F: 16, Pad: 2, Kernel: 5, Stride: 2}, false, false},
		"window of 1":              {Window{H: 16, W: 16, C: 16, F: 16, Kernel: 1}, false, false},
		"stride 2":                 {Window{H: 16, W: 16, C: 16, F: 16, Pad: 1, Stride: 2}, false, false},
		"padding of 3":             {Window{H: 16, W: 16, C: 16, F: 16, Pad: 3}, false, false},
		"channels in part":         {Window{H: 16, W: 16, C: 24, F: 16, Pad: 1}, false, false},
		"filters in part":          {Window{H: 16, W: 16, C: 16, F: 40, Pad: 1}, false, false},
		"one position":             {Window{H: 3, W: 3, C: 16, F: 16}, false, false},
		"tiles mostly in part":     {Window{H: 3, W: 3, C: 16, F: 16, Pad: 1}, false, false},
		"a third of tiles in part": {Window{H: 5, W: 5, C: 16, F: 16, Pad: 1}, false, false},
	} {
		c.w.Kernel, c.w.Stride = max(c.w.Kernel, 1), max(c.w.Stride, 1)
		if name != "window of 1" && c.w.Kernel == 1 {
			c.w.Kernel = 3
		}
		forward, back := c.w.forward(), c.w.backward(0, 0)
		if got := m.winograd(&forward); got != c.forward {
			t.Errorf("%s: in tiles forward is %v, want %v", name, got, c.forward)
		}
		if got := m.winograd(&back); got != c.back {
			t.Errorf("%s: in tiles back is %v, want %v", name, got, c.back)
		}
		tiles := forward.tiledProducts() / 16
		if got := m.tiledGradient(&forward, (leastTiles+tiles-1)/tiles); got != c.forward {
			t.Errorf("%s: the gradient of the weights in tiles is %v, want %v", name, got, c.forward)
		}
		if m.tiledGradient(&forward, (leastTiles-1)/tiles) {
			t.Errorf("%s: the gradient of the weights of few images is computed in tiles", name)
		}
		double := New[float64](threads(t, 1))
		if double.winograd(&forward) || double.winograd(&back) {
			t.Errorf("%s: float64 is computed in tiles", name)
		}
	}
}

// What is not finite in a pixel reaches the positions that have it under their
// window, as NaN or infinity, and no other: as far as by the direct sum. A NaN there
// is NaN.
func TestWinogradCarriesNaNAndInf(t *testing.T) {
	needsVectors(t, best32)
	const side = 7
	w := &Window{H: side, W: side, C: 16, F: 16, Kernel: 3, Stride: 1, Pad: 1}
	r := rand.New(rand.NewPCG(67, 68))
	for _, special := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for pixel := range side * side {
			x, weight, y := randoms[float32](r, w.In()), randoms[float32](r, w.depth()*w.F), [2][]float32{}
			x[pixel*16+5] = float32(special)
			for i, way := range []choice{never, always} {
				m := New[float32](threads(t, 1))
				m.way = way
				filters := make([]float32, m.FiltersLen(w))
				y[i] = make([]float32, w.Len())
				m.PackFilters(weight, filters, w)
				m.Conv(1, x, filters, y[i], w, Epilogue[float32]{})
			}
			for i, v := range y[1] {
				direct, oy, ox := y[0][i], i/16/side, i/16%side
				switch {
				case (v-v == 0) != (direct-direct == 0), direct-direct == 0 && math.Abs(float64(v-direct)) > 1e-4, math.IsNaN(special) && direct != direct && v == v:
					t.Fatalf("%v in pixel %d,%d: position %d,%d is %v, direct %v", special, pixel/side, pixel%side, oy, ox, v, direct)
				}
			}
		}
	}
}

// Rounding errors are of the size of those of the direct sum: at most 8 units in
// the last place of the sum of the products' magnitudes.
func TestWinogradKeepsItsBound(t *testing.T) {
	needsVectors(t, best32)
	r := rand.New(rand.NewPCG(69, 70))
	var worst [2]float64
	for _, c := range []int{16, 64, 512} {
		w := &Window{H: 6, W: 6, C: c, F: 16, Kernel: 3, Stride: 1, Pad: 1}
		x, weight := randoms[float32](r, w.In()), randoms[float32](r, w.depth()*w.F)
		exact, size := make([]float64, w.Len()), make([]float64, w.Len())
		for i := range exact {
			f, ox, oy := i%16, i/16%6, i/16/6
			for tap := range 9 {
				if yy, xx := oy+tap/3-1, ox+tap%3-1; yy >= 0 && yy < 6 && xx >= 0 && xx < 6 {
					for k := range c {
						p := float64(x[(yy*6+xx)*c+k]) * float64(weight[(tap*c+k)*16+f])
						exact[i] += p
						size[i] += math.Abs(p)
					}
				}
			}
		}
		for i, way := range []choice{never, always} {
			m := New[float32](threads(t, 1))
			m.way = way
			filters, y := make([]float32, m.FiltersLen(w)), make([]float32, w.Len())
			m.PackFilters(weight, filters, w)
			m.Conv(1, x, filters, y, w, Epilogue[float32]{})
			for j, v := range y {
				worst[i] = max(worst[i], math.Abs(float64(v)-exact[j])/size[j]/roundoff[float32]())
			}
		}
	}
	t.Logf("units: direct %.2g, in tiles %.2g", worst[0], worst[1])
	if worst[1] > 8 {
		t.Errorf("errors of %v units", worst[1])
	}
}

// A result does not depend on the number of threads, nor on how images are blocked.
func TestWinogradIsIndependentOfThreads(t *testing.T) {
	needsVectors(t, best32)
	r := rand.New(rand.NewPCG(65, 66))
	for range 30 {
		one := New[float32](threads(t, 1))
		one.way = always
		p := newTiledProblem(r, one, onHeap[float32])
		run := func(m *Math[float32], n, images int) [3][]float32 {
			m.way = always
			y, dx, dw := make([]float32, len(p.y)), make([]float32, len(p.dx)), make([]float32, len(p.dw))
			m.ConvWeight(n, p.x, p.dy, dw, &p.w, false)
			m.PackFilters(p.weight, p.filters, &p.w)
			m.PackTurned(p.weight, p.turned, &p.w)
			for i := 0; i < n; i += images {
				k := min(images, n-i)
				m.Conv(k, p.x[i*p.w.In():], p.filters, y[i*p.w.Len():], &p.w, Epilogue[float32]{Bias: p.bias})
				m.ConvInput(k, p.dy[i*p.w.Len():], p.turned, dx[i*p.w.In():], &p.w, false)
			}
			return [3][]float32{y, dx, dw}
		}
		want := run(one, p.n, p.n)
		for n := 1; n <= 4; n++ {
			for j, got := range run(New[float32](threads(t, n)), p.n, 1+r.IntN(p.n)) {
				for i, v := range got {
					if v != want[j][i] {
						t.Fatalf("%d images %+v: result %d, element %d with %d threads is %v, with one %v", p.n, p.w, j, i, n, v, want[j][i])
					}
				}
			}
		}
	}
}

// BenchmarkConvWays holds Winograd's way against the direct sum, forward (y) and for
// the input's gradient (dx), with the packing of filters that a step has: of
// mnist-cnn's second convolution, of image-cnn's at 64 and 32 pixels, and of the
// four stages of ResNet, 8 images.
func BenchmarkConvWays(b *testing.B) {
	for _, s := range []struct {
		name string
		n    int
		w    Window
	}{
		{"mnist-conv2", 32, Window{H: 13, W: 13, C: 32, F: 64}},
		{"image64-conv2", 8, Window{H: 32, W: 32, C: 64, F: 128, Pad: 1}},
		{"image32-conv2", 8, Window{H: 16, W: 16, C: 64, F: 128, Pad: 1}},
		{"resnet-1", 8, Window{H: 32, W: 32, C: 64, F: 64, Pad: 1}},
		{"resnet-2", 8, Window{H: 16, W: 16, C: 128, F: 128, Pad: 1}},
		{"resnet-3", 8, Window{H: 8, W: 8, C: 256, F: 256, Pad: 1}},
		{"resnet-4", 8, Window{H: 4, W: 4, C: 512, F: 512, Pad: 1}},
		{"small-16", 8, Window{H: 16, W: 16, C: 16, F: 16, Pad: 1}},
		{"small-32", 8, Window{H: 16, W: 16, C: 32, F: 32, Pad: 1}},
		{"one-resnet-4", 1, Window{H: 4, W: 4, C: 512, F: 512, Pad: 1}},
		{"one-resnet-3", 1, Window{H: 8, W: 8, C: 256, F: 256, Pad: 1}},
		{"one-resnet-2", 1, Window{H: 16, W: 16, C: 128, F: 128, Pad: 1}},
	} {
		s.w.Kernel, s.w.Stride = 3, 1
		for _, what := range []string{"pack", "y", "packdx", "dx", "dw"} {
			for i, way := range []choice{never, always} {
				b.Run(fmt.Sprintf("%s/%s/%s", s.name, what, []string{"direct", "winograd"}[i]), func(b *testing.B) {
					p := pool.New(1)
					defer p.Close()
					m, r := New[float32](p), rand.New(rand.NewPCG(1, 2))
					m.way = way
					x, y, bias := randoms[float32](r, s.n*s.w.In()), randoms[float32](r, s.n*s.w.Len()), randoms[float32](r, s.w.F)
					weight := randoms[float32](r, s.w.depth()*s.w.F)
					filters, turned := make([]float32, m.FiltersLen(&s.w)), make([]float32, m.TurnedLen(&s.w))
					m.PackFilters(weight, filters, &s.w)
					m.PackTurned(weight, turned, &s.w)
					for b.Loop() {
						switch what {
						case "y":
							m.Conv(s.n, x, filters, y, &s.w, Epilogue[float32]{Bias: bias, ReLU: true})
						case "pack":
							m.PackFilters(weight, filters, &s.w)
						case "dw":
							m.ConvWeight(s.n, x, y, weight, &s.w, false)
						case "packdx":
							m.PackTurned(weight, turned, &s.w)
						default:
							m.ConvInput(s.n, y, turned, x, &s.w, false)
						}
					}
				})
			}
		}
	}
}
