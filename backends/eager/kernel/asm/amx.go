package main

import (
	"bytes"
	"fmt"
)

// AMX multiplies tiles, registers of 16 rows of 64 bytes (Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 1, chapter 18). TDPBF16PS takes a
// tile of A, 16 rows of 32 bfloat16, and one of B, 16 pairs of rows of 16 columns
// (words of two), and adds their product to 16 x 16 float32.

// vex is a three-byte VEX prefix of map 0F38 with L and W clear; reg, index and base
// are register numbers, vvvv the operand in the prefix, pp the prefix it stands for.
func vex(reg, index, base, vvvv, pp int) []byte {
	inverted := func(n int) byte { return byte(^(n >> 3) & 1) }
	return []byte{0xc4, inverted(reg)<<7 | inverted(index)<<6 | inverted(base)<<5 | 2, byte(^vvvv&15)<<3 | byte(pp)}
}

// The prefixes that pp stands for.
const (
	ppNone = iota
	pp66
	ppF3
	ppF2
)

// register numbers of the general registers, as machine code has them.
var number = map[string]int{"AX": 0, "CX": 1, "DX": 2, "BX": 3, "SI": 6, "DI": 7, "R8": 8, "R9": 9, "R10": 10, "R11": 11, "R12": 12, "R13": 13, "R14": 14}

// tileMemory is TILELOADD or TILESTORED: the rows of a tile lie index bytes apart from
// base + offset on.
func tileMemory(pp, tile int, base, index string, offset int) []byte {
	b, x := number[base], number[index]
	code := append(vex(tile, x, b, 0, pp), 0x4b)
	return append(code, 0x40|byte(tile)<<3|4, byte(x&7)<<3|byte(b&7), byte(offset))
}

func tileLoad(tile int, base, index string, offset int) []byte {
	return tileMemory(ppF2, tile, base, index, offset)
}

func tileStore(tile int, base, index string, offset int) []byte {
	return tileMemory(ppF3, tile, base, index, offset)
}

// tileZero clears a tile.
func tileZero(tile int) []byte { return append(vex(tile, 0, 0, 0, ppF2), 0x49, 0xc0|byte(tile)<<3) }

// tileDot is TDPBF16PS: to += a b.
func tileDot(to, a, b int) []byte {
	return append(vex(to, 0, a, b, ppF3), 0x5c, 0xc0|byte(to)<<3|byte(a))
}

// tileConfig is LDTILECFG from the address in base, less than R8.
func tileConfig(base string) []byte {
	return append(vex(0, 0, number[base], 0, ppNone), 0x49, byte(number[base]))
}

// tileRelease is TILERELEASE.
func tileRelease() []byte { return append(vex(0, 0, 0, 0, ppNone), 0x49, 0xc0) }

// amx writes the micro-kernel: C[32, 32] = or += A[32, 32 steps] B[32 steps, 32], as
// two by two tiles. Rows of A lie rowA bytes apart, each contiguous; B is packed as
// for VDPBF16PS; rows of C lie rowC bytes apart. From LDTILECFG to TILERELEASE
// the goroutine stays in this function: Go preempts no assembly, so nobody else
// sees tiles that are in use, and the kernel of the system need not save them.
func amx(s, g *bytes.Buffer) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	fmt.Fprint(s, "\nTEXT ·amxBF16(SB), NOSPLIT, $0-16\n")
	p("MOVQ c+0(FP), DI")
	p("MOVQ config+8(FP), AX")
	p("%s", bytesOf(tileConfig("AX"), "LDTILECFG (AX)"))
	p("MOVQ %d(DI), SI", call16A)
	p("MOVQ %d(DI), DX", call16B)
	p("MOVQ %d(DI), R8", call16C)
	p("MOVQ %d(DI), R9", call16RowA)
	p("MOVQ %d(DI), R10", call16RowC)
	p("MOVQ %d(DI), CX", call16Steps)
	p("MOVQ %d(DI), AX", call16Flags)
	p("MOVQ R9, R12") // the second 16 rows of A
	p("SHLQ $4, R12")
	p("ADDQ SI, R12")
	p("MOVQ R10, R13") // the second 16 rows of C
	p("SHLQ $4, R13")
	p("ADDQ R8, R13")
	p("MOVQ $128, R11") // from pair to pair of B
	p("TESTQ $1, AX")
	p("JZ zero")
	rowsOfC := []string{"R8", "R13"}
	for t := range 4 {
		p("%s", bytesOf(tileLoad(t, rowsOfC[t/2], "R10", 64*(t%2)), fmt.Sprintf("TILELOADD %d(%s)(R10*1), TMM%d", 64*(t%2), rowsOfC[t/2], t)))
	}
	p("JMP loop")
	fmt.Fprint(s, "zero:\n")
	for t := range 4 {
		p("%s", bytesOf(tileZero(t), fmt.Sprintf("TILEZERO TMM%d", t)))
	}
	fmt.Fprint(s, "loop:\n")
	p("%s", bytesOf(tileLoad(4, "SI", "R9", 0), "TILELOADD (SI)(R9*1), TMM4"))
	p("%s", bytesOf(tileLoad(6, "DX", "R11", 0), "TILELOADD (DX)(R11*1), TMM6"))
	p("%s", bytesOf(tileLoad(7, "DX", "R11", 64), "TILELOADD 64(DX)(R11*1), TMM7"))
	p("%s", bytesOf(tileLoad(5, "R12", "R9", 0), "TILELOADD (R12)(R9*1), TMM5"))
	for t := range 4 {
		p("%s", bytesOf(tileDot(t, 4+t/2, 6+t%2), fmt.Sprintf("TDPBF16PS TMM%d, TMM%d, TMM%d", 6+t%2, 4+t/2, t)))
	}
	p("ADDQ $64, SI")
	p("ADDQ $64, R12")
	p("ADDQ $2048, DX") // 16 pairs of 32 words
	p("DECQ CX")
	p("JNZ loop")
	for t := range 4 {
		p("%s", bytesOf(tileStore(t, rowsOfC[t/2], "R10", 64*(t%2)), fmt.Sprintf("TILESTORED TMM%d, %d(%s)(R10*1)", t, 64*(t%2), rowsOfC[t/2])))
	}
	p("%s", bytesOf(tileRelease(), "TILERELEASE"))
	p("RET")
	fmt.Fprint(g, "\n//go:noescape\nfunc amxBF16(c *call16, config *[64]byte)\n")
}
