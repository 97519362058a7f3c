package results

import (
	"fmt"
	"io/fs"
	"os"
)

// OpenFile opens a regular file for reading. Anything else is refused in one line: a
// pipe would keep its reader waiting for a writer, and some devices never end.
func OpenFile(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: expected a regular file", path, kindOf(info.Mode()))
	}
	return os.Open(path)
}

// checkFolder refuses what is there and no folder.
func checkFolder(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is %s: expected the folder of a run", path, kindOf(info.Mode()))
	}
	return nil
}

// kindOf names a kind of file.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}
