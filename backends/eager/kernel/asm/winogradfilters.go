package main

import "fmt"

// The transforms of filters, and those for the gradient of the weights: see winograd.go.

// gradient writes D = A dY A^T of a row of tiles.
func (w *winogradText) gradient() {
	planes := []string{"R9", "R10", "R11", "R12"}
	const tileTurn, turn = "tileTurn-8(SP)", "turn-16(SP)" // from the end of a tile to the next, in D and in dY
	w.text("winogradGradient", 16)
	w.planes(gradD, gradPlane, "", planes)
	w.op("MOVQ %d(DI), SI", gradRow0)
	w.op("MOVQ %d(DI), DX", gradRow1)
	w.elements(gradPixel, "R15")
	w.op("MOVQ %d(DI), CX", gradFilters)
	w.op("SHLQ $2, CX")
	w.op("LEAQ (R15)(R15*1), AX")
	w.op("SUBQ CX, AX")
	w.op("MOVQ AX, %s", turn)
	w.elements(gradTile, "AX")
	w.op("SUBQ CX, AX")
	w.op("MOVQ AX, %s", tileTurn)
	w.op("MOVQ %d(DI), BX", gradTiles)
	w.op("XORL R8, R8") // not 0: the second column does not exist
	zero := w.reg(15)
	w.zero(zero)
	w.label("tile")
	w.op("CMPQ BX, $1")
	w.op("JNE same")
	w.op("MOVQ %d(DI), R8", gradLast)
	w.label("same")
	w.op("MOVQ %d(DI), CX", gradFilters)
	w.op("PCALIGN $32")
	w.label("filters")
	d := func(i, j int) string { return w.reg(2*i + j) }
	w.op("VMOVUPS (SI), %s", d(0, 0))
	w.op("VMOVUPS (DX), %s", d(1, 0))
	for i := range 2 {
		w.op("VMOVAPS %s, %s", zero, d(i, 1))
	}
	w.op("TESTQ R8, R8")
	w.op("JNZ narrow")
	w.op("VMOVUPS (SI)(R15*1), %s", d(0, 1))
	w.op("VMOVUPS (DX)(R15*1), %s", d(1, 1))
	w.label("narrow")
	for i := range 4 {
		e := [2]string{w.reg(4), w.reg(5)}
		for j := range 2 {
			switch i {
			case 0:
				e[j] = d(0, j)
			case 1:
				w.three("VADDPS", e[j], d(0, j), d(1, j))
			case 2:
				w.three("VSUBPS", e[j], d(0, j), d(1, j))
			default:
				w.three("VSUBPS", e[j], zero, d(1, j))
			}
		}
		w.op("VMOVUPS %s, %s", e[0], plane(planes, 4*i))
		for k, way := range [][3]string{{"VADDPS", e[0], e[1]}, {"VSUBPS", e[0], e[1]}, {"VSUBPS", zero, e[1]}} {
			to := w.reg(6 + k)
			w.three(way[0], to, way[1], way[2])
			w.op("VMOVUPS %s, %s", to, plane(planes, 4*i+1+k))
		}
	}
	for _, reg := range append([]string{"SI", "DX"}, planes...) {
		w.op("ADDQ $%d, %s", w.i.bytes, reg)
	}
	w.op("SUBQ $%d, CX", w.i.bytes/4)
	w.op("JG filters")
	w.op("ADDQ %s, SI", turn)
	w.op("ADDQ %s, DX", turn)
	for _, reg := range planes {
		w.op("ADDQ %s, %s", tileTurn, reg)
	}
	w.op("DECQ BX")
	w.op("JNZ tile")
	w.end()
}

// taps writes dW = G^T dU G of rows of filters, or with sum adds it to what is there:
// the strides are those of filters.
func (w *winogradText) taps() {
	taps, planes, half := w.beginFilters("winogradTaps")
	other := w.reg(14)
	a := func(y, j int) string { return w.reg(3*j + y) } // y of 3 taps down, column j of 4
	sum, difference := w.reg(12), w.reg(13)
	for j := range 4 {
		w.op("VMOVUPS %s, %s", plane(planes, 4+j), difference)
		w.op("VMOVUPS %s, %s", plane(planes, 8+j), other)
		w.three("VADDPS", sum, difference, other)
		w.three("VMULPS", sum, sum, half)
		w.three("VSUBPS", difference, difference, other)
		w.three("VMULPS", a(1, j), difference, half)
		w.three("VADDPS", a(0, j), sum, plane(planes, j))
		w.three("VADDPS", a(2, j), sum, plane(planes, 12+j))
	}
	w.op("CMPQ %d(DI), $0", filterAdd)
	w.op("JNE add")
	for _, add := range []bool{false, true} {
		if add {
			w.label("add")
		}
		for y := range 3 {
			w.three("VADDPS", sum, a(y, 1), a(y, 2))
			w.three("VMULPS", sum, sum, half)
			w.three("VSUBPS", difference, a(y, 1), a(y, 2))
			w.three("VMULPS", difference, difference, half)
			w.three("VADDPS", a(y, 0), sum, a(y, 0))
			w.three("VADDPS", a(y, 3), sum, a(y, 3))
			for x, v := range []string{a(y, 0), difference, a(y, 3)} {
				to := fmt.Sprintf([]string{"(%s)", "(%s)(R15*1)", "(%s)(R15*2)"}[x], taps[y])
				if add {
					w.three("VADDPS", v, v, to)
				}
				w.op("VMOVUPS %s, %s", v, to)
			}
		}
		if !add {
			w.op("JMP stored")
		}
	}
	w.label("stored")
	w.endFilters(planes)
}

