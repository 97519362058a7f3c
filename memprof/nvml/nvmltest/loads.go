//go:build linux && (amd64 || arm64) && !nonvml

package nvmltest

// loads reports whether package nvml can load a library in this build.
const loads = true
