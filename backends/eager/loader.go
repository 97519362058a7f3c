package eager

import "github.com/dlbench/dlbench/backends/eager/kernel"

// loader is this engine's input pipeline: a goroutine that gathers a batch from
// the examples, one by one, while the step before it computes. It holds two
// batches, the one that is in use and the one that comes.
type loader[T kernel.Float] struct {
	data    *dataset[T]
	buffers [2]stage[T]
	orders  chan order
	ready   chan batch[T]
	ahead   int // the batch that was ordered last; -1: none
	current batch[T]
	number  int // of current; -1: none
	turn    int // the buffer of the next order
}

// order asks for a batch in a buffer.
type order struct{ number, buffer int }

func newLoader[T kernel.Float](d *dataset[T]) *loader[T] {
	l := &loader[T]{data: d, orders: make(chan order, 1), ready: make(chan batch[T], 1), ahead: -1, number: -1}
	go l.gather()
	return l
}

// gather fills the buffers as they are ordered.
func (l *loader[T]) gather() {
	defer close(l.ready)
	for o := range l.orders {
		buffer := &l.buffers[o.buffer]
		buffer.begin()
		for i := range l.data.examples {
			buffer.add(l.data.part(o.number*l.data.examples+i, 1), l.data)
		}
		l.ready <- buffer.batch(l.data.examples)
	}
}

// batch waits for a batch and orders the one after it. A batch that was not to
// be expected, such as the first again, is ordered now.
func (l *loader[T]) batch(number int) batch[T] {
	if l.ahead != number {
		if l.ahead >= 0 {
			<-l.ready
		}
		l.order(number)
	}
	l.current, l.number = <-l.ready, number
	l.order((number + 1) % l.data.batches)
	return l.current
}

func (l *loader[T]) order(number int) {
	l.orders <- order{number, l.turn}
	l.ahead, l.turn = number, 1-l.turn
}

// micro is part k of parts of a batch, which is gathered with its first part.
func (l *loader[T]) micro(number, k, parts int) batch[T] {
	if k == 0 || l.number != number {
		l.batch(number)
	}
	return l.current.part(k, parts)
}

// close ends the goroutine.
func (l *loader[T]) close() {
	close(l.orders)
	for range l.ready {
	}
}