// rowsOfFilters is how many rows of filters are left.
const rowsOfFilters = "rows-8(SP)"

// beginFilters begins a function over rows of filters and, within a row, over vectors
// of columns: the registers of the first taps of three rows, those of the planes, and
// that of 1/2.
func (w *winogradText) beginFilters(name string) (taps, planes []string, half string) {
	taps, planes, half = []string{"SI", "DX", "BX"}, []string{"R9", "R10", "R11", "R12"}, w.reg(15)
	w.text(name, 8)
	w.op("MOVQ %d(DI), AX", filterRows)
	w.op("MOVQ AX, %s", rowsOfFilters)
	w.elements(filterTap, "R15")
	w.op("MOVQ %d(DI), SI", filterW)
	w.planes(filterU, filterPlane, "", planes)
	w.op("VBROADCASTSS %d(DI), %s", filterHalf, half)
	w.label("row")
	w.op("XORQ CX, CX") // bytes of the row that are done
	w.op("MOVQ %d(DI), AX", filterWidth)
	w.label("columns")
	w.op("LEAQ (R15)(R15*2), R8")
	w.op("LEAQ (SI)(R8*1), DX")
	w.op("LEAQ (DX)(R8*1), BX")
	return taps, planes, half
}

// endFilters ends what beginFilters began.
func (w *winogradText) endFilters(planes []string) {
	for _, reg := range append([]string{"SI", "CX"}, planes...) {
		w.op("ADDQ $%d, %s", w.i.bytes, reg)
	}
	w.op("SUBQ $%d, AX", w.i.bytes/4)
	w.op("JG columns")
	for _, to := range []struct {
		stride int
		regs   []string
	}{{filterRow, []string{"SI"}}, {filterNext, planes}} {
		w.elements(to.stride, "R8")
		w.op("SUBQ CX, R8")
		for _, reg := range to.regs {
			w.op("ADDQ R8, %s", reg)
		}
	}
	w.op("DECQ %s", rowsOfFilters)
	w.op("JNZ row")
	w.end()
}

// filters writes U = G g G^T of rows of filters.
func (w *winogradText) filters() {
	taps, planes, half := w.beginFilters("winogradFilters")
	a := func(i, x int) string { return w.reg(3*i + x) }
	one, sum := w.reg(12), w.reg(13)
	for x := range 3 {
		at := func(y int) string { return fmt.Sprintf([]string{"(%s)", "(%s)(R15*1)", "(%s)(R15*2)"}[x], taps[y]) }
		w.op("VMOVUPS %s, %s", at(0), a(0, x))
		w.op("VMOVUPS %s, %s", at(1), one)
		w.op("VMOVUPS %s, %s", at(2), a(3, x))
		w.three("VADDPS", sum, a(0, x), a(3, x))
		w.three("VADDPS", a(1, x), sum, one)
		w.three("VSUBPS", a(2, x), sum, one)
		w.three("VMULPS", a(1, x), a(1, x), half)
		w.three("VMULPS", a(2, x), a(2, x), half)
	}
	for i := range 4 {
		w.three("VADDPS", sum, a(i, 0), a(i, 2))
		w.op("VMOVUPS %s, %s", a(i, 0), plane(planes, 4*i))
		w.op("VMOVUPS %s, %s", a(i, 2), plane(planes, 4*i+3))
		for k, op := range []string{"VADDPS", "VSUBPS"} {
			to := w.reg(12 + 2*k)
			w.three(op, to, sum, a(i, 1))
			w.three("VMULPS", to, to, half)
			w.op("VMOVUPS %s, %s", to, plane(planes, 4*i+1+k))
		}
	}
	w.endFilters(planes)
}
