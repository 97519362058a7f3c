package main

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
)

// A micro-kernel computes tiles of C, rows x (1 or 2 vectors) each: broadcasts
// of A against one or two vectors of B per step of k, all sums in registers (Goto
// and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008; Van
// Zee and van de Geijn, BLIS, 2015). It reads A by two strides, so that A, its
// transpose and the pixels under a convolution's window need no packing, and adds
// up over segments of k that lie apart (Georganas et al., High-Performance Deep
// Learning via a Single Building Block, 2020, arXiv:1906.06440). There is one for
// every number of rows up to the largest that fits the register file, so that
// rows are cut into nearly equal panels.

// Fields of the Go struct call, by their offset in bytes; a test in the parent
// folder holds them to the struct.
const (
	callA = 8 * iota // pointers
	callB
	callC
	callBias
	callRowA // strides, in elements
	callColA
	callRowB
	callRowC
	callK
	callSegs // counts and strides of the loops
	callSegA
	callSegB
	callOuter
	callOuterA
	callOuterB
	callPanels
	callPanelA
	callPanelC
	callGroups
	callGroupA
	callGroupC
	callFlags
	callMask
	callLanes
	callAhead
)

// Registers of a micro-kernel. SI walks along row 0 of A and R8 along row 7; with
// one, three and five times the row stride and the scales 1, 2 and 4 of an
// address they reach 14 rows.
const (
	regCall  = "DI"
	regA     = "SI"
	regA7    = "R8"
	regB     = "DX"
	regRow   = "R9"  // 1, 3 and 5 times the row stride of A
	regRow3  = "R10" //
	regRow5  = "R11" //
	regCol   = "R12"
	regRowB  = "R13"
	regK     = "CX"
	regSegA  = "BX" // where the segment begins in A
	regSegB  = "R14"
	regSegs  = "AX"
	regAhead = "R15" // how far ahead B is fetched
)

// rowOfA is the address of row r of A, less than 14.
func rowOfA(r int) string {
	base := regA
	if r >= 7 {
		base, r = regA7, r-7
	}
	return fmt.Sprintf([]string{"(%s)", "(%s)(R9*1)", "(%s)(R9*2)", "(%s)(R10*1)", "(%s)(R9*4)", "(%s)(R11*1)", "(%s)(R10*2)"}[r], base)
}

func productName(i isa, e elem, rows, vectors int) string {
	return fmt.Sprintf("gemm%s%sx%dx%d", i.name, e.name, rows, vectors)
}

