//go:build !(amd64 || arm64) || purego

package pool

import "sync/atomic"

// spin looks at word until it is other than seen, at most n times.
func spin(word *atomic.Uint64, seen uint64, n uint32) {
	for ; n > 0 && word.Load() == seen; n-- {
	}
}
