//go:build !amd64 || purego

package peak

var (
	kernelF32 = portable[float32]()
	kernelF64 = portable[float64]()

	kernelsF32 = []kernel[float32]{kernelF32}
	kernelsF64 = []kernel[float64]{kernelF64}
)