// product writes one micro-kernel.
func product(s *bytes.Buffer, i isa, e elem, rows, vectors int) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	label := func(name string) { fmt.Fprintf(s, "%s:\n", name) }
	sum := func(row, v int) string { return fmt.Sprintf("%s%d", i.reg, i.accum+2*row+v) }
	vecB := func(v int) string { return fmt.Sprintf("%s%d", i.reg, i.vectB+v) }
	field := func(offset int, reg string) { p("MOVQ %d(%s), %s", offset, regCall, reg) }
	stride := func(offset int, reg string) { // in bytes
		field(offset, reg)
		p("SHLQ $%d, %s", bits.TrailingZeros(uint(e.size)), reg)
	}
	// Locals: where the running loops stand.
	const groupA, groupC, groups = "groupA-8(SP)", "groupC-16(SP)", "groups-24(SP)"
	const panelA, panelC, panels = "panelA-32(SP)", "panelC-40(SP)", "panels-48(SP)"
	const outerA, outerB, outers = "outerA-56(SP)", "outerB-64(SP)", "outers-72(SP)"
	begin := func(offset int, local string) {
		field(offset, "AX")
		p("MOVQ AX, %s", local)
	}
	advance := func(offset int, local string) {
		stride(offset, "AX")
		p("ADDQ AX, %s", local)
	}

	fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $72-8\n", productName(i, e, rows, vectors))
	p("MOVQ c+0(FP), %s", regCall)
	stride(callRowA, regRow)
	p("LEAQ (%[1]s)(%[1]s*2), %[2]s", regRow, regRow3)
	p("LEAQ (%[1]s)(%[1]s*4), %[2]s", regRow, regRow5)
	stride(callColA, regCol)
	stride(callRowB, regRowB)
	stride(callAhead, regAhead)
	p("JNZ ahead") // of the shift
	p("LEAQ (%s*8), %s", regRowB, regAhead)
	label("ahead")
	begin(callA, groupA)
	begin(callC, groupC)
	begin(callGroups, groups)

	label("group")
	p("MOVQ %s, AX", groupA)
	p("MOVQ AX, %s", panelA)
	p("MOVQ %s, AX", groupC)
	p("MOVQ AX, %s", panelC)
	begin(callPanels, panels)

	label("panel")
	first := make([]string, vectors)
	for v := range vectors {
		first[v] = sum(0, v)
		if i.reg == "Z" {
			p("VPXORQ %[1]s, %[1]s, %[1]s", first[v])
		} else {
			p("VXORPS %[1]s, %[1]s, %[1]s", first[v])
		}
	}
	field(callBias, "AX")
	p("TESTQ AX, AX")
	p("JZ spread")
	masks(p, i, e, vectors)
	for v := range vectors {
		maskedLoad(p, i, e, v, fmt.Sprintf("%d(AX)", v*i.bytes), first[v])
	}
	label("spread")
	for r := 1; r < rows; r++ {
		for v := range vectors {
			p("%s %s, %s", e.move, first[v], sum(r, v))
		}
	}
	p("MOVQ %s, %s", panelA, regSegA)
	field(callB, regSegB)
	begin(callOuter, outers)

	label("outer")
	p("MOVQ %s, %s", regSegA, outerA)
	p("MOVQ %s, %s", regSegB, outerB)
	field(callSegs, regSegs)

	label("segment")
	p("MOVQ %s, %s", regSegA, regA)
	if rows > 7 {
		p("LEAQ (%s)(%s*2), %s", regA, regRow3, regA7)
		p("ADDQ %s, %s", regRow, regA7)
	}
	p("MOVQ %s, %s", regSegB, regB)
	field(callK, regK)

	p("PCALIGN $32")
	label("loop")
	for v := range vectors {
		p("%s %d(%s), %s", e.move, v*i.bytes, regB, vecB(v))
	}
	for v := range vectors {
		p("PREFETCHT0 %d(%s)(%s*1)", v*i.bytes, regB, regAhead)
	}
	for r := range rows {
		one := fmt.Sprintf("%s%d", i.reg, i.vectA+r%2)
		p("%s %s, %s", e.broadcast, rowOfA(r), one)
		for v := range vectors {
			p("%s %s, %s, %s", e.fma, vecB(v), one, sum(r, v))
		}
	}
	p("ADDQ %s, %s", regCol, regA)
	if rows > 7 {
		p("ADDQ %s, %s", regCol, regA7)
	}
	p("ADDQ %s, %s", regRowB, regB)
	p("DECQ %s", regK)
	p("JNZ loop")

	stride(callSegA, regA)
	p("ADDQ %s, %s", regA, regSegA)
	stride(callSegB, regB)
	p("ADDQ %s, %s", regB, regSegB)
	p("DECQ %s", regSegs)
	p("JNZ segment")

	stride(callOuterA, regSegA)
	p("ADDQ %s, %s", outerA, regSegA)
	stride(callOuterB, regSegB)
	p("ADDQ %s, %s", outerB, regSegB)
	p("DECQ %s", outers)
	p("JNZ outer")

	// The epilogue: C is added or not, negative sums become 0 or not.
	field(callFlags, "CX")
	stride(callRowC, regA)
	p("TESTQ $%d, CX", flagMasked)
	p("JNZ masked")
	for _, masked := range []bool{false, true} {
		suffix := ""
		if masked {
			suffix = "Masked"
			label("masked")
			masks(p, i, e, vectors)
		}
		p("MOVQ %s, BX", panelC)
		p("TESTQ $%d, CX", flagAcc)
		p("JZ added%s", suffix)
		for r := range rows {
			for v := range vectors {
				from := fmt.Sprintf("%d(BX)", v*i.bytes)
				if masked {
					scratch := fmt.Sprintf("%s%d", i.reg, i.vectA)
					maskedLoad(p, i, e, v, from, scratch)
					from = scratch
				}
				p("%s %s, %s, %s", e.add, from, sum(r, v), sum(r, v))
			}
			p("ADDQ %s, BX", regA)
		}
		label("added" + suffix)
		p("TESTQ $%d, CX", flagReLU)
		p("JZ store%s", suffix)
		zero := fmt.Sprintf("%s%d", i.reg, i.vectA)
		if i.reg == "Z" {
			p("VPXORQ %[1]s, %[1]s, %[1]s", zero)
		} else {
			p("VXORPS %[1]s, %[1]s, %[1]s", zero)
		}
		for r := range rows {
			for v := range vectors {
				p("%s %s, %s, %s", e.max, sum(r, v), zero, sum(r, v)) // of NaN and 0 the maximum is the second source
			}
		}
		label("store" + suffix)
		p("MOVQ %s, BX", panelC)
		if !masked {
			p("TESTQ $%d, CX", flagFar)
			p("JNZ far")
		}
		for r := range rows {
			for v := range vectors {
				to := fmt.Sprintf("%d(BX)", v*i.bytes)
				switch {
				case !masked:
					p("%s %s, %s", e.move, sum(r, v), to)
				case i.reg == "Z":
					p("%s %s, K%d, %s", e.move, sum(r, v), 1+v, to)
				default:
					p("%s %s, Y%d, %s", e.maskMove, sum(r, v), v, to)
				}
			}
			p("ADDQ %s, BX", regA)
		}
		if !masked {
			p("JMP next")
		}
	}
	p("JMP next")

	label("far")
	for r := range rows {
		for v := range vectors {
			p("%s %s, %d(BX)", strings.Replace(e.move, "VMOVU", "VMOVNT", 1), sum(r, v), v*i.bytes)
		}
		p("ADDQ %s, BX", regA)
	}

	label("next")
	advance(callPanelA, panelA)
	advance(callPanelC, panelC)
	p("DECQ %s", panels)
	p("JNZ panel")
	advance(callGroupA, groupA)
	advance(callGroupC, groupC)
	p("DECQ %s", groups)
	p("JNZ group")
	p("VZEROUPPER")
	p("RET")
}

// Bits of the field flags.
const (
	flagAcc = 1 << iota
	flagReLU
	flagMasked
	flagFar
)

// masks loads the masks of the columns: K1 and K2, or Y0 and Y1.
func masks(p func(string, ...any), i isa, e elem, vectors int) {
	if i.reg == "Z" {
		p("MOVQ %d(%s), R8", callMask, regCall)
		for v := range vectors {
			p("KMOVW R8, K%d", 1+v)
			p("SHRQ $%d, R8", i.bytes/e.size)
		}
		return
	}
	p("MOVQ %d(%s), R8", callLanes, regCall)
	for v := range vectors {
		p("VMOVUPS %d(R8), Y%d", v*i.bytes, v)
	}
}

// maskedLoad loads vector v of the columns that are there, the others as 0.
func maskedLoad(p func(string, ...any), i isa, e elem, v int, from, to string) {
	if i.reg == "Z" {
		p("%s.Z %s, K%d, %s", e.move, from, 1+v, to)
	} else {
		p("%s %s, Y%d, %s", e.maskMove, from, v, to)
	}
}
