package peak

// portable is the kernel without vectors: eight sums that do not wait for each
// other.
func portable[T float32 | float64]() kernel[T] {
	return kernel[T]{name: "go", lanes: 8, steps: 1, run: runPortable[T]}
}

func runPortable[T float32 | float64](n int, a, b T, out []T) {
	var s0, s1, s2, s3, s4, s5, s6, s7 T
	for range n {
		s0 = s0*a + b
		s1 = s1*a + b
		s2 = s2*a + b
		s3 = s3*a + b
		s4 = s4*a + b
		s5 = s5*a + b
		s6 = s6*a + b
		s7 = s7*a + b
	}
	copy(out, []T{s0, s1, s2, s3, s4, s5, s6, s7})
}
