package results

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// errLocked is what lockHandle returns when another process holds the lock.
var errLocked = errors.New("locked")

// lock keeps a second run out of a folder. The kernel drops it with the
// process, so a killed run leaves no stale lock; the file's text only says who
// holds it.
type lock struct {
	file *os.File
	path string
}

// Lock keeps other processes that lock it out of a folder, until it is released
// or the process ends.
func Lock(dir string) (release func(), err error) {
	l, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}

// acquire locks dir or says who has locked it, at once.
func acquire(dir string) (*lock, error) {
	path := filepath.Join(dir, lockFile)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			return nil, diskError(path, err)
		}
		err = lockHandle(f)
		if errors.Is(err, errLocked) {
			defer f.Close()
			return nil, fmt.Errorf("%s is being written by %s; hint: wait for it, or choose another folder", dir, holder(f))
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: cannot lock: %w", path, err)
		}
		// The holder before us may have removed the file between our open and
		// our lock; then the lock guards nothing.
		mine, err1 := f.Stat()
		now, err2 := os.Stat(path)
		if err1 != nil || err2 != nil || !os.SameFile(mine, now) {
			f.Close()
			continue
		}
		l := &lock{f, path}
		if err := l.sign(); err != nil {
			l.release()
			return nil, diskError(path, err)
		}
		return l, nil
	}
}

// sign writes who holds the lock.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt(fmt.Appendf(nil, "process %d (started %s)\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339)), 0)
	return err
}

// holder reads what sign wrote.
func holder(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 200))
	line, whole := strings.CutSuffix(string(b), "\n")
	if !whole || !strings.HasPrefix(line, "process ") || strings.Contains(line, "\n") {
		return "another process"
	}
	return line
}

func (l *lock) release() {
	os.Remove(l.path)
	l.file.Close()
}
