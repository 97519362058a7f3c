package workloads

import "math"

// Fingerprint condenses a tensor into two numbers that travel on the wire. The
// norm alone does not see a permuted tensor; the projection does.
type Fingerprint struct {
	Norm float64 `json:"norm"` // Euclidean norm
	Proj float64 `json:"proj"` // dot product with the sign sequence of Sign
}

// Sign returns the i-th element of the fixed sequence of +1 and -1 that
// Fingerprint projects on: the top bit of splitmix64's i-th output from seed 0
// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func Sign(i int) float64 {
	z := (uint64(i) + 1) * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	if z>>63 == 1 {
		return -1
	}
	return 1
}

// FingerprintOf condenses data, given in canonical layout, row-major.
func FingerprintOf[T float32 | float64](data []T) Fingerprint {
	var sum, proj float64
	for i, v := range data {
		x := float64(v)
		sum += x * x
		proj += Sign(i) * x
	}
	return Fingerprint{Norm: math.Sqrt(sum), Proj: proj}
}
