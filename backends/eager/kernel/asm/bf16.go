package main

import (
	"bytes"
	"fmt"
	"strings"
)

// Products of bfloat16. Go's assembler knows neither VDPBF16PS nor AMX, so both are
// written as bytes; the tests hold the encodings to what GNU as gives.

// Fields of the Go struct call16, by their offset in bytes.
const (
	call16A = 8 * iota // pointers
	call16B
	call16C
	call16RowA // strides, in bytes
	call16ColA
	call16RowC
	call16Steps // of the loop over k
	call16Flags
	call16Mask
	call16Segs // segments of the depth
	call16SegA // from one to the next in A, in bytes
)

// bytesOf is the directive for the bytes of one instruction, which the comment names.
func bytesOf(code []byte, comment string) string {
	var b strings.Builder
	for _, c := range code {
		fmt.Fprintf(&b, "BYTE $0x%02x; ", c)
	}
	return b.String() + "// " + comment
}

// dotBF16 encodes VDPBF16PS: to[i] += x[2i] y[2i] + x[2i+1] y[2i+1] for the 16 pairs
// of bfloat16 of zmm registers x and y, in float32 (Intel, Instruction Set
// Extensions Programming Reference, 319433; EVEX.512.F3.0F38.W0 52 /r).
func dotBF16(to, x, y int) []byte {
	inverted := func(bit, n int) byte { return byte(^(n >> bit) & 1) }
	return []byte{
		0x62,
		inverted(3, to)<<7 | inverted(4, y)<<6 | inverted(3, y)<<5 | inverted(4, to)<<4 | 2,
		byte(^x&15)<<3 | 1<<2 | 2,
		2<<5 | inverted(4, x)<<3,
		0x52,
		0xc0 | byte(to&7)<<3 | byte(y&7),
	}
}

// bf16Rows is how many rows a tile of VDPBF16PS has at most: as in float32, two
// sums per row, two vectors of B and two of A.
const bf16Rows = 14

// bf16 writes the micro-kernels of VDPBF16PS and their declarations: for 1 to 14
// rows of A and 32 columns of B, C[r, j] = or += the sum over pairs p of
// A[r, 2p] B[2p, j] + A[r, 2p+1] B[2p+1, j]. A pair of A is a 32-bit word; the words
// lie rowA and colA bytes apart, and so for segs segments segA bytes apart. B is packed: for
// each pair 32 words, segment behind segment. Columns of C
// whose mask bit is 0 are neither read nor written.
func bf16(s, g *bytes.Buffer) {
	for rows := 1; rows <= bf16Rows; rows++ {
		dotKernel(s, rows)
		fmt.Fprintf(g, "\n//go:noescape\nfunc dotBF16x%d(c *call16)\n", rows)
	}
	interleave(s)
	fmt.Fprint(g, "\n//go:noescape\nfunc interleaveAVX512(blocks int, dst *uint32, low, high *uint16)\n")
}

func dotKernel(s *bytes.Buffer, rows int) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	fmt.Fprintf(s, "\nTEXT ·dotBF16x%d(SB), NOSPLIT, $0-8\n", rows)
	p("MOVQ c+0(FP), DI")
	p("MOVQ %d(DI), BX", call16A)
	p("MOVQ %d(DI), DX", call16B)
	p("MOVQ %d(DI), AX", call16Segs)
	p("MOVQ %d(DI), %s", call16RowA, regRow)
	p("LEAQ (%[1]s)(%[1]s*2), %[2]s", regRow, regRow3)
	p("LEAQ (%[1]s)(%[1]s*4), %[2]s", regRow, regRow5)
	p("MOVQ %d(DI), %s", call16ColA, regCol)
	for r := range 2 * rows {
		p("VPXORQ Z%[1]d, Z%[1]d, Z%[1]d", r)
	}
	fmt.Fprint(s, "segment:\n")
	p("MOVQ BX, SI")
	p("LEAQ (%s)(%s*2), %s", regRow5, regRow, regA7) // 7 rows
	p("ADDQ SI, %s", regA7)
	p("MOVQ %d(DI), CX", call16Steps)
	fmt.Fprint(s, "\tPCALIGN $32\nloop:\n")
	p("VMOVDQU32 (DX), Z28")
	p("VMOVDQU32 64(DX), Z29")
	for r := range rows {
		p("VPBROADCASTD %s, Z%d", rowOfA(r), 30+r%2)
		for v := range 2 {
			p("%s", bytesOf(dotBF16(2*r+v, 30+r%2, 28+v), fmt.Sprintf("VDPBF16PS Z%d, Z%d, Z%d", 28+v, 30+r%2, 2*r+v)))
		}
	}
	p("ADDQ %s, SI", regCol)
	p("ADDQ %s, %s", regCol, regA7)
	p("ADDQ $128, DX")
	p("DECQ CX")
	p("JNZ loop")
	p("ADDQ %d(DI), BX", call16SegA)
	p("DECQ AX")
	p("JNZ segment")
	p("MOVQ %d(DI), R8", call16C)
	p("MOVQ %d(DI), R9", call16RowC)
	p("MOVQ %d(DI), AX", call16Mask)
	p("KMOVW AX, K1")
	p("SHRQ $16, AX")
	p("KMOVW AX, K2")
	p("MOVQ %d(DI), AX", call16Flags)
	p("TESTQ $1, AX")
	p("JZ store")
	p("MOVQ R8, R10")
	for r := range rows {
		for v := range 2 {
			p("VADDPS %d(R10), Z%d, K%d, Z%d", 64*v, 2*r+v, 1+v, 2*r+v)
		}
		p("ADDQ R9, R10")
	}
	fmt.Fprint(s, "store:\n")
	for r := range rows {
		for v := range 2 {
			p("VMOVUPS Z%d, K%d, %d(R8)", 2*r+v, 1+v, 64*v)
		}
		p("ADDQ R9, R8")
	}
	p("VZEROUPPER")
	p("RET")
}

// interleave writes dst[i] = low[i] | high[i] << 16 for blocks of 16 elements.
func interleave(s *bytes.Buffer) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	fmt.Fprint(s, "\nTEXT ·interleaveAVX512(SB), NOSPLIT, $0-32\n")
	p("MOVQ blocks+0(FP), CX")
	p("MOVQ dst+8(FP), DI")
	p("MOVQ low+16(FP), SI")
	p("MOVQ high+24(FP), DX")
	fmt.Fprint(s, "loop:\n")
	p("VPMOVZXWD (SI), Z0")
	p("VPMOVZXWD (DX), Z1")
	p("VPSLLD $16, Z1, Z1")
	p("VPORD Z0, Z1, Z0")
	p("VMOVDQU32 Z0, (DI)")
	p("ADDQ $32, SI")
	p("ADDQ $32, DX")
	p("ADDQ $64, DI")
	p("DECQ CX")
	p("JNZ loop")
	p("VZEROUPPER")
	p("RET")
}
