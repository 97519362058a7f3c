//go:build !linux

package peak

// bind does nothing where threads cannot be bound to a CPU.
func bind(int) {}
