package environment

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// errHeld says that another process makes or removes the same environment.
var errHeld = errors.New("held by another process")

// lockPath is the file whose lock is held while the environment is changed. It
// stays: a lock on a file that was removed guards nothing.
func (s Store) lockPath(r Ref) string { return filepath.Join(s.Dir, "."+r.String()+".lock") }

// hold takes the environment's lock; it ends when the file is closed, here and
// in every command that inherited it, or when these processes end. While others
// hold it, waiting is told of once, with the process that has it.
func (s Store) hold(ctx context.Context, r Ref, waiting func(process string)) (*os.File, error) {
	for first := true; ; first = false {
		f, err := s.tryHold(r)
		if !errors.Is(err, errHeld) {
			return f, err
		}
		if first && waiting != nil {
			waiting(s.holder(r))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tryHold takes the lock or returns errHeld.
func (s Store) tryHold(r Ref) (*os.File, error) {
	f, err := os.OpenFile(s.lockPath(r), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, err
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return f, nil
}

// holder is the process that wrote itself into the lock, "unknown" if none did.
func (s Store) holder(r Ref) string {
	f, err := os.Open(s.lockPath(r))
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 20))
	if _, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
