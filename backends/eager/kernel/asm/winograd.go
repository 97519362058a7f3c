package main

import (
	"bytes"
	"fmt"
)

// The transforms of Winograd's convolution F(2x2,3x3) in float32 (Lavin and Gray,
// 2015, arXiv:1509.09308): additions alone, but for halves in that of the filters,
// in the order of the portable code in the parent folder, which gives the same bits.
// All of them read or write sixteen planes, which four registers reach: those of
// planes 0, 4, 8 and 12, with one, two and three times the distance.

// Fields of the Go structs of the transforms, by their offset in bytes; a test in
// the parent folder holds them to the structs.
const (
	inRows     = 0 // four pointers
	inV        = 32
	inPlane    = 40 // strides, in elements
	inTile     = 48
	inPixel    = 56
	inChannels = 64
	inLead     = 72
	inFull     = 80
	inHalf     = 88
	inNone     = 96

	outM       = 0
	outPlane   = 8
	outRow0    = 16
	outRow1    = 24
	outBias    = 32
	outPixel   = 40
	outFilters = 48
	outTiles   = 56
	outFlags   = 64
	outLast    = 72
	outLeast   = 80

	filterW     = 0
	filterTap   = 8
	filterRow   = 16
	filterU     = 24
	filterPlane = 32
	filterNext  = 40
	filterRows  = 48
	filterWidth = 56
	filterAdd   = 64
	filterHalf  = 72

	gradRow0    = 0
	gradRow1    = 8
	gradD       = 16
	gradPlane   = 24
	gradTile    = 32
	gradPixel   = 40
	gradFilters = 48
	gradTiles   = 56
	gradLast    = 64
)

// Bits of the flags of the way out.
const (
	outAdd = 1 << iota // to what is there
	outOneRow
	outOneColumn
)

// winogradText writes one transform for one instruction set.
type winogradText struct {
	out *bytes.Buffer
	i   isa
}

func (w *winogradText) op(f string, args ...any) { fmt.Fprintf(w.out, "\t"+f+"\n", args...) }
func (w *winogradText) label(name string)        { fmt.Fprintf(w.out, "%s:\n", name) }
func (w *winogradText) reg(i int) string         { return fmt.Sprintf("%s%d", w.i.reg, i) }

// three writes VADDPS or VSUBPS: dst = a op b, of registers, or b in memory.
func (w *winogradText) three(op, dst, a, b string) { w.op("%s %s, %s, %s", op, b, a, dst) }

func (w *winogradText) zero(r string) {
	if w.i.reg == "Z" {
		w.op("VPXORQ %[1]s, %[1]s, %[1]s", r)
	} else {
		w.op("VXORPS %[1]s, %[1]s, %[1]s", r)
	}
}

// elements loads a stride of the arguments, in bytes.
func (w *winogradText) elements(offset int, reg string) {
	w.op("MOVQ %d(DI), %s", offset, reg)
	w.op("SHLQ $2, %s", reg)
}

// planes sets regs to planes 0, 4, 8, 12 from the pointer at offset, moved on by the
// bytes in the local variable; R13 and R14 are one and three times their distance.
func (w *winogradText) planes(pointer, distance int, moved string, regs []string) {
	w.elements(distance, "R13")
	w.op("LEAQ (R13)(R13*2), R14")
	w.op("MOVQ %d(DI), %s", pointer, regs[0])
	if moved != "" {
		w.op("ADDQ %s, %s", moved, regs[0])
	}
	for i := 1; i < 4; i++ {
		w.op("LEAQ (%s)(R13*4), %s", regs[i-1], regs[i])
	}
}

// plane is the address of plane p.
func plane(regs []string, p int) string {
	return fmt.Sprintf([]string{"(%s)", "(%s)(R13*1)", "(%s)(R13*2)", "(%s)(R14*1)"}[p%4], regs[p/4])
}

// text begins a function of one argument and so many bytes of local variables.
func (w *winogradText) text(name string, locals int) {
	fmt.Fprintf(w.out, "\nTEXT ·%s%sF32(SB), NOSPLIT, $%d-8\n", name, w.i.name, locals)
	w.op("MOVQ a+0(FP), DI")
}

func (w *winogradText) end() {
	w.op("VZEROUPPER")
	w.op("RET")
}

