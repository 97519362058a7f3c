//go:build !amd64 || purego

package kernel

// Without assembly all columns are left to the portable loops.

func columnSumsVector[T Float](sum, x []T) int                                      { return 0 }
func columnSquaresVector[T Float](sum, x, mean []T) int                             { return 0 }
func columnDotsVector[T Float](sum, y, x, mean []T) int                             { return 0 }
func normalizeVector[T Float](y, x, mean, scale, shift []T) int                     { return 0 }
func normalizeBackVector[T Float](dx, dy, x, mean, scale, k0, k1 []T, acc bool) int { return 0 }

func maxPoolVector[T Float](y []T, from []int32, x []T, p *Pooling, ow int) int   { return 0 }
func maxPoolBackVector[T Float](dx, dy []T, from []int32, p *Pooling, ow int) int { return 0 }
