//go:build !linux

package main

import "os"

// columns is not asked for on this system: tables take their natural width.
func columns(*os.File) int { return 0 }

// isTerminalFile reports whether f is a character device.
func isTerminalFile(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
