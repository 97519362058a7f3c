package results

import (
	"io/fs"
	"path/filepath"
)

// Find lists the folders of runs in dir and below, in lexical order. A run's own
// folder is not searched for more. Folders that cannot be read, and links, are
// passed over; only dir itself must be there.
func Find(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == dir:
			return err
		case err != nil:
			return fs.SkipDir
		case d.IsDir() && exists(path, metaFile):
			found = append(found, path)
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}
