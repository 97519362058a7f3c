package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// The files of a run's folder.
const (
	metaFile   = "run.json"
	trialsFile = "trials.jsonl"
	lockFile   = "lock" // while a run is being written
	tempSuffix = ".tmp"
)

// The reports that stand beside a run once it has ended, and what is left of
// one that was not written to its end.
var (
	reportFiles = []string{"report.html", "report.md"}
	leftovers   = []string{metaFile, trialsFile, lockFile, "report.html.partial", "report.md.partial"}
)

// NewDirName proposes a folder name for a run of a suite begun at t, such as
// quick-20261120T080000Z. It holds only letters, digits, hyphens and dots, so
// that it is a file name on every system (no colon).
func NewDirName(suite string, t time.Time) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, suite)
	if clean = strings.Trim(clean, "-."); clean == "" {
		clean = "run"
	}
	return clean + "-" + t.UTC().Format("20060102T150405Z")
}

// Create makes dir, which must not exist, be empty or hold nothing but leftovers
// of a run that never began, writes run.json and locks the folder until Close.
// A folder that holds a run already is refused in the words of that run.
func Create(dir string, m Meta) (*Journal, error) {
	m.Schema = Schema
	data, err := encodeMeta(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, metaFile), err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, diskError(dir, err)
	}
	if !exists(dir, metaFile) {
		if err := checkOurs(dir); err != nil {
			return nil, err
		}
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	if err := checkNoRun(dir); err != nil {
		l.release()
		return nil, err
	}
	if err := writeAtomic(dir, metaFile, data); err != nil {
		l.release()
		return nil, err
	}
	return openJournal(dir, m, l, 0)
}

// checkNoRun refuses a folder that holds a run, or the trials of one.
func checkNoRun(dir string) error {
	if exists(dir, metaFile) {
		m, err := readMeta(filepath.Join(dir, metaFile))
		if err != nil {
			return fmt.Errorf("%s holds a run already, which cannot be read: %w; hint: choose another folder", dir, err)
		}
		return fmt.Errorf("%s holds a run already (suite %s, started %s): add --resume to go on with it, or choose another folder", dir, m.Suite, m.Started)
	}
	if exists(dir, trialsFile) {
		return fmt.Errorf("%s holds the trials of a run (%s) without its %s: choose another folder", dir, trialsFile, metaFile)
	}
	return nil
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// checkOurs refuses a folder that holds something else than a run.
func checkOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := strings.TrimSuffix(e.Name(), tempSuffix); {
		case slices.Contains(leftovers, name):
		case slices.Contains(reportFiles, name):
			return fmt.Errorf("%s holds %q of some run, which a new run would replace; hint: choose a new or empty folder", dir, e.Name())
		default:
			return fmt.Errorf("%s is not empty and holds %q, which is no part of a run; hint: choose a new or empty folder", dir, e.Name())
		}
	}
	return nil
}

// encodeMeta is the content of run.json.
func encodeMeta(m Meta) ([]byte, error) {
	for _, c := range m.Cells {
		if err := c.Validate(); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// writeAtomic writes a file so that a reader, or a crash, sees all of it or
// nothing.
func writeAtomic(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	temp := path + tempSuffix
	err := func() error {
		f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.Write(data); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		return os.Rename(temp, path)
	}()
	if err != nil {
		os.Remove(temp)
		return diskError(path, err)
	}
	return syncDir(dir)
}

// syncDir makes a file's entry in its folder durable. Not every file system
// can; one that cannot has nothing to be told.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); errors.Is(err, syscall.ENOSPC) {
		return diskError(dir, err)
	}
	return nil
}

// diskError says "disk full" in words where that is the cause.
func diskError(path string, err error) error {
	if isDiskFull(err) {
		return fmt.Errorf("%s: disk full: %w", path, err)
	}
	return fmt.Errorf("%s: cannot write: %w", path, err)
}
