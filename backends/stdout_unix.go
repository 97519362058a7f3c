//go:build unix

package backends

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// TakeStdout moves the process's standard output to a private descriptor and
// points descriptor 1 at standard error, so that whatever a library prints
// cannot reach the protocol. Children do not inherit the private descriptor.
func TakeStdout() (*os.File, error) {
	private, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate standard output: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("point standard output at standard error: %w", err)
	}
	return os.NewFile(uintptr(private), "protocol"), nil
}
