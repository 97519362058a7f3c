//go:build !purego

#include "textflag.h"

// func spin(word *atomic.Uint64, seen uint64, n uint32)
TEXT ·spin(SB), NOSPLIT, $0-20
	MOVQ word+0(FP), AX
	MOVQ seen+8(FP), BX
	MOVL n+16(FP), CX
loop:
	CMPQ (AX), BX
	JNE  done
	PAUSE
	DECL CX
	JNZ  loop
done:
	RET
