package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Machine is the part of the fingerprint that all runs on a machine share: the
// CPUs granted, the version of Go, the GPUs asked for and the environment of the
// workers are a run's own.
func (h Host) Machine() Host {
	h.Mask, h.Go, h.GPUs, h.Env = nil, "", nil, nil
	return h
}

// CalibrationPath is the calibration of a machine in the user's cache folder. Its
// name is a hash of the machine, for the folder may be shared between machines;
// the size of the memory is left out of it, because it is a little different
// after each boot.
func CalibrationPath(cache string, h Host) string {
	h = h.Machine()
	h.MemBytes, h.Flags = 0, sorted(h.Flags)
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(text)
	return filepath.Join(cache, "calibration", hex.EncodeToString(sum[:8])+".json")
}

// ReadCalibration reads the calibration of the machine from the cache folder; nil
// where there is none. A file that cannot be used is an error that names it.
func ReadCalibration(cache string, h Host) (*Calibration, error) {
	path := CalibrationPath(cache, h)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMeta+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c, err := ParseCalibration(data)
	if err != nil {
		return nil, fmt.Errorf("%s: not a calibration: %w; hint: remove it, and run dlbench calibrate again", path, err)
	}
	if diff := c.Host.Diff(h.Machine()); len(diff) > 0 {
		return nil, fmt.Errorf("%s: of another machine: %s (first value: the file's)", path, strings.Join(diff, "; "))
	}
	return &c, nil
}

// Encode is the content of a calibration file.
func (c Calibration) Encode() ([]byte, error) {
	c.Schema = Schema
	if err := c.valid(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	err := e.Encode(c)
	return b.Bytes(), err
}

// AddCalibration writes what an A/A run on host h showed into the cache folder,
// beside what is known of other cells, and returns the file. A file of no use is
// replaced.
func AddCalibration(cache string, h Host, r CalibrationRun) (string, error) {
	path := CalibrationPath(cache, h)
	known, err := ReadCalibration(cache, h)
	if err != nil || known == nil {
		known = &Calibration{Host: h.Machine()}
	}
	data, err := known.With(r).Encode()
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", diskError(path, err)
	}
	return path, writeAtomic(filepath.Dir(path), filepath.Base(path), data)
}

// position is an offset as line:column.
func position(data []byte, at int) string {
	before := data[:min(at, len(data))]
	return fmt.Sprintf("%d:%d", 1+bytes.Count(before, []byte("\n")), at-bytes.LastIndexByte(before, '\n'))
}
