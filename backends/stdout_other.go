//go:build !unix

package backends

import "os"

// TakeStdout returns standard output and lets os.Stdout write to standard
// error, so that what a library prints through package os cannot reach the
// protocol.
func TakeStdout() (*os.File, error) {
	private := os.Stdout
	os.Stdout = os.Stderr
	return private, nil
}
