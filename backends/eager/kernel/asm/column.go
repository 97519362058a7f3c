package main

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"strings"
)

// columnLoop is a loop over the rows of float32 matrices [rows, ld] in groups of
// vectors of columns: numbers of each column's own stay in registers, and so do
// sums over it. Nothing is fused, so that every family gives the same bits.
type columnLoop struct {
	name    string
	streams []string // matrices, the first of them written if body stores to it
	own     []string // a number for each column
	sum     bool     // the first argument is a sum for each column
	body    func(c *columns)
}

// columns writes instructions for one vector of a group: streams' elements are
// memory operands, own numbers and the sum registers.
type columns struct {
	out  *bytes.Buffer
	i    isa
	loop columnLoop
	size int // vectors of the group
	v    int // of them, the one at hand
}

var (
	streamRegs = []string{"R10", "R11", "R12"}
	columnArgs = []string{"rows", "vectors", "ld"}
)

func (c *columns) op(f string, args ...any) { fmt.Fprintf(c.out, "\t"+f+"\n", args...) }
func (c *columns) mem(stream int) string {
	return fmt.Sprintf("%d(%s)", c.v*c.i.bytes, streamRegs[stream])
}

// Registers: of each vector of the group the own numbers, the sum, two for scratch.
func (c *columns) reg(k int) string { return fmt.Sprintf("%s%d", c.i.reg, k*c.size+c.v) }
func (c *columns) num(k int) string { return c.reg(k) }
func (c *columns) total() string    { return c.reg(len(c.loop.own)) }
func (c *columns) tmp(k int) string { return c.reg(len(c.loop.own) + 1 + k) }

var columnLoops = []columnLoop{
	{"columnSums", []string{"x"}, nil, true, func(c *columns) {
		c.op("VADDPS %s, %s, %s", c.mem(0), c.total(), c.total())
	}},
	{"columnSquares", []string{"x"}, []string{"mean"}, true, func(c *columns) {
		c.op("VMOVUPS %s, %s", c.mem(0), c.tmp(0))
		c.op("VSUBPS %s, %s, %s", c.num(0), c.tmp(0), c.tmp(0))
		c.op("VMULPS %s, %s, %s", c.tmp(0), c.tmp(0), c.tmp(0))
		c.op("VADDPS %s, %s, %s", c.tmp(0), c.total(), c.total())
	}},
	{"columnDots", []string{"y", "x"}, []string{"mean"}, true, func(c *columns) {
		c.op("VMOVUPS %s, %s", c.mem(1), c.tmp(0))
		c.op("VSUBPS %s, %s, %s", c.num(0), c.tmp(0), c.tmp(0))
		c.op("VMULPS %s, %s, %s", c.mem(0), c.tmp(0), c.tmp(0))
		c.op("VADDPS %s, %s, %s", c.tmp(0), c.total(), c.total())
	}},
	{"normalize", []string{"y", "x"}, []string{"mean", "scale", "shift"}, false, func(c *columns) {
		c.op("VMOVUPS %s, %s", c.mem(1), c.tmp(0))
		c.op("VSUBPS %s, %s, %s", c.num(0), c.tmp(0), c.tmp(0))
		c.op("VMULPS %s, %s, %s", c.num(1), c.tmp(0), c.tmp(0))
		c.op("VADDPS %s, %s, %s", c.num(2), c.tmp(0), c.tmp(0))
		c.op("VMOVUPS %s, %s", c.tmp(0), c.mem(0))
	}},
	{"normalizeBack", []string{"dx", "dy", "x"}, []string{"mean", "scale", "k0", "k1"}, false, normalizeBack},
	{"normalizeBackAdd", []string{"dx", "dy", "x"}, []string{"mean", "scale", "k0", "k1"}, false, normalizeBack},
}

func normalizeBack(c *columns) {
	c.op("VMOVUPS %s, %s", c.mem(2), c.tmp(0))
	c.op("VSUBPS %s, %s, %s", c.num(0), c.tmp(0), c.tmp(0))
	c.op("VMULPS %s, %s, %s", c.num(3), c.tmp(0), c.tmp(0))
	c.op("VMOVUPS %s, %s", c.mem(1), c.total()) // no sum here
	c.op("VSUBPS %s, %s, %s", c.num(2), c.total(), c.total())
	c.op("VSUBPS %s, %s, %s", c.tmp(0), c.total(), c.tmp(0))
	c.op("VMULPS %s, %s, %s", c.num(1), c.tmp(0), c.tmp(0))
	if strings.HasSuffix(c.loop.name, "Add") {
		c.op("VADDPS %s, %s, %s", c.mem(0), c.tmp(0), c.tmp(0))
	}
	c.op("VMOVUPS %s, %s", c.tmp(0), c.mem(0))
}