// input writes V = B^T d B of a row of tiles. A vector of channels at a time it
// walks along the tiles: the first two columns of a tile are the last two of the one
// before, which are in registers 0 to 7 after the transform down the column.
func (w *winogradText) input() {
	rows, planes := []string{"SI", "DX", "BX", "R8"}, []string{"R9", "R10", "R11", "R12"}
	const moved, left = "moved-8(SP)", "left-16(SP)"
	t := func(i, j int) string { return w.reg(2*i + j) } // j is 0 or 1
	at := func(row, column int) string { return fmt.Sprintf([]string{"(%s)", "(%s)(R15*1)"}[column], rows[row]) }
	w.text("winogradInput", 16)
	w.elements(inPixel, "R15")
	w.elements(inTile, "CX")
	w.op("MOVQ $0, %s", moved)
	w.op("MOVQ %d(DI), AX", inChannels)
	w.op("MOVQ AX, %s", left)
	w.label("channels")
	for r, reg := range rows {
		w.op("MOVQ %d(DI), %s", inRows+8*r, reg)
		w.op("ADDQ %s, %s", moved, reg)
	}
	w.planes(inV, inPlane, moved, planes)
	// The two columns before the first tile's own: zeros, and what lies in the image.
	for j := range 2 {
		w.op("CMPQ %d(DI), $%d", inLead, j+1)
		w.op("JLT column%d", j)
		for i := range 4 {
			w.zero(t(i, j))
		}
		w.op("JMP after%d", j)
		w.label(fmt.Sprintf("column%d", j))
		a, b := w.reg(8), w.reg(9)
		w.op("VMOVUPS %s, %s", at(1, 0), a)
		w.op("VMOVUPS %s, %s", at(2, 0), b)
		w.op("VMOVUPS %s, %s", at(0, 0), t(0, j))
		w.three("VSUBPS", t(0, j), t(0, j), b)
		w.three("VADDPS", t(1, j), a, b)
		w.three("VSUBPS", t(2, j), b, a)
		w.three("VSUBPS", t(3, j), a, at(3, 0))
		for _, reg := range rows {
			w.op("ADDQ R15, %s", reg)
		}
		w.label(fmt.Sprintf("after%d", j))
	}
	for kind, name := range []string{"full", "half", "none"} {
		columns := 2 - kind // of a tile's last two, in the image
		w.op("MOVQ %d(DI), AX", []int{inFull, inHalf, inNone}[kind])
		w.op("TESTQ AX, AX")
		w.op("JZ no%s", name)
		if kind == 0 {
			w.op("PCALIGN $32")
		}
		w.label(name)
		for j := range 2 { // pixels of rows 1 and 2
			for r := range 2 {
				if j < columns {
					w.op("VMOVUPS %s, %s", at(1+r, j), w.reg(8+2*j+r))
				}
			}
		}
		next := [2]string{w.reg(12), w.reg(13)}
		for i := range 4 {
			for j := range 2 {
				one, two, to := w.reg(8+2*j), w.reg(9+2*j), next[j]
				switch {
				case j >= columns:
					w.zero(to)
				case i == 0:
					w.op("VMOVUPS %s, %s", at(0, j), to)
					w.three("VSUBPS", to, to, two)
				case i == 1:
					w.three("VADDPS", to, one, two)
				case i == 2:
					w.three("VSUBPS", to, two, one)
				default:
					w.three("VSUBPS", to, one, at(3, j))
				}
			}
			for p, way := range [][3]string{{"VSUBPS", t(i, 0), next[0]}, {"VADDPS", t(i, 1), next[0]}, {"VSUBPS", next[0], t(i, 1)}, {"VSUBPS", t(i, 1), next[1]}} {
				scratch := w.reg(14 + p%2)
				w.three(way[0], scratch, way[1], way[2])
				w.op("VMOVUPS %s, %s", scratch, plane(planes, 4*i+p))
			}
			for j := range 2 {
				w.op("VMOVAPS %s, %s", next[j], t(i, j))
			}
		}
		for _, reg := range planes {
			w.op("ADDQ CX, %s", reg)
		}
		if columns == 2 {
			for _, reg := range rows {
				w.op("LEAQ (%[1]s)(R15*2), %[1]s", reg)
			}
		}
		w.op("DECQ AX")
		w.op("JNZ %s", name)
		w.label("no" + name)
	}
	w.op("ADDQ $%d, %s", w.i.bytes, moved)
	w.op("SUBQ $%d, %s", w.i.bytes/4, left)
	w.op("JG channels")
	w.end()
}

