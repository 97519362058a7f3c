package results

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// chunkSize is how much of a file is read and parsed at once: large enough that
// handing it over costs nothing, small enough to stay in a CPU's cache.
const chunkSize = 1 << 20

// chunk is some whole lines of a file, and what they hold.
type chunk struct {
	lines   []byte
	size    int64 // of the lines, once all of them are records
	records []Record
	err     error // of the line behind the records
	parsed  chan struct{}
}

// lineReader cuts a file into chunks that are parsed on all CPUs and handed on
// in their order.
type lineReader struct {
	parse   func(*memo, *chunk)
	buffers sync.Pool
	stopped atomic.Bool // nobody wants the rest
}

// read parses in and calls each for every chunk, in order, until it returns
// false. It returns what stands behind the last newline.
func (l *lineReader) read(in io.Reader, each func(*chunk) bool) (torn []byte) {
	cpus := runtime.GOMAXPROCS(0)
	work, ordered := make(chan *chunk, cpus), make(chan *chunk, 2*cpus)
	var parsers sync.WaitGroup
	for range cpus {
		parsers.Go(func() {
			m := newMemo()
			for c := range work {
				if !l.stopped.Load() {
					l.parse(m, c)
				}
				l.recycle(c.lines)
				c.lines = nil
				close(c.parsed)
			}
		})
	}
	parsers.Go(func() {
		defer close(ordered)
		defer close(work)
		torn = l.split(in, func(c *chunk) {
			ordered <- c
			work <- c
		})
	})
	for c := range ordered {
		<-c.parsed
		if !l.stopped.Load() && !each(c) {
			l.stopped.Store(true)
		}
	}
	parsers.Wait()
	return torn
}

// split cuts in at newlines and emits chunks.
func (l *lineReader) split(in io.Reader, emit func(*chunk)) (torn []byte) {
	buffer := l.buffer()
	n, whole := 0, 0 // bytes in the buffer, and those up to its last newline
	for !l.stopped.Load() {
		if n == len(buffer) { // a line longer than the buffer
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
		got, err := in.Read(buffer[n:])
		if last := bytes.LastIndexByte(buffer[n:n+got], '\n'); last >= 0 {
			whole = n + last + 1
		}
		n += got
		// Small reads are collected.
		if whole > 0 && (err != nil || n > len(buffer)/2) {
			rest := l.buffer()
			for len(rest) < n-whole {
				rest = append(rest, make([]byte, len(rest))...)
			}
			copy(rest, buffer[whole:n])
			emit(&chunk{lines: buffer[:whole], parsed: make(chan struct{})})
			buffer, n, whole = rest, n-whole, 0
		}
		switch {
		case errors.Is(err, io.EOF):
			return buffer[:n]
		case err != nil:
			emit(&chunk{err: err, parsed: make(chan struct{})})
			return nil
		case n > maxLine && whole == 0:
			emit(&chunk{err: errLongLine, parsed: make(chan struct{})})
			return nil
		}
	}
	return nil
}

var errLongLine = fmt.Errorf("longer than %d bytes", maxLine)

func (l *lineReader) buffer() []byte {
	if b, ok := l.buffers.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, chunkSize)
}

func (l *lineReader) recycle(b []byte) {
	if b = b[:cap(b)]; cap(b) == chunkSize {
		l.buffers.Put(&b)
	}
}
