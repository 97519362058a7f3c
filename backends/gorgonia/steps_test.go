package gorgonia

import (
	"fmt"
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// TestJoinedGradients: the gradients of stacked LSTMs of more than 256 rows are
// those of the eager engine. Gorgonia's hash of a slice holds its bounds modulo
// 256, and the gradient of a Concat is slices.
func TestJoinedGradients(t *testing.T) {
	for _, c := range []struct{ steps, batch, units int }{
		{9, 64, 2}, {40, 8, 1}, {6, 128, 2}, {5, 96, 256}, {3, 256, 2}, {4, 512, 1}, {2, 256, 256}, {17, 50, 2}, {20, 1, 2},
	} {
		t.Run(fmt.Sprintf("T=%d batch=%d units=%d", c.steps, c.batch, c.units), func(t *testing.T) {
			f := tiny{
				input:    workloads.Input{Kind: "sequence", Shape: []int{c.steps, 3}},
				layers:   layers{named("lstm", "l1", c.units), named("lstm", "l2", 2), plain("avgpool"), dense("fc", 3)},
				settings: func(s *workloads.Settings) { s.Batch = c.batch },
			}.build(t)
			e := eager.New()
			if _, err := e.Build(t.Context(), f.job); err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			want, err := e.Read("grads", 0)
			if err != nil {
				t.Fatal(err)
			}
			got := f.read(t, "grads", 0)
			for name, w := range want {
				var norm, diff float64
				for i, v := range w.Data {
					norm, diff = math.Hypot(norm, v), math.Hypot(diff, got[name].Data[i]-v)
				}
				if !(diff <= 1e-10*norm) {
					t.Errorf("gradient of %s is off by %.2g of its norm", name, diff/norm)
				}
			}
		})
	}
}

// TestSlicesDiffer: slices of one shape of the same node never have equal bounds
// modulo 256, neither those that split makes nor those in the gradient of
// join; and the hash of the library really is that weak (if it no longer is,
// splitPoint and join can go).
func TestSlicesDiffer(t *testing.T) {
	for n := 2; n < 3000; n++ {
		m := splitPoint(n)
		if m < 1 || m >= n {
			t.Fatalf("splitPoint(%d) = %d", n, m)
		}
		apart(t, m, n-m)
	}
	for rows := 1; rows <= 600; rows++ {
		if byte(rows) == 0 {
			continue // joinHalves makes it 2
		}
		flat := distinctSlices(rows)
		sizes := make([]int, flat) // of fewer parts, the slices are among these
		for i := range sizes {
			sizes[i] = rows
		}
		apart(t, sizes...)
		for n := flat + 1; n < 300; n++ {
			m := joinPoint(n, rows)
			if m < 1 || m >= n {
				t.Fatalf("joinPoint(%d, %d) = %d", n, rows, m)
			}
			apart(t, m*rows, (n-m)*rows)
		}
	}
	g := G.NewGraph()
	x := G.NewVector(g, tensor.Float64, G.WithShape(512), G.WithName("x"))
	if a, b := G.Must(G.Slice(x, G.S(0, 256))), G.Must(G.Slice(x, G.S(256, 512))); a != b {
		t.Error("slices [0:256] and [256:512] are two nodes: the way around is no longer needed")
	}
}

// apart fails unless slices of these sizes, one behind another, differ in their
// size or in the low bytes of their bounds.
func apart(t *testing.T, sizes ...int) {
	t.Helper()
	seen := map[[3]int]bool{}
	start := 0
	for _, n := range sizes {
		key := [3]int{n, start % 256, (start + n) % 256}
		if seen[key] {
			t.Fatalf("slices of sizes %v are taken for equal", sizes)
		}
		seen[key] = true
		start += n
	}
}