// output writes Y = A^T M A of a row of tiles, plus the bias.
func (w *winogradText) output() {
	planes := []string{"SI", "DX", "BX", "R8"}
	const turn = "turn-8(SP)" // from the end of a tile's row in Y to the next tile
	w.text("winogradOutput", 8)
	w.planes(outM, outPlane, "", planes)
	w.op("MOVQ %d(DI), R9", outRow0)
	w.op("MOVQ %d(DI), R10", outRow1)
	w.elements(outPixel, "R15")
	w.op("LEAQ (R15)(R15*1), AX")
	w.op("MOVQ %d(DI), CX", outFilters)
	w.op("SHLQ $2, CX")
	w.op("SUBQ CX, AX")
	w.op("MOVQ AX, %s", turn)
	w.op("MOVQ %d(DI), R12", outTiles)
	w.op("MOVQ %d(DI), AX", outFlags)
	least := w.reg(15)
	w.op("VBROADCASTSS %d(DI), %s", outLeast, least)
	w.label("tile")
	w.op("CMPQ R12, $1")
	w.op("JNE same")
	w.op("MOVQ %d(DI), AX", outLast)
	w.label("same")
	w.op("MOVQ %d(DI), R11", outBias)
	w.op("MOVQ %d(DI), CX", outFilters)
	w.op("PCALIGN $32")
	w.label("filters")
	for j := range 4 { // s0 = m0+m1+m2 in registers 0 to 3, s1 = m1-m2-m3 in 4 to 7
		a, b := w.reg(8+j%2*2), w.reg(9+j%2*2)
		w.op("VMOVUPS %s, %s", plane(planes, 4+j), a)
		w.op("VMOVUPS %s, %s", plane(planes, 8+j), b)
		w.three("VADDPS", w.reg(j), a, b)
		w.three("VADDPS", w.reg(j), w.reg(j), plane(planes, j))
		w.three("VSUBPS", w.reg(4+j), a, b)
		w.three("VSUBPS", w.reg(4+j), w.reg(4+j), plane(planes, 12+j))
	}
	bias := w.reg(12)
	w.op("VMOVUPS (R11), %s", bias)
	y := [4]string{w.reg(8), w.reg(9), w.reg(10), w.reg(11)}
	for r := range 2 {
		s := func(j int) string { return w.reg(4*r + j) }
		w.three("VADDPS", y[2*r], s(1), s(2))
		w.three("VADDPS", y[2*r], y[2*r], s(0))
		w.three("VSUBPS", y[2*r+1], s(1), s(2))
		w.three("VSUBPS", y[2*r+1], y[2*r+1], s(3))
	}
	for _, v := range y {
		w.three("VADDPS", v, v, bias)
	}
	place := func(r, j int) string {
		return fmt.Sprintf([]string{"(%s)", "(%s)(R15*1)"}[j], []string{"R9", "R10"}[r])
	}
	w.op("TESTQ $%d, AX", outAdd)
	w.op("JNZ add")
	w.label("added")
	for _, v := range y {
		w.op("VMAXPS %s, %s, %[1]s", v, least) // of NaN, and of zeros, the maximum is the second source
	}
	w.op("VMOVUPS %s, %s", y[0], place(0, 0))
	w.op("TESTQ $%d, AX", outOneColumn)
	w.op("JNZ narrow")
	w.op("VMOVUPS %s, %s", y[1], place(0, 1))
	w.op("TESTQ $%d, AX", outOneRow)
	w.op("JNZ stored")
	w.op("VMOVUPS %s, %s", y[2], place(1, 0))
	w.op("VMOVUPS %s, %s", y[3], place(1, 1))
	w.label("stored")
	for _, reg := range append([]string{"R9", "R10", "R11"}, planes...) {
		w.op("ADDQ $%d, %s", w.i.bytes, reg)
	}
	w.op("SUBQ $%d, CX", w.i.bytes/4)
	w.op("JG filters")
	w.op("ADDQ %s, R9", turn)
	w.op("ADDQ %s, R10", turn)
	w.op("DECQ R12")
	w.op("JNZ tile")
	w.end()
	w.label("narrow")
	w.op("TESTQ $%d, AX", outOneRow)
	w.op("JNZ stored")
	w.op("VMOVUPS %s, %s", y[2], place(1, 0))
	w.op("JMP stored")
	w.label("add")
	w.three("VADDPS", y[0], y[0], place(0, 0))
	for k, missing := range []int{0, outOneColumn, outOneRow, outOneRow | outOneColumn} {
		if k == 0 {
			continue
		}
		w.op("TESTQ $%d, AX", missing)
		w.op("JNZ skip%d", k)
		w.three("VADDPS", y[k], y[k], place(k/2, k%2))
		w.label(fmt.Sprintf("skip%d", k))
	}
	w.op("JMP added")
}

// winograd returns the transforms and their declarations.
func winograd(head string) (text, decls []byte) {
	var s, g bytes.Buffer
	fmt.Fprint(&s, head+"//go:build amd64 && !purego\n\n#include \"textflag.h\"\n")
	fmt.Fprint(&g, head+"//go:build amd64 && !purego\n\npackage kernel\n")
	for _, i := range isas {
		w := &winogradText{out: &s, i: i}
		w.input()
		w.output()
		w.filters()
		w.gradient()
		w.taps()
		for _, f := range [][2]string{{"Input", "Input"}, {"Output", "Output"}, {"Filters", "Filters"}, {"Gradient", "Gradient"}, {"Taps", "Filters"}} {
			fmt.Fprintf(&g, "\n//go:noescape\nfunc winograd%s%sF32(a *winograd%s[float32])\n", f[0], i.name, f[1])
		}
	}
	return s.Bytes(), formatted(g.Bytes())
}
