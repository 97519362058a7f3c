// Package arena reuses the buffers of one training step in the next, so that a
// steady step neither allocates nor leaves work for the garbage collector.
package arena

import (
	"slices"
	"unsafe"
)

const (
	// reserved is the address space that an arena asks for, bytes: 32 GiB, room enough
	// for all buffers to lie side by side, or, where an address has 32 bits, 256 MiB.
	// Memory is taken only where they were used.
	reserved = 1 << (28 + 7*(^uint(0)>>63))
	// line is what buffers are aligned to, bytes: a cache line, and a vector of AVX-512.
	line = 64
	// leastSlab is the size of the first slab where no address space can be had, bytes.
	leastSlab = 1 << 14
)

// Arena hands out slices of numbers and takes them back. It is used from one
// goroutine. The zero Arena is ready.
//
// Buffers lie side by side in address space outside of the collector's heap, much
// like a stack. A request takes the smallest gap that it fits into, or room at the
// top; gaps that meet become one (best fit: Knuth, The Art of Computer Programming
// 1, 2.5). Equal sequences of requests find equal places, so that what one step took
// is enough for the next.
type Arena[E any] struct {
	slabs  []slab[E]
	gaps   []gap // by place; none ends at its slab's top
	mapped []byte
	live   int
	peak   int

	// Poison, if set, is called on every returned buffer. Tests fill it with
	// NaN, so that a use after the return is seen.
	Poison func([]E)
}

// slab is memory of which elements from top on are free, and those from high on
// were never used.
type slab[E any] struct {
	all       []E
	top, high int
}

// gap is n free elements of a slab.
type gap struct{ slab, from, n int }

// Get returns n elements of any content.
func (a *Arena[E]) Get(n int) []E {
	if n == 0 {
		return nil
	}
	room := roundUp[E](n)
	at := a.take(room)
	a.live += room
	a.peak = max(a.peak, a.live)
	return a.slabs[at.slab].all[at.from : at.from+n : at.from+room]
}

// take finds room for so many elements.
func (a *Arena[E]) take(n int) gap {
	best := -1
	for i, g := range a.gaps {
		if g.n >= n && (best < 0 || g.n < a.gaps[best].n) {
			best = i
		}
	}
	if best >= 0 {
		g := a.gaps[best]
		if g.n == n {
			a.gaps = slices.Delete(a.gaps, best, best+1)
		} else {
			a.gaps[best].from += n
			a.gaps[best].n -= n
		}
		return g
	}
	for i := range a.slabs {
		if s := &a.slabs[i]; s.top+n <= len(s.all) {
			return a.grow(i, n)
		}
	}
	if a.slabs == nil {
		if a.mapped = reserve(reserved); a.mapped != nil {
			a.slabs = append(a.slabs, slab[E]{all: view[E](a.mapped)})
			return a.take(n)
		}
	}
	least := leastSlab / width[E]() << len(a.slabs)
	a.slabs = append(a.slabs, slab[E]{all: alignedSlab[E](max(n, least))})
	return a.grow(len(a.slabs)-1, n)
}

// grow takes n elements at the top of a slab.
func (a *Arena[E]) grow(i, n int) gap {
	s := &a.slabs[i]
	at := gap{i, s.top, n}
	s.top += n
	s.high = max(s.high, s.top)
	return at
}

// Put takes back what Get returned; nil is ignored.
func (a *Arena[E]) Put(b []E) {
	n := cap(b)
	if n == 0 {
		return
	}
	if a.Poison != nil {
		a.Poison(b[:n])
	}
	a.live -= n
	g := a.place(b)
	s := &a.slabs[g.slab]
	i, twice := slices.BinarySearchFunc(a.gaps, g, byPlace)
	twice = twice || i < len(a.gaps) && overlap(g, a.gaps[i]) || i > 0 && overlap(a.gaps[i-1], g)
	if twice {
		panic("arena: a buffer was given back twice")
	}
	if i < len(a.gaps) && a.gaps[i].slab == g.slab && a.gaps[i].from == g.from+g.n {
		g.n += a.gaps[i].n
		a.gaps = slices.Delete(a.gaps, i, i+1)
	}
	if i > 0 && a.gaps[i-1].slab == g.slab && a.gaps[i-1].from+a.gaps[i-1].n == g.from {
		i--
		g = gap{g.slab, a.gaps[i].from, a.gaps[i].n + g.n}
		a.gaps = slices.Delete(a.gaps, i, i+1)
	}
	if g.from+g.n == s.top {
		s.top = g.from
		return
	}
	a.gaps = slices.Insert(a.gaps, i, g)
}

// Reset takes back all that is handed out.
func (a *Arena[E]) Reset() {
	if a.live == 0 {
		return // and there are no gaps
	}
	for i := range a.slabs {
		s := &a.slabs[i]
		if a.Poison != nil {
			a.Poison(s.all[:s.top])
		}
		s.top = 0
	}
	a.gaps, a.live = a.gaps[:0], 0
}

// place is where b lies.
func (a *Arena[E]) place(b []E) gap {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	for i, s := range a.slabs {
		// Below the slab the difference wraps round to a large number.
		if from := (p - uintptr(unsafe.Pointer(unsafe.SliceData(s.all)))) / uintptr(width[E]()); from < uintptr(s.top) {
			return gap{i, int(from), cap(b)}
		}
	}
	panic("arena: what is given back was not handed out")
}

// overlap reports whether b, which does not begin before a, begins within it.
func overlap(a, b gap) bool { return a.slab == b.slab && b.from < a.from+a.n }

func byPlace(a, b gap) int {
	if a.slab != b.slab {
		return a.slab - b.slab
	}
	return a.from - b.from
}

// Close gives the memory back: no buffer may be used any more. The arena is then
// as new.
func (a *Arena[E]) Close() {
	if a.mapped != nil {
		release(a.mapped)
	}
	*a = Arena[E]{Poison: a.Poison}
}

// Live is the number of elements handed out and not returned.
func (a *Arena[E]) Live() int { return a.live }

// Peak is the most elements that were live at the same time.
func (a *Arena[E]) Peak() int { return a.peak }

// Whole reports whether all buffers lie in one piece of memory, where gaps can meet.
func (a *Arena[E]) Whole() bool { return len(a.slabs) < 2 }

// Made is the number of elements that were ever used, gaps included: what the
// arena holds.
func (a *Arena[E]) Made() int {
	n := 0
	for _, s := range a.slabs {
		n += s.high
	}
	return n
}

func width[E any]() int {
	var e E
	return int(unsafe.Sizeof(e))
}

// roundUp is n elements as whole cache lines.
func roundUp[E any](n int) int {
	unit := line / width[E]()
	return (n + unit - 1) / unit * unit
}

// alignedSlab is n elements of the collector's heap.
func alignedSlab[E any](n int) []E {
	unit := line / width[E]()
	all := make([]E, n+unit)
	if off := int(uintptr(unsafe.Pointer(&all[0])) % line); off != 0 {
		all = all[(line-off)/width[E]():]
	}
	return all[:n:n]
}

// view is memory as elements.
func view[E any](b []byte) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/width[E]())
}
