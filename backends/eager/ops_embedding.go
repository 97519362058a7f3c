package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// Embedding looks ids[N,T] up in table[V,D].
func (t *Tape[T]) Embedding(ids []int32, n int, table *Tensor[T]) *Tensor[T] {
	d := table.Shape[1]
	y := t.output(n, len(ids)/n, d)
	parallel(t, len(ids), max(1, pointGrain/d), lookUp[T]{t, y, table, ids})
	return record(t, y, embeddingBack[T]{y, table, ids, t.block(len(ids), d, 1)}, table)
}

type lookUp[T kernel.Float] struct {
	tape     *Tape[T]
	y, table *Tensor[T]
	ids      []int32
}

func (l *lookUp[T]) run(_, first, end int) {
	y, table, d := l.y, l.table, l.table.Shape[1]
	for i := first; i < end; i++ {
		switch from := int(l.ids[i]) * d; {
		case y.half == nil:
			copy(y.Data[i*d:][:d], table.Data[from:])
		case table.half != nil:
			copy(y.half[i*d:][:d], table.half[from:])
		default:
			l.tape.format.Narrow(y.half[i*d:][:d], as32(table.Data[from:][:d]))
		}
	}
}

// embeddingBack is the way back of Embedding, in blocks of that many ids.
type embeddingBack[T kernel.Float] struct {
	y, table *Tensor[T]
	ids      []int32
	block    int
}

func (o *embeddingBack[T]) reads(*Tensor[T]) bool { return false }

func (o *embeddingBack[T]) back(t *Tape[T]) {
	v, d := o.table.Shape[0], o.table.Shape[1]
	g, add := t.gradOf(o.table)
	for first := 0; first < len(o.ids); first += o.block {
		end := min(first+o.block, len(o.ids))
		dys := t.readGrad(o.y, first*d, end*d)
		parallel(t, v, max(1, pointGrain/d), scatter[T]{g, dys, o.ids[first:end], d, add || first > 0})
		t.doneGrad(o.y, dys)
	}
}

// scatter adds rows of dy to those rows of g, [V,d], that ids name, for some of
// the rows of g, in the order of ids. Without add those rows are zeroed first.
type scatter[T kernel.Float] struct {
	g, dy []T
	ids   []int32
	d     int
	add   bool
}

func (l *scatter[T]) run(_, from, to int) {
	if !l.add {
		clear(l.g[from*l.d : to*l.d])
	}
	for i, id := range l.ids {
		if id := int(id); from <= id && id < to {
			kernel.Add(l.g[id*l.d:][:l.d], l.dy[i*l.d:][:l.d])
		}
	}
}
