package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/pool"
)

// BenchmarkShapes multiplies the shapes that scripts/gemm-speed holds against
// torch.mm. A name is MxKxN of C[M,N] = A[M,K] B[K,N], with -AT or -BT where that
// operand lies transposed in memory; the script's Python half reads the names.
//
// In order: three squares, one of them with either operand transposed; the two
// convolutions of mnist-cnn (32 examples, as one product) and the second one's
// weight gradient; its dense layer with the gradients of input and weights; a
// step of an LSTM; the first layer of mnist-mlp.
func BenchmarkShapes(b *testing.B) {
	if err := CheckForced(); err != nil {
		b.Fatal(err)
	}
	for _, s := range []struct {
		m, k, n int
		flip    string
	}{
		{256, 256, 256, ""},
		{512, 512, 512, ""},
		{1024, 1024, 1024, ""},
		{1024, 1024, 1024, "-BT"},
		{1024, 1024, 1024, "-AT"},
		{21632, 9, 32, ""},
		{3872, 288, 64, ""},
		{288, 3872, 64, "-AT"},
		{32, 1600, 128, ""},
		{32, 128, 1600, "-BT"},
		{1600, 32, 128, "-AT"},
		{32, 192, 256, ""},
		{64, 784, 128, ""},
	} {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%dx%dx%d%s/threads=%d", s.m, s.k, s.n, s.flip, threads), func(b *testing.B) {
				p := pool.New(threads)
				defer p.Close()
				x, r := New[float32](p), rand.New(rand.NewPCG(1, 2))
				left, right := Rows(randoms[float32](r, s.m*s.k), s.k), Rows(randoms[float32](r, s.k*s.n), s.n)
				switch s.flip {
				case "-AT":
					left = Rows(randoms[float32](r, s.m*s.k), s.m).T()
				case "-BT":
					right = Rows(randoms[float32](r, s.k*s.n), s.k).T()
				}
				c := make([]float32, s.m*s.n)
				for b.Loop() {
					x.Mul(s.m, s.n, s.k, left, right, c, s.n, false)
				}
				b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
