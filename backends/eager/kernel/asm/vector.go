package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"strings"
)

// loop is an element-wise loop over slices of equal length, a multiple of the
// vector's. Its body uses no fused multiply-add and keeps the order of the
// portable code, so that both give the same bits.
type loop struct {
	name      string
	args      []string // slices, in the order of the Go function
	constants int      // factors, broadcast from an array to registers 15, 14, ...
	body      func(v *vector)
}

// vector writes instructions for one element type.
type vector struct {
	out bytes.Buffer
	e   elem
}

// regs of the slices' pointers, in order.
var pointers = []string{"DI", "SI", "DX", "R8"}

func (v *vector) op(name, args string) {
	fmt.Fprintf(&v.out, "\t%s%s %s\n", name, map[int]string{4: "PS", 8: "PD"}[v.e.size], args)
}
func (v *vector) load(slice, reg int)  { v.op("VMOVU", fmt.Sprintf("(%s), Y%d", pointers[slice], reg)) }
func (v *vector) store(reg, slice int) { v.op("VMOVU", fmt.Sprintf("Y%d, (%s)", reg, pointers[slice])) }

var loops = []loop{
	{"add", []string{"y", "x"}, 0, func(v *vector) {
		v.load(0, 0)
		v.op("VADD", "(SI), Y0, Y0")
		v.store(0, 0)
	}},
	{"relu", []string{"y", "x"}, 1, func(v *vector) { // constant: 0; of NaN and 0 the maximum is the second source, x
		v.load(1, 0)
		v.op("VMAX", "Y0, Y15, Y0")
		v.store(0, 0)
	}},
	{"reluBack", []string{"dx", "dy", "y"}, 1, func(v *vector) { // constant: 0
		v.load(2, 0)
		v.op("VCMP", "$4, Y15, Y0, Y0") // not equal, or unordered
		v.op("VAND", "(SI), Y0, Y0")
		v.store(0, 0)
	}},
	{"momentum", []string{"p", "grad", "v"}, 5, func(v *vector) { // momentum, gain, rate, tiny, mask of the sign's complement
		v.op("VMUL", "(DX), Y15, Y0")
		v.op("VMUL", "(SI), Y14, Y1")
		v.op("VADD", "Y1, Y0, Y0")
		v.flush(0, 12, 11)
		v.store(0, 2)
		v.op("VMUL", "Y0, Y13, Y0")
		v.load(0, 1)
		v.op("VSUB", "Y0, Y1, Y1")
		v.store(1, 0)
	}},
	{"adam", []string{"p", "grad", "m", "v"}, 9, func(v *vector) { // beta1, 1-beta1, beta2, 1-beta2, rate, root, epsilon, tiny, mask
		v.load(1, 0)
		v.op("VMUL", "(DX), Y15, Y1")
		v.op("VMUL", "Y0, Y14, Y2")
		v.op("VADD", "Y2, Y1, Y1") // m
		v.flush(1, 8, 7)
		v.store(1, 2)
		v.op("VMUL", "(R8), Y13, Y3")
		v.op("VMUL", "Y0, Y12, Y2")
		v.op("VMUL", "Y0, Y2, Y2")
		v.op("VADD", "Y2, Y3, Y3") // v
		v.flush(3, 8, 7)
		v.store(3, 3)
		v.op("VSQRT", "Y3, Y3")
		v.op("VMUL", "Y10, Y3, Y3")
		v.op("VADD", "Y9, Y3, Y3")
		v.op("VMUL", "Y1, Y11, Y1")
		v.op("VDIV", "Y3, Y1, Y1")
		v.load(0, 0)
		v.op("VSUB", "Y1, Y0, Y0")
		v.store(0, 0)
	}},
}

// flush makes elements of reg that are smaller than tiny zero; it uses Y5 and Y6.
func (v *vector) flush(reg, tiny, mask int) {
	v.op("VAND", fmt.Sprintf("Y%d, Y%d, Y5", mask, reg))
	v.op("VCMP", fmt.Sprintf("$17, Y%d, Y5, Y5", tiny)) // less than, quiet
	v.op("VANDN", fmt.Sprintf("Y%d, Y5, Y%d", reg, reg))
}

// vectors returns the assembly of all loops and their declarations.
func vectors(head string) (text, decls []byte) {
	var s, g bytes.Buffer
	fmt.Fprint(&s, head+"//go:build amd64 && !purego\n\n#include \"textflag.h\"\n")
	fmt.Fprint(&g, head+"//go:build amd64 && !purego\n\npackage kernel\n")
	for _, l := range loops {
		for _, e := range elems {
			name := l.name + "AVX2" + e.name
			args := strings.Join(l.args, ", ") + " *" + e.goType
			size := 8 * (len(l.args) + 1)
			if l.constants > 0 {
				args += fmt.Sprintf(", constants *[%d]%s", l.constants, e.goType)
				size += 8
			}
			fmt.Fprintf(&g, "\n//go:noescape\nfunc %s(n int, %s)\n", name, args)
			v := &vector{e: e}
			fmt.Fprintf(&v.out, "\nTEXT ·%s(SB), NOSPLIT, $0-%d\n\tMOVQ n+0(FP), CX\n", name, size)
			for i, a := range l.args {
				fmt.Fprintf(&v.out, "\tMOVQ %s+%d(FP), %s\n", a, 8+8*i, pointers[i])
			}
			if l.constants > 0 {
				fmt.Fprintf(&v.out, "\tMOVQ constants+%d(FP), AX\n", 8+8*len(l.args))
				for i := range l.constants {
					fmt.Fprintf(&v.out, "\t%s %d(AX), Y%d\n", e.broadcast, i*e.size, 15-i)
				}
			}
			fmt.Fprint(&v.out, "\tTESTQ CX, CX\n\tJZ done\n\tPCALIGN $32\nloop:\n")
			l.body(v)
			for i := range l.args {
				fmt.Fprintf(&v.out, "\tADDQ $32, %s\n", pointers[i])
			}
			fmt.Fprintf(&v.out, "\tSUBQ $%d, CX\n\tJNZ loop\ndone:\n\tVZEROUPPER\n\tRET\n", 32/e.size)
			s.Write(v.out.Bytes())
		}
	}
	src, err := format.Source(g.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	return s.Bytes(), src
}
