//go:build !amd64 || purego

package kernel

// Without assembly the portable loops do all elements.

func addVector[T Float](y, x []T) int           { return 0 }
func reluVector[T Float](y, x []T) int          { return 0 }
func reluBackVector[T Float](dx, dy, y []T) int { return 0 }

func momentumVector[T Float](p, g, v []T, momentum, gain, rate, tiny T) int { return 0 }

func adamVector[T Float](p, g, m, v []T, b1, c1, b2, c2, rate, root, eps, tiny T) int { return 0 }
