//go:build !amd64 || purego

package kernel

// Machines without assembly here run the portable kernels.
var (
	asmF32 []*tile[float32]
	asmF64 []*tile[float64]
)

func bestLevel() level { return levelGo }