// args are the names of the pointers, in order.
func (l columnLoop) args() []string {
	var sum []string
	if l.sum {
		sum = []string{"sum"}
	}
	return slices.Concat(sum, l.streams, l.own)
}

// write writes the loop for one instruction set.
func (l columnLoop) write(s *bytes.Buffer, i isa) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	args := l.args()
	at := func(name string) string {
		return fmt.Sprintf("%s+%d(FP)", name, 8*slices.Index(slices.Concat(columnArgs, args), name))
	}
	fmt.Fprintf(s, "\nTEXT ·%s%sF32(SB), NOSPLIT, $0-%d\n", l.name, i.name, 8*(3+len(args)))
	p("MOVQ %s, BX", at("rows"))
	p("MOVQ %s, AX", at("vectors"))
	p("MOVQ %s, R9", at("ld"))
	p("SHLQ $2, R9")
	p("XORQ R8, R8") // bytes of the columns before
	registers := 16
	if i.reg == "Z" {
		registers = 32
	}
	for size := 4; size >= 1; size /= 2 {
		if size*(len(l.own)+2) > registers {
			continue
		}
		fmt.Fprintf(s, "by%d:\n", size)
		p("CMPQ AX, $%d", size)
		p("JLT done%d", size)
		c := &columns{out: s, i: i, loop: l, size: size}
		each := func(do func()) {
			for c.v = range size {
				do()
			}
		}
		for k, name := range l.own {
			p("MOVQ %s, R13", at(name))
			p("ADDQ R8, R13")
			each(func() { p("VMOVUPS %d(R13), %s", c.v*i.bytes, c.num(k)) })
		}
		if l.sum {
			each(func() {
				if i.reg == "Z" {
					p("VPXORQ %[1]s, %[1]s, %[1]s", c.total())
				} else {
					p("VXORPS %[1]s, %[1]s, %[1]s", c.total())
				}
			})
		}
		for k, name := range l.streams {
			p("MOVQ %s, %s", at(name), streamRegs[k])
			p("ADDQ R8, %s", streamRegs[k])
		}
		p("MOVQ BX, CX")
		p("PCALIGN $32")
		fmt.Fprintf(s, "rows%d:\n", size)
		each(func() { l.body(c) })
		for k := range l.streams {
			p("ADDQ R9, %s", streamRegs[k])
		}
		p("DECQ CX")
		p("JNZ rows%d", size)
		if l.sum {
			p("MOVQ %s, R13", at("sum"))
			p("ADDQ R8, R13")
			each(func() { p("VMOVUPS %s, %d(R13)", c.total(), c.v*i.bytes) })
		}
		p("ADDQ $%d, R8", size*i.bytes)
		p("SUBQ $%d, AX", size)
		p("JMP by%d", size)
		fmt.Fprintf(s, "done%d:\n", size)
	}
	p("VZEROUPPER")
	p("RET")
}

// columnFiles returns the assembly of these loops and their declarations.
func columnFiles(head string) (text, decls []byte) {
	var s, g bytes.Buffer
	fmt.Fprint(&s, head+"//go:build amd64 && !purego\n\n#include \"textflag.h\"\n")
	fmt.Fprint(&g, head+"//go:build amd64 && !purego\n\npackage kernel\n")
	for _, i := range isas {
		for _, l := range columnLoops {
			l.write(&s, i)
			fmt.Fprintf(&g, "\n//go:noescape\nfunc %s%sF32(rows, vectors, ld int, %s *float32)\n", l.name, i.name, strings.Join(l.args(), ", "))
		}
		for _, back := range []bool{false, true} {
			pooling(&s, i, back)
		}
		fmt.Fprintf(&g, "\n//go:noescape\nfunc maxPool%sF32(pixels, vectors int, y *float32, from *int32, x *float32, taps *int, count, step, ld int)\n", i.name)
		fmt.Fprintf(&g, "\n//go:noescape\nfunc maxPoolBack%sF32(pixels, vectors int, y *float32, from *int32, x *float32, taps *int, count, step, ld int)\n", i.name)
	}
	src, err := format.Source(g.Bytes())
	if err != nil {
		panic(err)
	}
	return s.Bytes(), src
}

