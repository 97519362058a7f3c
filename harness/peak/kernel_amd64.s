//go:build amd64 && !purego

#include "textflag.h"

// Each loop makes two multiply-adds acc = acc*a + b on each of twelve
// accumulators, in registers 0 to 11; a is in register 12, b in 13. See kernel.

#define ZEROZ(OP) \
	OP Z0, Z0, Z0; \
	OP Z1, Z1, Z1; \
	OP Z2, Z2, Z2; \
	OP Z3, Z3, Z3; \
	OP Z4, Z4, Z4; \
	OP Z5, Z5, Z5; \
	OP Z6, Z6, Z6; \
	OP Z7, Z7, Z7; \
	OP Z8, Z8, Z8; \
	OP Z9, Z9, Z9; \
	OP Z10, Z10, Z10; \
	OP Z11, Z11, Z11

#define FMASZ(OP) \
	OP Z13, Z12, Z0; \
	OP Z13, Z12, Z1; \
	OP Z13, Z12, Z2; \
	OP Z13, Z12, Z3; \
	OP Z13, Z12, Z4; \
	OP Z13, Z12, Z5; \
	OP Z13, Z12, Z6; \
	OP Z13, Z12, Z7; \
	OP Z13, Z12, Z8; \
	OP Z13, Z12, Z9; \
	OP Z13, Z12, Z10; \
	OP Z13, Z12, Z11

#define STOREZ(OP) \
	OP Z0, 0(DI); \
	OP Z1, 64(DI); \
	OP Z2, 128(DI); \
	OP Z3, 192(DI); \
	OP Z4, 256(DI); \
	OP Z5, 320(DI); \
	OP Z6, 384(DI); \
	OP Z7, 448(DI); \
	OP Z8, 512(DI); \
	OP Z9, 576(DI); \
	OP Z10, 640(DI); \
	OP Z11, 704(DI)

#define ZEROY(OP) \
	OP Y0, Y0, Y0; \
	OP Y1, Y1, Y1; \
	OP Y2, Y2, Y2; \
	OP Y3, Y3, Y3; \
	OP Y4, Y4, Y4; \
	OP Y5, Y5, Y5; \
	OP Y6, Y6, Y6; \
	OP Y7, Y7, Y7; \
	OP Y8, Y8, Y8; \
	OP Y9, Y9, Y9; \
	OP Y10, Y10, Y10; \
	OP Y11, Y11, Y11

#define FMASY(OP) \
	OP Y13, Y12, Y0; \
	OP Y13, Y12, Y1; \
	OP Y13, Y12, Y2; \
	OP Y13, Y12, Y3; \
	OP Y13, Y12, Y4; \
	OP Y13, Y12, Y5; \
	OP Y13, Y12, Y6; \
	OP Y13, Y12, Y7; \
	OP Y13, Y12, Y8; \
	OP Y13, Y12, Y9; \
	OP Y13, Y12, Y10; \
	OP Y13, Y12, Y11

#define STOREY(OP) \
	OP Y0, 0(DI); \
	OP Y1, 32(DI); \
	OP Y2, 64(DI); \
	OP Y3, 96(DI); \
	OP Y4, 128(DI); \
	OP Y5, 160(DI); \
	OP Y6, 192(DI); \
	OP Y7, 224(DI); \
	OP Y8, 256(DI); \
	OP Y9, 288(DI); \
	OP Y10, 320(DI); \
	OP Y11, 352(DI)

// func fmaAVX512F32(n int, a, b float32, out *float32)
TEXT ·fmaAVX512F32(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	VBROADCASTSS a+8(FP), Z12
	VBROADCASTSS b+12(FP), Z13
	MOVQ out+16(FP), DI
	ZEROZ(VPXORQ)
	TESTQ CX, CX
	JLE done
	PCALIGN $32
loop:
	FMASZ(VFMADD213PS)
	FMASZ(VFMADD213PS)
	DECQ CX
	JNZ loop
done:
	STOREZ(VMOVUPS)
	VZEROUPPER
	RET

// func fmaAVX512F64(n int, a, b float64, out *float64)
TEXT ·fmaAVX512F64(SB), NOSPLIT, $0-32
	MOVQ n+0(FP), CX
	VBROADCASTSD a+8(FP), Z12
	VBROADCASTSD b+16(FP), Z13
	MOVQ out+24(FP), DI
	ZEROZ(VPXORQ)
	TESTQ CX, CX
	JLE done
	PCALIGN $32
loop:
	FMASZ(VFMADD213PD)
	FMASZ(VFMADD213PD)
	DECQ CX
	JNZ loop
done:
	STOREZ(VMOVUPD)
	VZEROUPPER
	RET

// func fmaAVX2F32(n int, a, b float32, out *float32)
TEXT ·fmaAVX2F32(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	VBROADCASTSS a+8(FP), Y12
	VBROADCASTSS b+12(FP), Y13
	MOVQ out+16(FP), DI
	ZEROY(VXORPS)
	TESTQ CX, CX
	JLE done
	PCALIGN $32
loop:
	FMASY(VFMADD213PS)
	FMASY(VFMADD213PS)
	DECQ CX
	JNZ loop
done:
	STOREY(VMOVUPS)
	VZEROUPPER
	RET

// func fmaAVX2F64(n int, a, b float64, out *float64)
TEXT ·fmaAVX2F64(SB), NOSPLIT, $0-32
	MOVQ n+0(FP), CX
	VBROADCASTSD a+8(FP), Y12
	VBROADCASTSD b+16(FP), Y13
	MOVQ out+24(FP), DI
	ZEROY(VXORPD)
	TESTQ CX, CX
	JLE done
	PCALIGN $32
loop:
	FMASY(VFMADD213PD)
	FMASY(VFMADD213PD)
	DECQ CX
	JNZ loop
done:
	STOREY(VMOVUPD)
	VZEROUPPER
	RET
