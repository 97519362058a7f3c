//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// hasDotBF16 tells VDPBF16PS where it is the faster way: on AMD's processors it does
// twice the work of a float32 multiply-add per cycle, on Intel's that were measured
// half of it, and those have AMX.
var hasDotBF16 = hasAVX512 && cpu.X86.HasAVX512BF16 && madeByAMD() && limit == ""

// hasAMX tells AMX with bfloat16 tiles, which the system has to grant.
var hasAMX = hasAVX512 && cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && limit == "" && grantAMX()

// amxConfig is the palette of LDTILECFG: eight tiles of 16 rows of 64 bytes.
var amxConfig = func() (c [64]byte) {
	c[0] = 1
	for t := range 8 {
		c[16+2*t], c[48+t] = 64, 16
	}
	return c
}()

// cpuid returns EBX, ECX and EDX of a leaf.
func cpuid(leaf uint32) (b, c, d uint32)

func madeByAMD() bool {
	b, c, d := cpuid(0)
	return b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163 // "AuthenticAMD"
}

var asm16 = []*tile16{
	{name: "AVX512-BF16", usable: hasDotBF16, mr: len(dotKernels) - 1, deep: 2, run: func(c *call16, rows int) { dotKernels[rows](c) }},
	{name: "AMX", usable: hasAMX && agrees(runAMX), mr: 32, deep: 32, contiguous: true, run: runAMX},
}

func runAMX(c *call16, _ int) { amxBF16(c, &amxConfig) }

var dotKernels = [...]func(*call16){
	nil, dotBF16x1, dotBF16x2, dotBF16x3, dotBF16x4, dotBF16x5, dotBF16x6, dotBF16x7,
	dotBF16x8, dotBF16x9, dotBF16x10, dotBF16x11, dotBF16x12, dotBF16x13, dotBF16x14,
}

// interleaveVector does the leading elements and says how many those are.
func interleaveVector(dst []uint32, low, high []uint16) int {
	n := len(dst) &^ 15
	if n == 0 || vectorLevel != levelAVX512 {
		return 0
	}
	interleaveAVX512(n/16, &dst[0], &low[0], &high[0])
	return n
}
