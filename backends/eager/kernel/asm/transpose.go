package main

import (
	"bytes"
	"fmt"
)

// transpose writes the transposition of blocks of 16 x 16 float32, in registers:
// pairs of rows are interleaved by elements, then by pairs of elements, after
// which each quarter of a register holds four elements of a column; two rounds of
// shuffles bring the quarters of a column together.
func transpose(s *bytes.Buffer) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	fmt.Fprint(s, "\nTEXT ·transposeAVX512F32(SB), NOSPLIT, $0-40\n")
	for i, arg := range []string{"blocks+0(FP), CX", "dst+8(FP), DI", "ld+16(FP), R9", "src+24(FP), SI", "stride+32(FP), R8"} {
		p("MOVQ %s", arg)
		if i == 2 || i == 4 {
			p("SHLQ $2, %s", arg[len(arg)-2:])
		}
	}
	fmt.Fprint(s, "loop:\n")
	p("MOVQ SI, DX")
	for r := range 16 {
		p("VMOVUPS (DX), Z%d", r)
		p("ADDQ R8, DX")
	}
	for r := 0; r < 16; r += 2 { // rows r and r+1
		p("VUNPCKLPS Z%d, Z%d, Z%d", r+1, r, 16+r)
		p("VUNPCKHPS Z%d, Z%d, Z%d", r+1, r, 17+r)
	}
	for r := 0; r < 16; r += 4 { // rows r to r+3
		for half := range 2 {
			p("VUNPCKLPD Z%d, Z%d, Z%d", 18+r+half, 16+r+half, r+2*half)
			p("VUNPCKHPD Z%d, Z%d, Z%d", 18+r+half, 16+r+half, r+2*half+1)
		}
	}
	for c := range 4 { // columns c, c+4, c+8 and c+12
		for i, quarters := range []int{0x88, 0xdd} { // even, odd
			p("VSHUFF32X4 $%d, Z%d, Z%d, Z%d", quarters, 4+c, c, 16+2*i)
			p("VSHUFF32X4 $%d, Z%d, Z%d, Z%d", quarters, 12+c, 8+c, 17+2*i)
			for j, quarters := range []int{0x88, 0xdd} {
				p("VSHUFF32X4 $%d, Z%d, Z%d, Z%d", quarters, 17+2*i, 16+2*i, 20+2*j+i)
			}
		}
		// The rows of the result are written in their order below.
		for j := range 4 {
			p("MOVQ $%d, AX", c+4*j)
			p("IMULQ R9, AX")
			p("VMOVUPS Z%d, (DI)(AX*1)", 20+j)
		}
	}
	p("ADDQ $64, SI")
	p("SHLQ $4, R9")
	p("ADDQ R9, DI")
	p("SHRQ $4, R9")
	p("DECQ CX")
	p("JNZ loop")
	p("VZEROUPPER")
	p("RET")
}
