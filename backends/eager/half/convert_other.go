//go:build !amd64 || purego

package half

var useVectors = false

// Without assembly the portable loops do all elements.

func (f Format) widenVector(dst []float32, src []uint16) int { return 0 }

func (f Format) narrowVector(dst []uint16, src []float32) int { return 0 }
