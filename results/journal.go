package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// maxLine bounds a line of trials.jsonl. A memory timeline at 10 ms is the
// largest part of a record: 35 bytes per point, 13 MB per hour.
const maxLine = 64 << 20

// Journal appends records to a locked run. It is safe for concurrent use.
type Journal struct {
	dir     string
	planned map[Cell]bool
	lock    *lock

	mu     sync.Mutex
	file   trialsWriter
	size   int64 // of the whole lines
	broken error // set once the file can no longer be trusted
}

// trialsWriter is the part of *os.File that a Journal needs; tests make it fail.
type trialsWriter interface {
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// openJournal opens trials.jsonl, cut to its whole lines. It takes over l.
func openJournal(dir string, m Meta, l *lock, whole int64) (*Journal, error) {
	path := filepath.Join(dir, trialsFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		if err = f.Truncate(whole); err != nil {
			f.Close()
		}
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		l.release()
		return nil, diskError(path, err)
	}
	return &Journal{dir: dir, planned: cellSet(m.Cells), lock: l, file: f, size: whole}, nil
}

func cellSet(cells []Cell) map[Cell]bool {
	s := make(map[Cell]bool, len(cells))
	for _, c := range cells {
		s[c] = true
	}
	return s
}

// Append writes one record as one line and returns when it is on disk. Where
// that fails, the file is cut back to the whole lines before it. Values that
// JSON cannot carry (NaN, infinities) are dropped and named in the check's
// reason.
func (j *Journal) Append(r Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	path := filepath.Join(j.dir, trialsFile)
	if j.broken != nil {
		return j.broken
	}
	r.Schema = Schema
	if err := r.valid(j.planned); err != nil {
		return fmt.Errorf("%s: refused a record: %w", path, err)
	}
	line, err := json.Marshal(finite(r))
	if err != nil {
		return fmt.Errorf("%s: refused a record of %s: %w", path, r.Cell.Name(), err)
	}
	line = append(line, '\n')
	if len(line) > maxLine {
		return fmt.Errorf("%s: refused a record of %s: %d bytes, the limit is %d", path, r.Cell.Name(), len(line), maxLine)
	}
	_, err = j.file.WriteAt(line, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		err = diskError(path, err)
		if cut := errors.Join(j.file.Truncate(j.size), j.file.Sync()); cut != nil {
			j.broken = fmt.Errorf("%w; and the torn line could not be cut off: %w", err, cut)
			return j.broken
		}
		return err
	}
	j.size += int64(len(line))
	return nil
}

// Close unlocks the folder. The journal cannot be used afterwards.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lock == nil {
		return nil
	}
	err := j.file.Close()
	j.lock.release()
	j.lock = nil
	j.broken = fmt.Errorf("%s: the journal is closed", j.dir)
	return err
}

// finite is r without the values that JSON cannot carry.
func finite(r Record) Record {
	if r.Loss != nil && !isFinite(*r.Loss) {
		r.Loss = nil
	}
	r.Check, r.FinalCheck = finiteCheck(r.Check), finiteCheck(r.FinalCheck)
	return r
}

func finiteCheck(c *Check) *Check {
	if c == nil {
		return nil
	}
	d := *c
	var dropped []string
	for _, f := range []struct {
		name  string
		value *float64
	}{{"got", &d.Got}, {"want", &d.Want}, {"error", &d.Error}, {"ceiling", &d.Ceiling}, {"floor", &d.Floor}} {
		if !isFinite(*f.value) {
			dropped = append(dropped, fmt.Sprintf("%s is %v", f.name, *f.value))
			*f.value = 0
		}
	}
	if i := slices.IndexFunc(d.Losses, func(l float64) bool { return !isFinite(l) }); i >= 0 {
		dropped = append(dropped, fmt.Sprintf("loss %d is %v", i+1, d.Losses[i]))
		d.Losses = d.Losses[:i]
	}
	if dropped == nil {
		return c
	}
	if d.Reason != "" {
		d.Reason += "; "
	}
	d.Reason += strings.Join(dropped, ", ")
	return &d
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
