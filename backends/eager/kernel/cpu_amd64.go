//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// What the kernels may use: the processor has it, and KernelsEnv does not
// forbid it.
var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA && allowed("avx2")
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && allowed("avx512")
)

// bestLevel is the fastest family of vector loops that this processor runs.
func bestLevel() level {
	switch {
	case hasAVX512:
		return levelAVX512
	case hasAVX2:
		return levelAVX2
	}
	return levelGo
}
