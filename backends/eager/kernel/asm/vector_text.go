package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"math/bits"
	"strings"
)

// constants is the table that all loops read their constants from, in the order
// of first use. Each entry fills a vector of AVX2; AVX-512 broadcasts its first element.
type constants struct {
	e       elem
	entries []uint64
}

func (c *constants) at(b uint64) int {
	for i, have := range c.entries {
		if have == b {
			return 32 * i
		}
	}
	c.entries = append(c.entries, b)
	return 32 * (len(c.entries) - 1)
}

func (c *constants) symbol() string { return "numbers" + c.e.name + "<>" }

func (c *constants) write(s *bytes.Buffer) {
	fmt.Fprintln(s)
	for i, b := range c.entries {
		for j := 0; j < 32; j += c.e.size {
			fmt.Fprintf(s, "DATA %s+%d(SB)/%d, $%#x\n", c.symbol(), 32*i+j, c.e.size, b)
		}
	}
	fmt.Fprintf(s, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", c.symbol(), 32*len(c.entries))
}

// line writes one instruction.
func (p *program) line(format string, args ...any) { fmt.Fprintf(&p.out, "\t"+format+"\n", args...) }

// suffix makes the name of an instruction on elements of the program's type.
func (p *program) suffix(op string) string {
	if strings.HasPrefix(op, "VP") || strings.HasPrefix(op, "VCVT") {
		return op
	}
	return op + map[int]string{4: "PS", 8: "PD"}[p.e.size]
}

func (p *program) reg(v value) string { return fmt.Sprintf("%s%d", p.isa.reg, p.values[v].reg) }

// instruction writes op with operands in the order of the mathematics; the last
// one may be a constant, which is then read from memory.
func (p *program) instruction(op string, dst string, args ...value) {
	operands := []string{dst}
	op = p.suffix(op)
	for _, a := range args {
		if !p.is(a) {
			operands = append([]string{p.reg(a)}, operands...)
			continue
		}
		if p.isa.wide {
			op += ".BCST"
		}
		operands = append([]string{fmt.Sprintf("%s+%d(SB)", p.pool.symbol(), p.pool.at(p.values[a].bits))}, operands...)
	}
	p.line("%s %s", op, strings.Join(operands, ", "))
}

func (p *program) instr(in instr) {
	size := p.e.size
	var dst string
	if in.dst >= 0 {
		dst = p.reg(in.dst)
	}
	op, rest, _ := strings.Cut(in.op, " ")
	switch op {
	case "constant":
		p.line("%s %s+%d(SB), %s", p.e.broadcast, p.pool.symbol(), p.pool.at(p.values[in.args[0]].bits), dst)
	case "factor":
		p.line("%s %d(AX), %s", p.e.broadcast, atFactor(in.n, size), dst)
	case "load", "store":
		p.memory(op, in, dst)
	case "loadRow":
		p.line("%s (%s), %s", p.e.broadcast, pointers[in.n], dst)
	case "storeRow":
		p.line("%s X%d, (%s)", map[int]string{4: "VMOVSS", 8: "VMOVSD"}[size], p.values[in.args[0]].reg, pointers[in.n])
	case "round":
		p.line("%s $%d, %s, %s", p.suffix(map[bool]string{true: "VRNDSCALE", false: "VROUND"}[p.isa.wide]), 8, p.reg(in.args[0]), dst)
	case "choose":
		p.masking("VCMP", in.n, in.args[0], in.args[1], "K2")
		p.line("%s %s, %s, K2, %s", p.suffix("VBLENDM"), p.reg(in.args[2]), p.reg(in.args[3]), dst)
	case "compare":
		p.masking("VCMP", in.n, in.args[0], in.args[1], dst)
	case "blend":
		p.line("%s %s, %s, %s, %s", p.suffix("VBLENDV"), p.reg(in.args[0]), p.reg(in.args[1]), p.reg(in.args[2]), dst)
	case "shift": // of 32-bit integers: in.n to the left, or arithmetically to the right
		if in.n >= 0 {
			p.line("VPSLLD $%d, %s, %s", in.n, p.reg(in.args[0]), dst)
		} else {
			p.line("VPSRAD $%d, %s, %s", -in.n, p.reg(in.args[0]), dst)
		}
	case "accumulate":
		p.accumulation(rest, in.args)
	case "across":
		p.acrossLines(rest, in)
	case "copy":
		p.line("%s %s, %s", p.suffix("VMOVA"), p.reg(in.args[0]), dst)
		p.instruction(rest, dst, in.args[1], in.args[2])
	default:
		if strings.HasPrefix(op, "VF") {
			in.args = in.args[1:] // the first one is dst itself
		}
		p.instruction(op, dst, in.args...)
	}
}

// masking writes a comparison, whose predicate comes first.
func (p *program) masking(op string, predicate int, a, b value, dst string) {
	op, second := p.suffix(op), ""
	if p.is(b) {
		second = fmt.Sprintf("%s+%d(SB)", p.pool.symbol(), p.pool.at(p.values[b].bits))
		if p.isa.wide {
			op += ".BCST"
		}
	} else {
		second = p.reg(b)
	}
	p.line("%s $%d, %s, %s, %s", op, predicate, second, p.reg(a), dst)
}

// memory reads or writes a vector of a slice, in the tail under the mask.
func (p *program) memory(op string, in instr, dst string) {
	at := fmt.Sprintf("(%s)(CX*1)", pointers[in.n])
	if op == "store" {
		dst = p.reg(in.args[0])
	}
	switch move := p.suffix("VMOVU"); {
	case !p.masked && op == "load":
		p.line("%s %s, %s", move, at, dst)
	case !p.masked:
		p.line("%s %s, %s", move, dst, at)
	case p.isa.wide && op == "load":
		p.line("%s.Z %s, K1, %s", move, at, dst)
	case p.isa.wide:
		p.line("%s %s, K1, %s", move, dst, at)
	case op == "load":
		p.line("%s %s, Y15, %s", p.suffix("VMASKMOV"), at, dst)
	default:
		p.line("%s %s, Y15, %s", p.suffix("VMASKMOV"), dst, at)
	}
}

// accumulation changes args[0]; in the tail only where the mask is set.
func (p *program) accumulation(op string, args []value) {
	acc := p.reg(args[0])
	product := op == "VFMADD231"
	first := p.reg(args[0])
	if product {
		first = p.reg(args[1])
	}
	second := p.reg(args[len(args)-1])
	switch {
	case !p.masked:
		p.line("%s %s, %s, %s", p.suffix(op), second, first, acc)
	case p.isa.wide:
		p.line("%s %s, %s, K1, %s", p.suffix(op), second, first, acc)
	case product:
		t := fmt.Sprintf("Y%d", p.spare())
		p.line("%s %s, %s", p.suffix("VMOVA"), acc, t)
		p.line("%s %s, %s, %s", p.suffix(op), second, first, t)
		p.line("%s Y15, %s, %s, %s", p.suffix("VBLENDV"), t, acc, acc)
	default:
		t := fmt.Sprintf("Y%d", p.spare())
		p.line("%s %s, %s, %s", p.suffix(op), second, first, t)
		p.line("%s Y15, %s, %s, %s", p.suffix("VBLENDV"), t, acc, acc)
	}
}

// spare is a register that no value of the program has.
func (p *program) spare() int {
	used := 0
	for _, v := range p.values {
		if !v.constant {
			used = max(used, v.reg+1)
		}
	}
	if used >= p.isa.regs {
		panic(p.name + ": no register to spare")
	}
	return used
}

// acrossLines halves the vector until one element is left, and spreads that.
func (p *program) acrossLines(op string, in instr) {
	op = p.suffix(op)
	from, to, t := p.values[in.args[0]].reg, p.values[in.dst].reg, in.n
	extract := "VEXTRACTF128"
	if p.isa.wide {
		extract = "VEXTRACTF32X4"
		p.line("VEXTRACTF64X4 $1, Z%d, Y%d", from, to)
		p.line("%[1]s Y%[2]d, Y%[3]d, Y%[3]d", op, from, to)
	} else {
		p.line("VMOVAPS Y%d, Y%d", from, to)
	}
	p.line("%s $1, Y%d, X%d", extract, to, t)
	p.line("%[1]s X%[2]d, X%[3]d, X%[3]d", op, t, to)
	if p.e.size == 4 {
		p.line("VPERMILPS $14, X%d, X%d", to, t)
		p.line("%[1]s X%[2]d, X%[3]d, X%[3]d", op, t, to)
	}
	p.line("VPERMILP%s $1, X%d, X%d", op[len(op)-1:], to, t)
	p.line("%[1]s X%[2]d, X%[3]d, X%[3]d", op, t, to)
	p.line("%s X%d, %s%d", p.e.broadcast, to, p.isa.reg, to)
}

// text writes the whole function.
func (p *program) text(slices int) []byte {
	p.allocate()
	p.out.Reset()
	lanes := p.isa.bytes / p.e.size
	fmt.Fprintf(&p.out, "\n// func %s(a *vectorArgs)\nTEXT ·%[1]s(SB), NOSPLIT, $0-8\n", p.name)
	p.line("MOVQ a+0(FP), AX")
	p.line("MOVQ %d(AX), CX", atN)
	p.line("MOVQ CX, DX")
	p.line("ANDQ $%d, DX", lanes-1)
	p.line("SUBQ DX, CX")
	p.line("SHLQ $%d, CX", bits.TrailingZeros(uint(p.e.size)))
	p.line("MOVQ CX, %d(AX)", atMain)
	if p.isa.wide {
		p.line("MOVQ DX, CX")
		p.line("MOVL $1, DX")
		p.line("SHLL CX, DX")
		p.line("DECL DX")
		p.line("KMOVW DX, K1")
	} else {
		p.line("LEAQ tails%s<>+32(SB), CX", p.e.name)
		p.line("SHLQ $%d, DX", bits.TrailingZeros(uint(p.e.size)))
		p.line("SUBQ DX, CX")
		p.line("%s (CX), Y15", p.suffix("VMOVU"))
	}
	for i := range slices {
		p.line("MOVQ %d(AX), %s", atPointer+8*i, pointers[i])
	}
	p.sections(0, 1)
	fmt.Fprint(&p.out, "row:\n")
	p.sections(1, len(p.loops))
	for i := range slices {
		p.line("ADDQ %d(AX), %s", atStride(i), pointers[i])
	}
	p.line("DECQ %d(AX)", atRows)
	p.line("JNZ row")
	p.line("VZEROUPPER")
	p.line("RET")
	return p.out.Bytes()
}

// sections writes the code of sections from to to.
func (p *program) sections(from, to int) {
	for s := from; s < to; s++ {
		if !p.loops[s] {
			p.body(s)
			continue
		}
		p.line("XORL CX, CX")
		p.line("CMPQ CX, %d(AX)", atMain)
		p.line("JGE tail%d", s)
		fmt.Fprintf(&p.out, "\tPCALIGN $32\npass%d:\n", s)
		p.body(s)
		p.line("ADDQ $%d, CX", p.isa.bytes)
		p.line("CMPQ CX, %d(AX)", atMain)
		p.line("JLT pass%d", s)
		fmt.Fprintf(&p.out, "tail%d:\n", s)
		p.line("TESTQ $%d, %d(AX)", p.isa.bytes/p.e.size-1, atN)
		p.line("JZ end%d", s)
		p.masked = true
		p.body(s)
		p.masked = false
		fmt.Fprintf(&p.out, "end%d:\n", s)
	}
}

func (p *program) body(section int) {
	for _, in := range p.code {
		if in.section == section {
			p.instr(in)
		}
	}
}

// vectors returns the assembly of all loops, their declarations, and those for
// machines without them.
func vectors(head string) (text, decls, other []byte) {
	var s, g, o bytes.Buffer
	fmt.Fprint(&s, head+"//go:build amd64 && !purego\n\n#include \"textflag.h\"\n")
	fmt.Fprint(&g, head+"//go:build amd64 && !purego\n\npackage kernel\n")
	fmt.Fprint(&o, head+"//go:build !amd64 || purego\n\npackage kernel\n")
	for _, e := range elems {
		pool := &constants{e: e}
		var code bytes.Buffer
		for _, l := range vectorLoops {
			if e.size == 8 && !l.double {
				continue
			}
			name := l.name + e.name
			for _, isa := range vectorISAs {
				p := newProgram(isa, e, pool)
				p.name = l.name + isa.name + e.name
				l.body(p)
				code.Write(p.text(l.slices))
				fmt.Fprintf(&g, "\n//go:noescape\nfunc %s(a *vectorArgs)\n", p.name)
			}
			fmt.Fprintf(&g, "\nfunc %s(a *vectorArgs) {\nif vectorLevel == levelAVX512 {\n%sAVX512%s(a)\n} else {\n%[2]sAVX2%[3]s(a)\n}\n}\n", name, l.name, e.name)
			fmt.Fprintf(&o, "\nfunc %s(a *vectorArgs) {}\n", name)
		}
		if len(pool.entries) > 0 {
			pool.write(&s)
		}
		fmt.Fprintln(&s)
		for i := range 64 / e.size {
			ones := map[bool]int{true: -1}[i < 32/e.size]
			fmt.Fprintf(&s, "DATA tails%s<>+%d(SB)/%d, $%d\n", e.name, i*e.size, e.size, ones)
		}
		fmt.Fprintf(&s, "GLOBL tails%s<>(SB), RODATA|NOPTR, $64\n", e.name)
		s.Write(code.Bytes())
	}
	return s.Bytes(), formatted(g.Bytes()), formatted(o.Bytes())
}

func formatted(src []byte) []byte {
	out, err := format.Source(src)
	if err != nil {
		log.Fatal(err)
	}
	return out
}
