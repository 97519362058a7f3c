//go:build !amd64 || purego

package kernel

// Machines without assembly here multiply bfloat16 in portable Go.
var asm16 []*tile16

func interleaveVector(dst []uint32, low, high []uint16) int { return 0 }
