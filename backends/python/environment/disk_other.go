//go:build !unix

package environment

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Free is not known on this system.
func Free(string) (int64, error) { return 0, errors.ErrUnsupported }

// sameDisk is not known on this system.
func sameDisk(_, _ string) bool { return false }

// usage is the size of all files below dir.
func usage(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
