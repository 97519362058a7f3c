// Package python holds the worker of the frameworks that are used from Python:
// one worker.py with the protocol and the timing loop, and a small file per
// framework. The files travel inside this binary and are written to the user's
// cache before the first worker starts.
package python

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// By pattern, so that what Python compiled beside them stays out; a test holds
// the patterns to the folders that there are.
//
//go:embed worker/*.py worker/dlworker/*.py worker/dlworker/frameworks/*.py
var embedded embed.FS

// files are the worker's files by slash-separated path, and the hash of all.
var files = sync.OnceValues(func() (map[string][]byte, string) { return collect(embedded, "worker") })

// collect reads every Python file below root. The hash covers names and
// contents, in the order of the walk, which is sorted.
func collect(fsys fs.FS, root string) (map[string][]byte, string) {
	found := map[string][]byte{}
	sum := sha256.New()
	err := fs.WalkDir(fsys, root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".py") {
			return err
		}
		text, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		fmt.Fprintf(sum, "%s %d\n", name, len(text))
		sum.Write(text)
		found[name] = text
		return nil
	})
	if err != nil { // of files inside this binary
		panic(err)
	}
	return found, hex.EncodeToString(sum.Sum(nil))[:16]
}

// Folder is where Write puts the files of this binary's workers: each version
// of them has a folder of its own, so that a running worker never sees its
// files change.
func Folder(cache string) string {
	_, hash := files()
	return filepath.Join(cache, "workers", hash)
}

// Write puts the worker's files into Folder(cache), unless they are there, and
// returns that folder. Any number of processes may do so at the same time.
func Write(cache string) (string, error) {
	folder := Folder(cache)
	all, _ := files()
	if intact(folder, all) {
		return folder, nil
	}
	if err := write(folder, all); err != nil {
		return "", fmt.Errorf("the worker's files cannot be written to %s: %w", folder, err)
	}
	return folder, nil
}

// intact reports whether folder holds every file, byte for byte: a disk that
// was full or a machine that lost its power may have left less.
func intact(folder string, all map[string][]byte) bool {
	for name, text := range all {
		there, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(there, text) {
			return false
		}
	}
	return true
}

// write makes the folder beside its place and renames it.
func write(folder string, all map[string][]byte) error {
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(folder)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	for name, text := range all {
		path := filepath.Join(temp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	if os.Rename(temp, folder) == nil {
		return nil
	}
	// Something is there: another process was first, or the folder is damaged.
	if intact(folder, all) {
		return nil
	}
	old := temp + "-damaged"
	defer os.RemoveAll(old)
	if err := os.Rename(folder, old); err != nil {
		return err
	}
	if err := os.Rename(temp, folder); err != nil && !intact(folder, all) {
		return err
	}
	return nil
}
