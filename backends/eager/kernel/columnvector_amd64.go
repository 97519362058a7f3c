//go:build amd64 && !purego

package kernel

import "unsafe"

// The functions below do the leading columns of float32, whole vectors of them,
// and say how many those are.

// columnVectors is how many vectors of the family in use c columns have, and their
// columns.
func columnVectors[T Float](rows, c int) (vectors, columns int) {
	if !Is32[T]() || vectorLevel == levelGo || rows == 0 {
		return 0, 0
	}
	lanes := 8
	if vectorLevel == levelAVX512 {
		lanes = 16
	}
	return c / lanes, c / lanes * lanes
}

func columnSumsVector[T Float](sum, x []T) int {
	c := len(sum)
	rows := len(x) / c
	v, columns := columnVectors[T](rows, c)
	switch {
	case v == 0:
	case vectorLevel == levelAVX512:
		columnSumsAVX512F32(rows, v, c, f32(&sum[0]), f32(&x[0]))
	default:
		columnSumsAVX2F32(rows, v, c, f32(&sum[0]), f32(&x[0]))
	}
	return columns
}

func columnSquaresVector[T Float](sum, x, mean []T) int {
	c := len(sum)
	rows := len(x) / c
	mean = mean[:c]
	v, columns := columnVectors[T](rows, c)
	switch {
	case v == 0:
	case vectorLevel == levelAVX512:
		columnSquaresAVX512F32(rows, v, c, f32(&sum[0]), f32(&x[0]), f32(&mean[0]))
	default:
		columnSquaresAVX2F32(rows, v, c, f32(&sum[0]), f32(&x[0]), f32(&mean[0]))
	}
	return columns
}

func columnDotsVector[T Float](sum, y, x, mean []T) int {
	c := len(sum)
	rows := len(x) / c
	mean, y = mean[:c], y[:rows*c]
	v, columns := columnVectors[T](rows, c)
	switch {
	case v == 0:
	case vectorLevel == levelAVX512:
		columnDotsAVX512F32(rows, v, c, f32(&sum[0]), f32(&y[0]), f32(&x[0]), f32(&mean[0]))
	default:
		columnDotsAVX2F32(rows, v, c, f32(&sum[0]), f32(&y[0]), f32(&x[0]), f32(&mean[0]))
	}
	return columns
}

func normalizeVector[T Float](y, x, mean, scale, shift []T) int {
	c := len(mean)
	rows := len(x) / c
	y, scale, shift = y[:rows*c], scale[:c], shift[:c]
	v, columns := columnVectors[T](rows, c)
	switch {
	case v == 0:
	case vectorLevel == levelAVX512:
		normalizeAVX512F32(rows, v, c, f32(&y[0]), f32(&x[0]), f32(&mean[0]), f32(&scale[0]), f32(&shift[0]))
	default:
		normalizeAVX2F32(rows, v, c, f32(&y[0]), f32(&x[0]), f32(&mean[0]), f32(&scale[0]), f32(&shift[0]))
	}
	return columns
}

func normalizeBackVector[T Float](dx, dy, x, mean, scale, k0, k1 []T, acc bool) int {
	c := len(mean)
	rows := len(x) / c
	dx, dy, scale, k0, k1 = dx[:rows*c], dy[:rows*c], scale[:c], k0[:c], k1[:c]
	v, columns := columnVectors[T](rows, c)
	if v == 0 {
		return 0
	}
	run := normalizeBackAVX2F32
	switch {
	case vectorLevel == levelAVX512 && acc:
		run = normalizeBackAddAVX512F32
	case vectorLevel == levelAVX512:
		run = normalizeBackAVX512F32
	case acc:
		run = normalizeBackAddAVX2F32
	}
	run(rows, v, c, f32(&dx[0]), f32(&dy[0]), f32(&x[0]), f32(&mean[0]), f32(&scale[0]), f32(&k0[0]), f32(&k1[0]))
	return columns
}

// maxTaps is the most elements under a window that the vector loops pool.
const maxTaps = 16

// tapOffsets is where the elements under a window of p lie, in bytes.
func tapOffsets(p *Pooling) (taps [maxTaps]int, count int) {
	if p.Side*p.Side > maxTaps {
		return taps, p.Side * p.Side
	}
	for i := range p.Side {
		for j := range p.Side {
			taps[count] = 4 * (i*p.W + j) * p.C
			count++
		}
	}
	return taps, count
}

// maxPoolVector does a row of ow positions.
func maxPoolVector[T Float](y []T, from []int32, x []T, p *Pooling, ow int) int {
	taps, count := tapOffsets(p)
	v, columns := columnVectors[T](ow, p.C)
	if v == 0 || count > maxTaps {
		return 0
	}
	y, x = y[:ow*p.C], x[:((p.Side-1)*p.W+(ow-1)*p.Stride+p.Side)*p.C]
	at := (*int32)(unsafe.Pointer(unsafe.SliceData(from)))
	if vectorLevel == levelAVX512 {
		maxPoolAVX512F32(ow, v, f32(&y[0]), at, f32(&x[0]), &taps[0], count, 4*p.Stride*p.C, p.C)
	} else {
		maxPoolAVX2F32(ow, v, f32(&y[0]), at, f32(&x[0]), &taps[0], count, 4*p.Stride*p.C, p.C)
	}
	return columns
}

// maxPoolBackVector does a row of ow positions.
func maxPoolBackVector[T Float](dx, dy []T, from []int32, p *Pooling, ow int) int {
	taps, count := tapOffsets(p)
	v, columns := columnVectors[T](ow, p.C)
	if v == 0 || count > maxTaps {
		return 0
	}
	dy, from, dx = dy[:ow*p.C], from[:ow*p.C], dx[:((p.Side-1)*p.W+(ow-1)*p.Stride+p.Side)*p.C]
	if vectorLevel == levelAVX512 {
		maxPoolBackAVX512F32(ow, v, f32(&dy[0]), &from[0], f32(&dx[0]), &taps[0], count, 4*p.Stride*p.C, p.C)
	} else {
		maxPoolBackAVX2F32(ow, v, f32(&dy[0]), &from[0], f32(&dx[0]), &taps[0], count, 4*p.Stride*p.C, p.C)
	}
	return columns
}
