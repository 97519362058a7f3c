//go:build unix

package results_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/resultstest"
)

// What is no file or folder is refused at once: a reader of a pipe would wait for
// its writer, and a device may never end.
func TestPipesAreRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := func(name string) string {
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// A run with a pipe in the place of one of its files.
	with := func(name string) string {
		run := write(t, resultstest.Run(resultstest.Config{Seed: 1, Rounds: 1, Cells: resultstest.Cells()[:2]}))
		path := filepath.Join(run, name)
		if err := os.Rename(pipe("of-"+name), path); err != nil {
			t.Fatal(err)
		}
		return run
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(path string) error {
		f, err := results.OpenFile(path)
		if err == nil {
			f.Close()
		}
		return err
	}
	read := func(path string) error {
		_, err := results.Read(path)
		return err
	}
	for _, test := range []struct {
		name, path, want string // want is empty where it opens
		how              func(string) error
	}{
		{"a file", file, "", open},
		{"a pipe", pipe("pipe"), "is a pipe: expected a regular file", open},
		{"a folder", dir, "is a folder: expected a regular file", open},
		{"a device", os.DevNull, "is a device: expected a regular file", open},
		{"nothing", filepath.Join(dir, "none"), "no such file", open},
		{"a run that is a pipe", pipe("run"), "is a pipe: expected the folder of a run", read},
		{"a run that is a file", file, "is a file: expected the folder of a run", read},
		{"a run that is a device", os.DevNull, "is a device: expected the folder of a run", read},
		{"a pipe for run.json", with("run.json"), "run.json is a pipe", read},
		{"a pipe for trials.jsonl", with("trials.jsonl"), "trials.jsonl is a pipe", read},
	} {
		t.Run(test.name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- test.how(test.path) }()
			select {
			case err := <-done:
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("error %v, want %q", err, test.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits for a writer")
			}
		})
	}
}
