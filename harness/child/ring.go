package child

import (
	"io"
	"sync"
)

const defaultStderrCap = 64 << 10

// ring keeps the last bytes that were written to it.
type ring struct {
	mu  sync.Mutex
	buf []byte // grows to its capacity, then wraps
	at  int    // oldest byte once full
	n   int64  // bytes ever written
}

func newRing(size int) *ring {
	if size <= 0 {
		size = defaultStderrCap
	}
	return &ring{buf: make([]byte, 0, size)}
}

// drain reads r to its end, or to its read deadline.
func (g *ring) drain(r io.Reader) {
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		g.write(chunk[:n])
		if err != nil {
			return
		}
	}
}

func (g *ring) write(p []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n += int64(len(p))
	size := cap(g.buf)
	if len(p) >= size {
		g.buf, g.at = append(g.buf[:0], p[len(p)-size:]...), 0
		return
	}
	if free := size - len(g.buf); free > 0 {
		fits := min(free, len(p))
		g.buf = append(g.buf, p[:fits]...)
		p = p[fits:]
	}
	for len(p) > 0 {
		n := copy(g.buf[g.at:], p)
		g.at = (g.at + n) % size
		p = p[n:]
	}
}

// String returns the bytes that are kept, oldest first.
func (g *ring) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.buf[g.at:]) + string(g.buf[:g.at])
}

func (g *ring) total() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}
