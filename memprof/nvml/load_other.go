//go:build !linux || !(amd64 || arm64) || nonvml

package nvml

import (
	"fmt"
	"runtime"
)

// load knows no library here: workers are measured on Linux alone, and with the
// build tag nonvml the binary must not need glibc's loader.
func load(string) (*api, error) {
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		return nil, fmt.Errorf("NVML was left out of this binary (build tag nonvml): %w", errNotThere)
	}
	return nil, fmt.Errorf("NVML is asked on linux, amd64 and arm64, only: %w", errNotThere)
}
