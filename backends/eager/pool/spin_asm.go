//go:build (amd64 || arm64) && !purego

package pool

import "sync/atomic"

// spin looks at word until it is other than seen, at most n times, with a pause of
// the processor after each look.
//
//go:noescape
func spin(word *atomic.Uint64, seen uint64, n uint32)
