package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A vector loop is written once, as a program over values that each fill a
// vector register; the same program becomes AVX2 with FMA and AVX-512. A program
// runs per row of its slices: straight code and passes over the row's elements.
// Registers are given out by a linear scan (Poletto and Sarkar, TOPLAS 21(5),
// 1999): a value's register is free again after its last use.
//
// The last, partial vector of a row is read and written under a mask, so that
// memory beyond the slices is never touched.

// vectorISA is an instruction set as vector loops see it.
type vectorISA struct {
	name, reg string // register prefix
	bytes     int    // per vector
	regs      int    // that values may take
	wide      bool   // AVX-512: mask registers, operands broadcast from memory
}

var vectorISAs = []vectorISA{
	{name: "AVX2", reg: "Y", bytes: 32, regs: 15}, // the last register holds the tail's mask
	{name: "AVX512", reg: "Z", bytes: 64, regs: 32, wide: true},
}

// pointers are the registers of the slices, in order; AX holds the arguments
// and CX the offset in the row.
var pointers = []string{"DI", "SI", "DX", "BX", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

const maxFactors = 9

// Offsets in the arguments: see vectorArgs in the declarations.
const (
	atN       = 0
	atRows    = 8
	atMain    = 16
	atPointer = 24
)

func atStride(i int) int { return atPointer + 8*len(pointers) + 8*i }
func atFactor(i, size int) int {
	return atStride(len(pointers)) + size*i
}

// value names a result of the program, or a constant.
type value int

type valueInfo struct {
	def, last int // places in the code
	section   int
	constant  bool
	bits      uint64
	reg       int
}

// instr is one step of a program. args are in the order of the mathematics.
type instr struct {
	op      string
	dst     value // -1: none
	args    []value
	n       int // a slice, a factor or an immediate
	section int
}

// program collects the code of one loop for one instruction set and element type.
type program struct {
	isa    vectorISA
	e      elem
	values []valueInfo
	code   []instr
	loops  []bool // by section: it is a pass over the row
	out    bytes.Buffer
	name   string
	pool   *constants
	free   []int
	masked bool // the code being written is for the last, partial vector
}

func newProgram(isa vectorISA, e elem, pool *constants) *program {
	return &program{isa: isa, e: e, loops: []bool{false}, pool: pool} // section 0 runs once, before the rows
}

// straight begins code that runs once per row, pass code that runs for each vector of it.
func (p *program) straight()       { p.loops = append(p.loops, false) }
func (p *program) pass(do func())  { p.loops = append(p.loops, true); do(); p.straight() }
func (p *program) section() int    { return len(p.loops) - 1 }
func (p *program) is(v value) bool { return p.values[v].constant }

func (p *program) emit(op string, n int, args ...value) value {
	p.values = append(p.values, valueInfo{def: len(p.code), section: p.section()})
	dst := value(len(p.values) - 1)
	p.code = append(p.code, instr{op, dst, args, n, p.section()})
	return dst
}

func (p *program) effect(op string, n int, args ...value) {
	p.code = append(p.code, instr{op, -1, args, n, p.section()})
}

// number and bits are constants; they are read from memory where they are used.
func (p *program) number(x float64) value {
	if p.e.size == 4 {
		return p.bits(uint64(math.Float32bits(float32(x))))
	}
	return p.bits(math.Float64bits(x))
}

func (p *program) bits(b uint64) value {
	p.values = append(p.values, valueInfo{constant: true, bits: b})
	return value(len(p.values) - 1)
}

// inRegister is v in a register.
func (p *program) inRegister(v value) value {
	if p.is(v) {
		return p.emit("constant", 0, v)
	}
	return v
}

// factor is argument i of the loop in all elements; to be called before straight and pass.
func (p *program) factor(i int) value { return p.emit("factor", i) }

func (p *program) load(slice int) value     { return p.emit("load", slice) }
func (p *program) store(slice int, v value) { p.effect("store", slice, v) }

// loadRow and storeRow are for slices with one element per row.
func (p *program) loadRow(slice int) value     { return p.emit("loadRow", slice) }
func (p *program) storeRow(slice int, v value) { p.effect("storeRow", slice, v) }

// two is an instruction of two operands, of which the second may be a constant.
func (p *program) two(op string, a, b value) value { return p.emit(op, 0, p.inRegister(a), b) }

// both is the same where the operands may be exchanged.
func (p *program) both(op string, a, b value) value {
	if p.is(a) {
		a, b = b, a
	}
	return p.two(op, a, b)
}

func (p *program) add(a, b value) value { return p.both("VADD", a, b) }
func (p *program) sub(a, b value) value { return p.two("VSUB", a, b) }
func (p *program) mul(a, b value) value { return p.both("VMUL", a, b) }
func (p *program) div(a, b value) value { return p.two("VDIV", a, b) }
func (p *program) and(a, b value) value { return p.both("VAND", a, b) }
func (p *program) or(a, b value) value  { return p.both("VOR", a, b) }

// min and max give b if one of the two is NaN or both are zeros.
func (p *program) min(a, b value) value { return p.two("VMIN", a, b) }
func (p *program) max(a, b value) value { return p.two("VMAX", a, b) }

func (p *program) sqrt(a value) value { return p.emit("VSQRT", 0, a) }

// round is the nearest integer, ties to even.
func (p *program) round(a value) value { return p.emit("round", 0, a) }

// fma is a*b+c, rounded once; fnma is c-a*b, fms a*b-c.
func (p *program) fma(a, b, c value) value  { return p.fused("VFMADD", a, b, c) }
func (p *program) fnma(a, b, c value) value { return p.fused("VFNMADD", a, b, c) }
func (p *program) fms(a, b, c value) value  { return p.fused("VFMSUB", a, b, c) }

func (p *program) fused(op string, a, b, c value) value {
	if p.is(a) {
		a, b = b, a
	}
	if p.is(b) && p.is(c) {
		b = p.inRegister(b)
	}
	return p.emit(op, 0, p.inRegister(a), b, c)
}

// Predicates of select, as in the instruction: quiet, false (notEqual: true) of NaN.
const (
	lessThan = 17
	notEqual = 4
)

// choose is x where a and b are so, else y.
func (p *program) choose(predicate int, a, b, x, y value) value {
	a, x, y = p.inRegister(a), p.inRegister(x), p.inRegister(y)
	if p.isa.wide {
		return p.emit("choose", predicate, a, b, x, y)
	}
	return p.emit("blend", 0, p.emit("compare", predicate, a, b), x, y)
}

// accumulator starts a value that accumulate changes in a pass.
func (p *program) accumulator(start float64) value {
	return p.emit("constant", 0, p.number(start))
}

// accumulate applies op to acc and v, leaving what the tail's mask excludes.
func (p *program) accumulate(op string, acc, v value) { p.effect("accumulate "+op, 0, acc, v) }

// accumulateProduct adds a*b to acc.
func (p *program) accumulateProduct(acc, a, b value) { p.effect("accumulate VFMADD231", 0, acc, a, b) }

// across is op over all elements of v, in all elements.
func (p *program) across(op string, v value) value { return p.emit("across "+op, 0, v) }

// live finds the last use of each value. What is made before a pass and read
// in it lives to its end; what is made before the rows lives to the end.
func (p *program) live() {
	last := make([]int, len(p.loops)) // instruction of each section
	for i, in := range p.code {
		last[in.section] = i
	}
	for i, in := range p.code {
		for _, a := range in.args {
			v := &p.values[a]
			v.last = max(v.last, i)
			if in.section != v.section && p.loops[in.section] {
				v.last = max(v.last, last[in.section])
			}
			if v.section == 0 {
				v.last = len(p.code)
			}
		}
	}
	for r := range p.isa.regs {
		p.free = append(p.free, r)
	}
}

func (p *program) take() int {
	if len(p.free) == 0 {
		panic(p.name + ": out of registers")
	}
	r := p.free[0]
	p.free = p.free[1:]
	return r
}

func (p *program) give(r int) {
	at, _ := slices.BinarySearch(p.free, r)
	p.free = slices.Insert(p.free, at, r)
}

// allocate gives every value a register. An instruction that is more than one
// in the machine may not write to a register that it still reads.
func (p *program) allocate() {
	p.live()
	for i := range p.code {
		in := &p.code[i]
		dies := func(v value) bool { return !p.is(v) && p.values[v].last == i }
		release := func() {
			done := map[value]bool{}
			for _, a := range in.args {
				if dies(a) && !done[a] {
					p.give(p.values[a].reg)
					done[a] = true
				}
			}
		}
		switch {
		case in.dst < 0:
			release()
		case in.op == "VFMADD" || in.op == "VFNMADD" || in.op == "VFMSUB":
			p.allocateFused(in, dies, release)
		case strings.HasPrefix(in.op, "across"):
			p.values[in.dst].reg, in.n = p.take(), p.take()
			p.give(in.n)
			release()
		default:
			release()
			p.values[in.dst].reg = p.take()
		}
		if in.dst >= 0 && p.values[in.dst].last == 0 {
			panic(fmt.Sprintf("%s: the result of instruction %d (%s) is not used", p.name, i, in.op))
		}
	}
}

// allocateFused picks the form of a fused multiply-add that overwrites an
// operand that nobody reads again, and notes it in the name of the operation.
func (p *program) allocateFused(in *instr, dies func(value) bool, release func()) {
	a, b, c := in.args[0], in.args[1], in.args[2]
	reg := func(v value) int { return p.values[v].reg }
	if !dies(a) && dies(b) {
		a, b = b, a
	}
	var over value
	switch {
	case dies(c) && c != a && c != b:
		in.op, in.args, over = in.op+"231", []value{c, a, b}, c
	case dies(a) && a != b && a != c && p.is(b):
		in.op, in.args, over = in.op+"132", []value{a, c, b}, a
	case dies(a) && a != c:
		in.op, in.args, over = in.op+"213", []value{a, b, c}, a
	default: // a copy first
		r := p.take()
		release()
		p.values[in.dst].reg = r
		if p.is(c) {
			in.op, in.args = "copy "+in.op+"213", []value{a, b, c}
		} else {
			in.op, in.args = "copy "+in.op+"231", []value{c, a, b}
		}
		return
	}
	keep := reg(over)
	release()
	at, _ := slices.BinarySearch(p.free, keep)
	p.free = slices.Delete(p.free, at, at+1)
	p.values[in.dst].reg = keep
}
