//go:build unix

package environment

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Free is how many bytes a user may still write below dir, or below its nearest
// parent that exists.
func Free(dir string) (int64, error) {
	for {
		var s syscall.Statfs_t
		err := syscall.Statfs(dir, &s)
		if err == nil {
			return int64(s.Bavail) * int64(s.Bsize), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir || !os.IsNotExist(err) {
			return 0, err
		}
		dir = parent
	}
}

// sameDisk reports whether two folders, or their nearest parents that exist, are
// on one file system.
func sameDisk(a, b string) bool {
	device := func(dir string) (uint64, bool) {
		for {
			var s syscall.Stat_t
			if syscall.Stat(dir, &s) == nil {
				return uint64(s.Dev), true
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				return 0, false
			}
			dir = parent
		}
	}
	of, okA := device(a)
	other, okB := device(b)
	return okA && okB && of == other
}

// usage is how many bytes the files below dir take on disk; a file with several
// names counts once.
func usage(dir string) (int64, error) {
	var total int64
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s, ok := info.Sys().(*syscall.Stat_t)
		if !ok || s.Nlink > 1 && !d.IsDir() && seen[uint64(s.Ino)] {
			return nil
		}
		seen[uint64(s.Ino)] = true
		total += int64(s.Blocks) * 512
		return nil
	})
	return total, err
}