// pooling writes max pooling of a row of windows over [pixels, channels], ld
// channels in a row of the output: y gets the largest of the elements at taps[0]
// to taps[count-1] (bytes from x on) and from, unless it is nil, which that was;
// windows are step bytes apart. On the way back y holds the gradient and x gets it,
// where from says, and 0 elsewhere. Of equal elements the first counts; NaN counts
// as the largest.
func pooling(s *bytes.Buffer, i isa, back bool) {
	p := func(f string, args ...any) { fmt.Fprintf(s, "\t"+f+"\n", args...) }
	name := "maxPool"
	if back {
		name = "maxPoolBack"
	}
	z := i.reg == "Z"
	fmt.Fprintf(s, "\nTEXT ·%s%sF32(SB), NOSPLIT, $0-72\n", name, i.name)
	for k, arg := range []string{"pixels", "vectors", "y", "from", "x", "taps", "count", "step", "ld"} {
		p("MOVQ %s+%d(FP), %s", arg, 8*k, []string{"BX", "AX", "DI", "DX", "SI", "R8", "R9", "R10", "R11"}[k])
	}
	p("SHLQ $2, R11")
	if z { // -1
		p("VPTERNLOGD $0xff, Z7, Z7, Z7")
	} else {
		p("VPCMPEQD Y7, Y7, Y7")
	}
	fmt.Fprint(s, "pixel:\n")
	p("XORQ R12, R12") // bytes of the channels before
	p("MOVQ AX, R13")
	fmt.Fprint(s, "vector:\n")
	r := i.reg
	p("%s %s4, %s4, %s4", map[bool]string{true: "VPXORD", false: "VPXOR"}[z], r, r, r) // which tap
	if back {
		p("VMOVUPS (DI)(R12*1), %s0", r)
		p("VMOVUPS (DX)(R12*1), %s1", r)
		p("XORQ CX, CX")
	} else {
		p("MOVQ (R8), R14")
		p("ADDQ R12, R14")
		p("VMOVUPS (SI)(R14*1), %s0", r)
		p("VMOVAPS %s4, %s1", r, r)
		p("MOVQ $1, CX")
		p("CMPQ CX, R9")
		p("JGE last")
	}
	fmt.Fprint(s, "tap:\n")
	p("MOVQ (R8)(CX*8), R14")
	p("ADDQ R12, R14")
	switch {
	case back && z:
		p("VPCMPEQD Z4, Z1, K1")
		p("VMOVUPS.Z Z0, K1, Z2")
	case back:
		p("VPCMPEQD Y4, Y1, Y2")
		p("VPAND Y0, Y2, Y2")
	case z:
		p("VPSUBD Z7, Z4, Z4")
		p("VMOVUPS (SI)(R14*1), Z2")
		p("VCMPPS $30, Z0, Z2, K1") // greater
		p("VCMPPS $3, Z2, Z2, K2")  // NaN
		p("KORW K1, K2, K1")
		p("VMOVAPS Z2, K1, Z0")
		p("VMOVDQA32 Z4, K1, Z1")
	default:
		p("VPSUBD Y7, Y4, Y4")
		p("VMOVUPS (SI)(R14*1), Y2")
		p("VCMPPS $30, Y0, Y2, Y3")
		p("VCMPPS $3, Y2, Y2, Y5")
		p("VORPS Y3, Y5, Y3")
		p("VBLENDVPS Y3, Y2, Y0, Y0")
		p("VBLENDVPS Y3, Y4, Y1, Y1")
	}
	if back {
		p("VMOVUPS %s2, (SI)(R14*1)", r)
		p("VPSUBD %s7, %s4, %s4", r, r, r)
	}
	p("INCQ CX")
	p("CMPQ CX, R9")
	p("JLT tap")
	if !back {
		fmt.Fprint(s, "last:\n")
		p("VMOVUPS %s0, (DI)(R12*1)", r)
		p("TESTQ DX, DX")
		p("JZ stored")
		p("VMOVUPS %s1, (DX)(R12*1)", r)
		fmt.Fprint(s, "stored:\n")
	}
	p("ADDQ $%d, R12", i.bytes)
	p("DECQ R13")
	p("JNZ vector")
	p("ADDQ R10, SI")
	p("ADDQ R11, DI")
	p("TESTQ DX, DX")
	p("JZ next")
	p("ADDQ R11, DX")
	fmt.Fprint(s, "next:\n")
	p("DECQ BX")
	p("JNZ pixel")
	p("VZEROUPPER")
	p("RET")
}
