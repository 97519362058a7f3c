//go:build !linux

package pool

import "runtime"

// yield lets another goroutine have the processor.
func yield() { runtime.Gosched() }

// granted is the number of processors.
func granted() int { return runtime.NumCPU() }
