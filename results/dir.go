package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
func Create(dir string, m Meta) (*Journal, error) {
	m.Schema = Schema
	data, err := encodeMeta(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, metaFile), err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, diskError(dir, err)
	}
	if err := checkOurs(dir); err != nil {
		return nil, err
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{metaFile, trialsFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			l.release()
			return nil, fmt.Errorf("%s already holds a run (%s); hint: resume it, or choose another folder", dir, name)
		}
	}
	if err := writeAtomic(dir, metaFile, data); err != nil {
		l.release()
		return nil, err
	}
	return openJournal(dir, m, l, 0)
}

// Resume opens an interrupted run for more records. It refuses, naming each
// field with both values, where suite, plan, binary, cells, policy, baseline
// or host are not those of m; the run keeps the run.json it has. A torn last
// line is cut off.
func Resume(dir string, m Meta) (*Journal, Run, error) {
	if _, err := os.Lstat(filepath.Join(dir, metaFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, Run{}, fmt.Errorf("%s: no run to resume (no %s)", dir, metaFile)
		}
		return nil, Run{}, err
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, Run{}, err
	}
	run, whole, err := read(dir)
	if err == nil {
		if changed := changes(run.Meta, m); len(changed) > 0 {
			err = fmt.Errorf("%s: cannot resume: %s (first value: the run's, second: now); hint: start a new run", dir, strings.Join(changed, "; "))
		}
	}
	if err != nil {
		l.release()
		return nil, Run{}, err
	}
	j, err := openJournal(dir, run.Meta, l, whole)
	if err != nil {
		return nil, Run{}, err
	}
	return j, run, nil
}

// changes lists what makes a resumed run another run.
func changes(was, now Meta) []string {
	var c []string
	text := func(field, a, b string) {
		if a != b {
			c = append(c, fmt.Sprintf("%s changed: %q, %q", field, a, b))
		}
	}
	text("suite", was.Suite, now.Suite)
	text("plan", was.Plan, now.Plan)
	text("binary", was.Binary, now.Binary)
	text("baseline", was.Baseline, now.Baseline)
	if !slices.Equal(was.Cells, now.Cells) {
		a, b := missing(was.Cells, now.Cells), missing(now.Cells, was.Cells)
		c = append(c, fmt.Sprintf("cells changed: %d, %d (only in the run: %s; only now: %s)", len(was.Cells), len(now.Cells), a, b))
	}
	pa, _ := json.Marshal(was.Policy)
	pb, _ := json.Marshal(now.Policy)
	text("policy", string(pa), string(pb))
	for _, d := range was.Host.Diff(now.Host) {
		c = append(c, "host changed: "+d)
	}
	return c
}

// missing names the first cell of a that b lacks.
func missing(a, b []Cell) string {
	for _, c := range a {
		if !slices.Contains(b, c) {
			return c.Name()
		}
	}
	return "none"
}

// checkOurs refuses a folder that holds something else than a run.
func checkOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), tempSuffix)
		if name != metaFile && name != trialsFile && name != lockFile {
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
