// Package arena reuses the buffers of one training step in the next, so that a
// steady step neither allocates nor leaves work for the garbage collector.
package arena

import "math/bits"

// Arena hands out slices by size class and takes them back. It is used from
// one goroutine. The zero Arena is ready.
type Arena[E any] struct {
	free map[int][][]E
	live int
	peak int
	made int

	// Poison, if set, is called on every returned buffer. Tests fill it with
	// NaN, so that a use after the return is seen.
	Poison func([]E)
}

// Get returns n elements of any content.
func (a *Arena[E]) Get(n int) []E {
	if n == 0 {
		return nil
	}
	c := class(n)
	a.live += c
	a.peak = max(a.peak, a.live)
	if list := a.free[c]; len(list) > 0 {
		b := list[len(list)-1]
		a.free[c] = list[:len(list)-1]
		return b[:n]
	}
	a.made += c
	return make([]E, n, c)
}

// Put takes back what Get returned; nil is ignored.
func (a *Arena[E]) Put(b []E) {
	if cap(b) == 0 {
		return
	}
	c := cap(b)
	if a.Poison != nil {
		a.Poison(b[:c])
	}
	if a.free == nil {
		a.free = map[int][][]E{}
	}
	a.free[c] = append(a.free[c], b)
	a.live -= c
}

// Live is the number of elements handed out and not returned.
func (a *Arena[E]) Live() int { return a.live }

// Peak is the most elements that were live at the same time.
func (a *Arena[E]) Peak() int { return a.peak }

// Made is the number of elements that were ever allocated: what the arena holds.
func (a *Arena[E]) Made() int { return a.made }

// class rounds n up to one of eight sizes per power of two: at most an eighth is wasted.
func class(n int) int {
	step := 1 << max(0, bits.Len(uint(n-1))-4)
	return (n + step - 1) / step * step
}
