//go:build (linux || darwin) && !race

package arena

import "golang.org/x/sys/unix"

// reserve returns that much address space, nil where the system gives none.
// Pages of it take memory once they are written.
func reserve(bytes int) []byte {
	b, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	return b
}

// release gives it back.
func release(b []byte) { _ = unix.Munmap(b) }
