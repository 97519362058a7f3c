package workloads

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// stream is a deterministic source of random numbers: ChaCha8 (the algorithm is
// fixed by Go's compatibility promise) keyed by SHA-256 of a label and a seed.
// It uses no floating-point function whose result may differ by platform.
type stream struct{ src *rand.ChaCha8 }

func newStream(label string, seed uint64, index ...uint64) stream {
	key := binary.LittleEndian.AppendUint64([]byte(label+"\x00"), seed)
	for _, i := range index {
		key = binary.LittleEndian.AppendUint64(key, i)
	}
	return stream{rand.NewChaCha8(sha256.Sum256(key))}
}

// unit is uniform in [-1, 1) with 24 bits, so that float32 holds it exactly.
func (s stream) unit() float64 {
	return float64(int64(s.src.Uint64()>>40)-1<<23) / (1 << 23)
}

// noise has mean 0 and variance 1: the sum of four uniforms (Irwin-Hall), a
// bell shape with integer arithmetic only.
func (s stream) noise() float64 {
	u := s.src.Uint64()
	sum := int64(u&0xffff) + int64(u>>16&0xffff) + int64(u>>32&0xffff) + int64(u>>48) - 2*0xffff
	const sd = 37837.2 // sqrt(4/12) x 65536
	return float64(sum) / sd
}

// below is uniform in [0, n), for n up to 2^31; the bias is under 2^-32.
func (s stream) below(n int) int {
	return int((s.src.Uint64() >> 32) * uint64(n) >> 32)
}
