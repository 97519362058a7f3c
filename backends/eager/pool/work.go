package pool

// The least work for which a thread is worth having. Two of these take about 2 us
// on one thread, and handing a part to another costs 0.3 us.
const (
	// LeastProducts is multiply-adds of a matrix product: 0.75 us at the 175 GFLOP/s
	// of AVX-512 on one core.
	LeastProducts = 1 << 16
	// LeastElements is elements of a loop with a few operations each, of which 12 bytes
	// are read or written.
	LeastElements = 1 << 13
)

// Parts is how many parts work is best cut into, each of at least least: all of
// the pool's threads where there is enough, and 1 where a second does not pay.
func (p *Pool) Parts(work, least int) int {
	return max(1, min(p.threads, work/max(least, 1)))
}
