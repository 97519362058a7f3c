//go:build amd64 && !purego

package kernel

import (
	"math"
	"unsafe"
)

// useAVX2 and useAVX512 are variables so that tests compare the paths.
var useAVX2, useAVX512 = hasAVX2, hasAVX512

// lanes is how many leading elements of a slice of n the vector loops take.
func lanes[T Float](n int) int {
	if !useAVX2 {
		return 0
	}
	var zero T
	return n &^ (32/int(unsafe.Sizeof(zero)) - 1)
}

// f32 and f64 view a pointer as what T is.
func f32[T Float](p *T) *float32 { return (*float32)(unsafe.Pointer(p)) }
func f64[T Float](p *T) *float64 { return (*float64)(unsafe.Pointer(p)) }

// addVector adds the leading elements and says how many those are, as do the
// functions below.
func addVector[T Float](y, x []T) int {
	n := lanes[T](len(y))
	if n == 0 {
		return 0
	}
	if Is32[T]() {
		addAVX2F32(n, f32(&y[0]), f32(&x[0]))
	} else {
		addAVX2F64(n, f64(&y[0]), f64(&x[0]))
	}
	return n
}

func reluVector[T Float](y, x []T) int {
	n := lanes[T](len(x))
	if n == 0 {
		return 0
	}
	if Is32[T]() {
		reluAVX2F32(n, f32(&y[0]), f32(&x[0]), &[1]float32{})
	} else {
		reluAVX2F64(n, f64(&y[0]), f64(&x[0]), &[1]float64{})
	}
	return n
}

func reluBackVector[T Float](dx, dy, y []T) int {
	n := lanes[T](len(y))
	if n == 0 {
		return 0
	}
	if Is32[T]() {
		reluBackAVX2F32(n, f32(&dx[0]), f32(&dy[0]), f32(&y[0]), &[1]float32{})
	} else {
		reluBackAVX2F64(n, f64(&dx[0]), f64(&dy[0]), f64(&y[0]), &[1]float64{})
	}
	return n
}

func momentumVector[T Float](p, g, v []T, momentum, gain, rate, tiny T) int {
	n := lanes[T](len(p))
	if n == 0 {
		return 0
	}
	if Is32[T]() {
		c := [5]float32{float32(momentum), float32(gain), float32(rate), float32(tiny), math.Float32frombits(1<<31 - 1)}
		momentumAVX2F32(n, f32(&p[0]), f32(&g[0]), f32(&v[0]), &c)
	} else {
		c := [5]float64{float64(momentum), float64(gain), float64(rate), float64(tiny), math.Float64frombits(1<<63 - 1)}
		momentumAVX2F64(n, f64(&p[0]), f64(&g[0]), f64(&v[0]), &c)
	}
	return n
}

func adamVector[T Float](p, g, m, v []T, b1, c1, b2, c2, rate, root, eps, tiny T) int {
	n := lanes[T](len(p))
	if n == 0 {
		return 0
	}
	if Is32[T]() {
		c := [9]float32{float32(b1), float32(c1), float32(b2), float32(c2), float32(rate), float32(root), float32(eps), float32(tiny), math.Float32frombits(1<<31 - 1)}
		adamAVX2F32(n, f32(&p[0]), f32(&g[0]), f32(&m[0]), f32(&v[0]), &c)
	} else {
		c := [9]float64{float64(b1), float64(c1), float64(b2), float64(c2), float64(rate), float64(root), float64(eps), float64(tiny), math.Float64frombits(1<<63 - 1)}
		adamAVX2F64(n, f64(&p[0]), f64(&g[0]), f64(&m[0]), f64(&v[0]), &c)
	}
	return n
}
