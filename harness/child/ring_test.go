package child

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRingKeepsTheTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 7, 64} {
		g := newRing(size)
		var all strings.Builder
		for range 300 {
			p := make([]byte, rng.IntN(2*size+2))
			for i := range p {
				p[i] = byte('a' + rng.IntN(26))
			}
			g.write(p)
			all.Write(p)
			want := all.String()[max(0, all.Len()-size):]
			if got := g.String(); got != want {
				t.Fatalf("size %d after %d bytes: kept %q, want %q", size, all.Len(), got, want)
			}
		}
		if g.total() != int64(all.Len()) {
			t.Errorf("counted %d of %d bytes", g.total(), all.Len())
		}
	}
}
