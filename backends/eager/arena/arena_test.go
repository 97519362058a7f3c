package arena

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// arenas are those of either kind of memory.
func arenas[E any](t *testing.T) map[string]*Arena[E] {
	heap := &Arena[E]{slabs: []slab[E]{}}
	var system Arena[E]
	t.Cleanup(system.Close)
	return map[string]*Arena[E]{"heap": heap, "system": &system}
}

func TestReuse(t *testing.T) {
	for name, a := range arenas[float32](t) {
		x := a.Get(1000)
		a.Put(x)
		y := a.Get(990)
		if &x[0] != &y[0] {
			t.Errorf("%s: a returned buffer was not handed out again", name)
		}
		z := a.Get(1000)
		if &z[0] == &y[0] {
			t.Errorf("%s: a buffer in use was handed out again", name)
		}
		if a.Live() != a.Peak() || a.Made() != a.Live() {
			t.Errorf("%s: live %d, peak %d, made %d: expected all equal", name, a.Live(), a.Peak(), a.Made())
		}
		a.Put(y)
		a.Put(z)
		a.Put(nil)
		if a.Live() != 0 || len(a.gaps) != 0 {
			t.Errorf("%s: live %d and gaps %v after all were returned", name, a.Live(), a.gaps)
		}
	}
}

// Buffers in use never overlap, are aligned, and leave nothing behind, whatever
// is given back when.
func TestBuffersNeverOverlap(t *testing.T) {
	for name, a := range arenas[float64](t) {
		r := rand.New(rand.NewPCG(1, 2))
		type buffer struct {
			data []float64
			mark float64
		}
		var held []buffer
		check := func(b buffer) {
			for i, v := range b.data {
				if v != b.mark {
					t.Fatalf("%s: element %d of a buffer of %d is %v, want %v", name, i, len(b.data), v, b.mark)
				}
			}
		}
		for round := range 20000 {
			if len(held) > 0 && r.IntN(100) < 48+len(held)/10 {
				i := r.IntN(len(held))
				check(held[i])
				a.Put(held[i].data)
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
				continue
			}
			b := buffer{a.Get(1 + r.IntN(1+r.IntN(3000))), float64(round)}
			if uintptr(unsafe.Pointer(&b.data[0]))%line != 0 {
				t.Fatalf("%s: a buffer at %p", name, &b.data[0])
			}
			for i := range b.data[:cap(b.data)] {
				b.data[:cap(b.data)][i] = b.mark
			}
			held = append(held, b)
		}
		for _, b := range held {
			check(b)
			a.Put(b.data)
		}
		if a.Live() != 0 || len(a.gaps) != 0 || a.Made() < a.Peak() {
			t.Errorf("%s: live %d, gaps %v, peak %d of %d made", name, a.Live(), a.gaps, a.Peak(), a.Made())
		}
	}
}

// What a step took is enough for the same step again.
func TestSteadyUseDoesNotGrow(t *testing.T) {
	for name, a := range arenas[uint16](t) {
		step := func() {
			r := rand.New(rand.NewPCG(5, 5))
			var held [][]uint16
			for range 300 {
				held = append(held, a.Get(1+r.IntN(5000)))
				if r.IntN(3) == 0 {
					i := r.IntN(len(held))
					a.Put(held[i])
					held[i] = nil
				}
			}
			for i := len(held) - 1; i >= 0; i-- {
				a.Put(held[i])
			}
		}
		step()
		made := a.Made()
		for range 5 {
			if step(); a.Made() != made {
				t.Fatalf("%s: the arena grew from %d to %d elements", name, made, a.Made())
			}
		}
		if made > a.Peak()*5/4 {
			t.Errorf("%s: %d elements are held for a peak of %d", name, made, a.Peak())
		}
	}
}

func TestSteadyUseDoesNotAllocate(t *testing.T) {
	for name, a := range arenas[float64](t) {
		step := func() {
			x, y, z := a.Get(100), a.Get(200), a.Get(300)
			a.Put(y)
			a.Put(x)
			a.Put(z)
		}
		step()
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%s: a steady step allocates %v times", name, n)
		}
	}
}

func TestWrongReturnsPanic(t *testing.T) {
	for name, a := range arenas[int32](t) {
		first, second, other := a.Get(10), a.Get(10), make([]int32, 16)
		a.Get(10)
		a.Put(first)
		a.Put(second)
		for what, b := range map[string][]int32{"the first twice": first, "the second twice": second, "another": other} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: giving back %s did not panic", name, what)
					}
				}()
				a.Put(b)
			}()
		}
	}
}

// After Reset everything is handed out anew, from the same places, and nothing that
// was handed out before can be given back.
func TestReset(t *testing.T) {
	for name, a := range arenas[float32](t) {
		a.Poison = func(b []float32) {
			for i := range b {
				b[i] = -1
			}
		}
		a.Reset()
		step := func() (x []float32) {
			x = a.Get(100)
			a.Put(x)
			for n := range 5 {
				x = a.Get(1000*n + 1)
			}
			a.Put(a.Get(50))
			return x
		}
		x := step()
		x[0] = 1
		made := a.Made()
		if a.Reset(); a.Live() != 0 || x[0] != -1 {
			t.Errorf("%s: after Reset %d elements are live, and a buffer holds %v, want 0 and poison", name, a.Live(), x[0])
		}
		for range 10 {
			y := step()
			if &y[0] != &x[0] || a.Made() != made {
				t.Fatalf("%s: a step after Reset took other places, %d elements instead of %d", name, a.Made(), made)
			}
			a.Reset()
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: what Reset took back was given back again", name)
				}
			}()
			a.Put(x)
		}()
	}
}

func TestCloseMakesAnArenaNew(t *testing.T) {
	var a Arena[float32]
	a.Put(a.Get(1 << 16))
	if a.Close(); a.Made() != 0 || a.Peak() != 0 {
		t.Errorf("made %d, peak %d after Close", a.Made(), a.Peak())
	}
	if x := a.Get(5); len(x) != 5 {
		t.Errorf("%d elements", len(x))
	}
	a.Close()
	a.Close()
}

// A buffer that the first slab has no room for makes a second piece of memory.
func TestWhole(t *testing.T) {
	for name, a := range arenas[float32](t) {
		x := a.Get(10)
		if !a.Whole() {
			t.Errorf("%s: several pieces of memory for one buffer", name)
		}
		y := a.Get(leastSlab)
		if want := a.mapped != nil; a.Whole() != want {
			t.Errorf("%s: in one piece: %v, want %v", name, a.Whole(), want)
		}
		a.Put(x)
		a.Put(y)
	}
}
