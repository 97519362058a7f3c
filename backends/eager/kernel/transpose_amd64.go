//go:build amd64 && !purego

package kernel

// transposeVector sets dst[p*ld+j] to src[j*stride+p] for p < deep and j < wide,
// the multiples of 16 in kc and width, and returns those.
func transposeVector[T Float](dst []T, ld int, src []T, stride, kc, width int) (wide, deep int) {
	if vectorLevel != levelAVX512 || !Is32[T]() || kc < 16 {
		return 0, 0
	}
	wide, deep = width&^15, kc&^15
	for j := 0; j < wide; j += 16 {
		_, _ = dst[(deep-1)*ld+j+15], src[(j+15)*stride+deep-1]
		transposeAVX512F32(deep/16, f32(&dst[j]), ld, f32(&src[j*stride]), stride)
	}
	return wide, deep
}
