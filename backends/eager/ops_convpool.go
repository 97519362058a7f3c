package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// A convolution and the pooling after it run as one op, on a block of images while
// it lies in the cache: what the convolution leaves is never stored, positions behind
// the last window of the pooling are not computed, and on the way back the
// convolution does not see them. A ReLU between them is the
// convolution's, and in inference batch normalisation is part of its weights and
// bias. The bias's gradient is summed over what is pooled; elsewhere no sum changes
// its order, unless with fewer positions the convolution is computed in tiles, or no
// longer is. Full width and float32 only: the oracle runs op by op.

// fold is the weights and the bias of a convolution, which may have none, with batch
// normalisation after it, as in inference: (x*w+b-mean)*scale+shift = x*(w*scale) +
// (b-mean)*scale+shift. It differs from the two by the rounding of w*scale.
func (t *Tape[T]) fold(w, b, scale, shift, runMean, runVar *Tensor[T], eps float64) (weight, bias *Tensor[T]) {
	c := shift.len()
	weight, bias = t.output(w.Shape...), t.output(c)
	mean, inv, zeros := t.floats.Get(c), t.floats.Get(c), t.floats.Get(c)
	running(mean, inv, runMean, runVar, eps)
	for ch, v := range scale.Data {
		inv[ch] *= v
	}
	clear(zeros)
	kernel.Normalize(weight.Data, w.Data, zeros, inv, zeros)
	from := zeros
	if b != nil {
		from = b.Data
	}
	kernel.Normalize(bias.Data, from, mean, inv, shift.Data)
	t.floats.Put(mean)
	t.floats.Put(inv)
	t.floats.Put(zeros)
	return weight, bias
}

// convPool is MaxPool2D of Conv2D, or of its ReLU.
func (t *Tape[T]) convPool(x, w, b *Tensor[T], stride, pad int, relu bool, side, poolStride int) *Tensor[T] {
	n := x.Shape[0]
	win, p := t.window(x, w, stride, pad).Covers(side, poolStride)
	oh, ow := p.Out()
	y := t.output(n, oh, ow, p.C)
	e := kernel.Epilogue[T]{ReLU: relu}
	needs := x.needs || w.needs
	if b != nil {
		e.Bias = b.Data
		needs = needs || b.needs
	}
	var from []int32
	if t.recording && needs {
		from = t.ints.Get(y.len())
	}
	way := convPoolBack[T]{convBack[T]{x: x, w: w, win: win, block: n}, y, b, from, p, relu}
	s := ofType[convPoolBack[T]](t) // not on the stack: the loops of all threads read it
	*s = way
	packed := t.floats.Get(t.math.FiltersLen(&s.conv.win))
	t.math.PackFilters(w.Data, packed, &s.conv.win)
	t.math.ConvPool(n, x.Data, packed, y.Data, from, &s.conv.win, &s.p, e)
	t.floats.Put(packed)
	*s = convPoolBack[T]{}
	if b == nil {
		return record(t, y, way, x, w)
	}
	return record(t, y, way, x, w, b)
}

// convPoolBack is the way back of convPool.
type convPoolBack[T kernel.Float] struct {
	conv convBack[T] // without the bias
	y, b *Tensor[T]  // b may be nil
	from []int32     // which element under its window each of y came from
	p    kernel.Pooling
	relu bool
}

func (o *convPoolBack[T]) reads(x *Tensor[T]) bool { return x != o.y || o.relu }

func (o *convPoolBack[T]) back(t *Tape[T]) {
	o.conv.y = t.unpooled(o.y, o.from, &o.p, o.relu)
	if o.b != nil && o.b.needs {
		t.biasBack(o.y, o.b) // whose gradient is masked now
	}
	o.conv.back(t)
	t.Free(o.conv.y)
}
