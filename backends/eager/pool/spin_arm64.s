//go:build !purego

#include "textflag.h"

// func spin(word *atomic.Uint64, seen uint64, n uint32)
TEXT ·spin(SB), NOSPLIT, $0-20
	MOVD  word+0(FP), R0
	MOVD  seen+8(FP), R1
	MOVWU n+16(FP), R2
loop:
	LDAR (R0), R3
	CMP  R1, R3
	BNE  done
	YIELD
	SUBW $1, R2
	CBNZW R2, loop
done:
	RET
