//go:build amd64 && !purego

#include "textflag.h"

// func widenF16C(n int, dst *float32, src *uint16)
TEXT ·widenF16C(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
loop:
	VCVTPH2PS (SI), Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET

// func narrowF16C(n int, dst *uint16, src *float32)
TEXT ·narrowF16C(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
loop:
	VMOVUPS (SI), Y0
	VCVTPS2PH $0, Y0, (DI) // to nearest, ties to even, whatever MXCSR says
	ADDQ $32, SI
	ADDQ $16, DI
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET

// func widenBF16AVX2(n int, dst *float32, src *uint16)
TEXT ·widenBF16AVX2(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
loop:
	VPMOVZXWD (SI), Y0
	VPSLLD $16, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET

// func narrowBF16AVX2(n int, dst *uint16, src *float32)
TEXT ·narrowBF16AVX2(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $31, Y15, Y14 // 1
	VPSRLD $17, Y15, Y13 // 0x7fff
	VPSLLD $6, Y14, Y12  // 0x40, which makes a NaN quiet
loop:
	VMOVUPS (SI), Y0
	VPSRLD $16, Y0, Y1
	VPAND Y14, Y1, Y2    // the last place that stays
	VPADDD Y13, Y2, Y2
	VPADDD Y0, Y2, Y2
	VPSRLD $16, Y2, Y2
	VPOR Y12, Y1, Y1
	VCMPPS $3, Y0, Y0, Y3 // NaN
	VBLENDVPS Y3, Y1, Y2, Y2
	VEXTRACTI128 $1, Y2, X3
	VPACKUSDW X3, X2, X2
	VMOVDQU X2, (DI)
	ADDQ $32, SI
	ADDQ $16, DI
	SUBQ $8, CX
	JNZ loop
	VZEROUPPER
	RET
