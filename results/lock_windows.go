package results

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockHandle takes an exclusive lock that ends with the process. It locks a
// byte far behind the text, so that others can read who holds it.
func lockHandle(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL)
}
