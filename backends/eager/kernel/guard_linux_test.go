package kernel

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded returns a room whose operands lie between pages that cannot be read or
// written, by turns right behind the page before and right before the page after;
// free draws the turn of the next.
// A kernel that touches memory beyond an operand ends the test with a fault.
func guarded[T any](t *testing.T) (place func(n int) []T, free func()) {
	var maps [][]byte
	page := unix.Getpagesize()
	r, atEnd := rand.New(rand.NewPCG(19, 20)), false
	place = func(n int) []T {
		var zero T
		size := n * int(unsafe.Sizeof(zero))
		room := (size + page - 1) / page * page
		m, err := unix.Mmap(-1, 0, room+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		maps = append(maps, m)
		for _, guard := range [][]byte{m[:page], m[page+room:]} {
			if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
				t.Fatal(err)
			}
		}
		from := page
		if atEnd = !atEnd; atEnd {
			from = page + room - size
		}
		return unsafe.Slice((*T)(unsafe.Pointer(&m[from])), n)
	}
	return place, func() {
		for _, m := range maps {
			if err := unix.Munmap(m); err != nil {
				t.Fatal(err)
			}
		}
		maps, atEnd = nil, r.IntN(2) == 0
	}
}

// No micro-kernel touches memory beyond its operands.
func TestMicroKernelsStayInside(t *testing.T) {
	eachTile(t, kernelsStay[float32], kernelsStay[float64])
}

func kernelsStay[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(21, 22))
	place, free := guarded[T](t)
	for range 300 {
		newProblem(r, k, place).check(t, k, 200*roundoff[T]())
		free()
	}
}

// Neither does the product, whichever way it reads B.
func TestMulStaysInside(t *testing.T) { eachTile(t, mulStays[float32], mulStays[float64]) }

func mulStays[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(23, 24))
	place, free := guarded[T](t)
	x := newMath(threads(t, 1), k)
	for range 200 {
		m, n, depth := 1+r.IntN([]int{60, 60, 60, 300}[r.IntN(4)]), 1+r.IntN(80), 1+r.IntN(40)
		a, b, c, bias := place(m*depth), place(depth*n), place(m*n), place(n)
		for _, v := range [][]T{a, b, c, bias} {
			copy(v, randoms[T](r, len(v)))
		}
		am, bm := Rows(a, depth), Rows(b, n)
		if r.IntN(2) == 0 {
			am = Rows(a, m).T()
		}
		if r.IntN(2) == 0 {
			bm = Rows(b, depth).T()
		}
		switch r.IntN(4) {
		case 0:
			bm = x.PackRight(depth, n, bm, place(x.PackedLen(depth, n)))
		case 1:
			bm = x.PackInPlace(depth, n, b)
		}
		x.Mul(m, n, depth, am, bm, c, n, r.IntN(2) == 0)
		x.MulEpilogue(m, n, depth, am, bm, c, n, Epilogue[T]{Bias: bias, ReLU: true})
		free()
	}
}

// Nor does convolution.
func TestConvStaysInside(t *testing.T) { eachTile(t, convStays[float32], convStays[float64]) }

func convStays[T Float](t *testing.T, k *tile[T]) {
	r := rand.New(rand.NewPCG(25, 26))
	place, free := guarded[T](t)
	m := newMath(threads(t, 1), k)
	for range 60 {
		newConvProblem(r, m, place).check(t, m, false)
		free()
	}
}

// Neither in tiles, whose transforms stay inside for any strides.
func TestWinogradStaysInside(t *testing.T) {
	eachTile(t, winogradStays[float32], winogradStays[float64])
}

func winogradStays[T Float](t *testing.T, k *tile[T]) {
	needsVectors(t, k)
	r := rand.New(rand.NewPCG(27, 28))
	place, free := guarded[T](t)
	everyLevel(t, func(t *testing.T) {
		m := newMath(threads(t, 1), k)
		m.way = always
		for range 15 {
			newTiledProblem(r, m, place).check(t, m, false)
			free()
		}
	})
}

func TestTransformsStayInside(t *testing.T) {
	place, free := guarded[float32](t)
	defer free()
	eachLevel(t, func(t *testing.T) { testTransforms(t, 63, 40, place) })
}

// Nor do the loops over columns and pooling.
func TestColumnsStayInside(t *testing.T) {
	place, free := guarded[float32](t)
	defer free()
	everyLevel(t, func(t *testing.T) { testColumns(t, 40, place) })
}

func TestMaxPoolStaysInside(t *testing.T) {
	place, free := guarded[float32](t)
	defer free()
	ints := func(n int) []int32 {
		return unsafe.Slice((*int32)(unsafe.Pointer(&place(n)[0])), n)
	}
	everyLevel(t, func(t *testing.T) { testMaxPool(t, 40, place, ints) })
}

// Nor does the transposition.
func TestTransposeStaysInside(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	place, free := guarded[float32](t)
	everyLevel(t, func(t *testing.T) {
		for range 100 {
			rows, cols := 1+r.IntN(70), 1+r.IntN(70)
			src, dst := place(rows*cols), place(rows*cols)
			copy(src, randoms[float32](r, len(src)))
			Transpose(dst, src, rows, cols)
			for i, v := range dst {
				if want := src[i%rows*cols+i/rows]; v != want {
					t.Fatalf("%dx%d: element %d is %v, want %v", rows, cols, i, v, want)
				}
			}
			free()
		}
	})
}
