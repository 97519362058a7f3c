//go:build !linux

package harness

import "time"

// cpuTime of another process cannot be read in nanoseconds on this system.
func cpuTime(int) time.Duration { return 0 }
