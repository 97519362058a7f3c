package kernel

import "unsafe"

// The vector loops exist in AVX2 with FMA and in AVX-512 (vector_amd64.s, written
// by asm/). A function of this package that has one begins with vectorized; where
// that is false it goes on to the portable code. Functions that say "exact" give
// the same bits in each family. The others round differently, within the bounds
// that vectorize_test.go holds them to.

// level is a family of vector loops.
type level int

const (
	levelGo level = iota // portable code
	levelAVX2
	levelAVX512
)

func (l level) String() string { return [...]string{"go", "AVX2", "AVX512"}[l] }

// vectorLevel is the family in use. It is a variable so that tests compare all.
var vectorLevel = bestLevel()

// vectorArgs is what a vector loop reads, and its room for counters: rows of n
// elements each (n >= 0, rows >= 1). After a row each pointer moves on by its
// stride in bytes. Assembly knows the offsets (asm/vector.go).
type vectorArgs struct {
	n, rows, main int
	slices        [12]unsafe.Pointer
	strides       [12]int
	factors       [9]float64 // or float32, from the first byte on
}

// vectorized reports whether a loop of T over n elements runs as vectors: in
// float32, where the processor can. In float64, the oracle's arithmetic, only
// exact loops do, which ask exactly.
func vectorized[T Float](n int) bool { return vectorLevel != levelGo && n > 0 && Is32[T]() }

func exactly(n int) bool { return vectorLevel != levelGo && n > 0 }

// strides sets how many elements of T lie from row to row of each slice.
func strides[T Float](a *vectorArgs, elements ...int) {
	var zero T
	for i, n := range elements {
		a.strides[i] = n * int(unsafe.Sizeof(zero))
	}
}

// head is where a slice begins.
func head[T Float](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

// factors sets the factors of a loop of T.
func factors[T Float](a *vectorArgs, values ...T) {
	copy(unsafe.Slice((*T)(unsafe.Pointer(&a.factors)), len(values)), values)
}

// f32 views a pointer as what T is.
func f32[T Float](p *T) *float32 { return (*float32)(unsafe.Pointer(p)) }
