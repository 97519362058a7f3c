package workloads

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// Cache is a folder of files that are derived from programs: initial
// parameters and batches, each written once, named by the hash of its recipe.
// Any number of processes may use one folder at the same time.
type Cache struct{ Dir string }

// CacheEnv is the environment variable that overrides DefaultCache's folder.
const CacheEnv = "DLBENCH_CACHE"

// DefaultCache is $DLBENCH_CACHE, or dlbench in the user's cache directory. Its
// folder is absolute: workers start in other folders.
func DefaultCache() (Cache, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return Cache{}, fmt.Errorf("%s=%s: no absolute path: %w; set it to one", CacheEnv, dir, err)
		}
		return Cache{Dir: abs}, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("no cache directory: %w; set %s to a folder", err, CacheEnv)
	}
	return Cache{Dir: filepath.Join(dir, "dlbench")}, nil
}

// maxBatchBytes bounds the batches of one program: all of them are resident.
const maxBatchBytes = 16 << 30

// Weights returns the path of a safetensors file with every parameter and
// buffer of p by name, F32, and writes it first if need be.
func (c Cache) Weights(p Program) (string, error) {
	name, entries := weightsFile(p)
	return c.file(name, entries, func(w io.Writer) error {
		for _, q := range p.Params {
			n, _ := elements(q.Shape)
			fill := p.initialValues(q)
			buf := make([]float32, min(n, 1<<16))
			for n > 0 {
				chunk := buf[:min(n, int64(len(buf)))]
				fill(chunk)
				if err := writeNumbers(w, chunk); err != nil {
					return err
				}
				n -= int64(len(chunk))
			}
		}
		return nil
	})
}

// Batches returns the path of a safetensors file with the batches of p: "x"
// [batches, batch, shape...], F32 or I32 (tokens), and "y" [batches, batch],
// I32, and writes it first if need be. With a dataDir they come from the data
// set in that folder; p must then be the program that WithDataset returned.
func (c Cache) Batches(p Program, dataDir string) (string, error) {
	n, _ := elements(p.Input.Shape)
	if total := float64(p.Data.Batches) * float64(p.Batch) * float64(n) * 4; total > maxBatchBytes {
		return "", fmt.Errorf("%s: %d batches of %d examples take %.0f GiB: expected at most %d; lower batch or batches", p.Name, p.Data.Batches, p.Batch, total/(1<<30), maxBatchBytes>>30)
	}
	src, err := openBatches(p, dataDir)
	if err != nil {
		return "", err
	}
	name, entries := batchesFile(p)
	return c.file(name, entries, func(w io.Writer) error {
		return src.write(w, p.Data.Batches*p.Batch, int(n))
	})
}

// write streams count examples of n elements each, then their labels.
func (src batchSource) write(w io.Writer, count, n int) error {
	if src.tokens != nil {
		x := make([]int32, n)
		for i := range count {
			src.tokens(i, x)
			if err := writeNumbers(w, x); err != nil {
				return err
			}
		}
	} else {
		x := make([]float32, n)
		for i := range count {
			src.float(i, x)
			if err := writeNumbers(w, x); err != nil {
				return err
			}
		}
	}
	y := make([]int32, count)
	for i := range y {
		y[i] = src.label(i)
	}
	return writeNumbers(w, y)
}

// file returns the path of the named file. A file that is there is used if its
// header and its content are what they should be, else it is written anew, to
// a temporary name first, so that no reader ever sees half a file.
func (c Cache) file(name string, entries []entry, content func(io.Writer) error) (string, error) {
	if c.Dir == "" {
		return "", errors.New("the cache has no folder")
	}
	path, err := filepath.Abs(filepath.Join(c.Dir, name))
	if err != nil {
		return "", err
	}
	if intact(path, entries) {
		return path, nil
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	if err := writeAtomically(path, entries, content); err != nil {
		return "", fmt.Errorf("cache: cannot write %s: %w", path, err)
	}
	remember(path)
	return path, nil
}

func writeAtomically(path string, entries []entry, content func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	// The header holds the digest of the data, which is known at the end: the
	// same header with zeros reserves its place.
	header, err := encodeHeader(entries, hex.EncodeToString(make([]byte, sha256.Size)))
	if err != nil {
		return err
	}
	sum := sha256.New()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.Write(header); err != nil {
		return err
	}
	if err := content(io.MultiWriter(w, sum)); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if header, err = encodeHeader(entries, hexSum(sum)); err != nil {
		return err
	}
	if _, err := f.WriteAt(header, 0); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// verified remembers the files whose content this process has already checked
// or written, by path, with size and time of change.
var verified sync.Map

type stamp struct{ size, mtime int64 }

func stampOf(path string) (stamp, bool) {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return stamp{}, false
	}
	return stamp{st.Size(), st.ModTime().UnixNano()}, true
}

func remember(path string) {
	if s, ok := stampOf(path); ok {
		verified.Store(path, s)
	}
}

// intact reports whether path holds exactly these entries and data of the
// digest that its header states.
func intact(path string, entries []entry) bool {
	now, ok := stampOf(path)
	if !ok {
		return false
	}
	if was, ok := verified.Load(path); ok && was == now {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	blank, err := encodeHeader(entries, hex.EncodeToString(make([]byte, sha256.Size)))
	if err != nil {
		return false
	}
	got := make([]byte, len(blank))
	if _, err := io.ReadFull(f, got); err != nil {
		return false
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false
	}
	want, err := encodeHeader(entries, hexSum(sum))
	if err != nil || !bytes.Equal(got, want) {
		return false
	}
	verified.Store(path, now)
	return true
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
