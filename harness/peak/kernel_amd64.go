//go:build amd64 && !purego

package peak

import "golang.org/x/sys/cpu"

// Twelve accumulators: two pipelines whose multiply-adds take four to five cycles
// need ten, and twelve and two operands fit into the 16 registers of AVX2.
const accumulators = 12

//go:noescape
func fmaAVX512F32(n int, a, b float32, out *float32)

//go:noescape
func fmaAVX512F64(n int, a, b float64, out *float64)

//go:noescape
func fmaAVX2F32(n int, a, b float32, out *float32)

//go:noescape
func fmaAVX2F64(n int, a, b float64, out *float64)

// vectors is the kernel of accumulators of so many bytes.
func vectors[T float32 | float64](name string, lanes int, f func(n int, a, b T, out *T)) kernel[T] {
	return kernel[T]{name: name, lanes: accumulators * lanes, steps: 2, run: func(n int, a, b T, out []T) {
		_ = out[accumulators*lanes-1]
		f(n, a, b, &out[0])
	}}
}

// The kernels of this CPU, the widest first.
var (
	kernelsF32, kernelsF64 = available()

	kernelF32 = kernelsF32[0]
	kernelF64 = kernelsF64[0]
)

func available() (f32 []kernel[float32], f64 []kernel[float64]) {
	if cpu.X86.HasAVX512F {
		f32 = append(f32, vectors("avx512", 16, fmaAVX512F32))
		f64 = append(f64, vectors("avx512", 8, fmaAVX512F64))
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		f32 = append(f32, vectors("avx2", 8, fmaAVX2F32))
		f64 = append(f64, vectors("avx2", 4, fmaAVX2F64))
	}
	return append(f32, portable[float32]()), append(f64, portable[float64]())
}
