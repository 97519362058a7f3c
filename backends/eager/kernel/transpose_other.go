//go:build !amd64 || purego

package kernel

func transposeVector[T Float](dst []T, ld int, src []T, stride, kc, width int) (wide, deep int) {
	return 0, 0
}
