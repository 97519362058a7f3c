//go:build linux

package environment

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// memoryDisk is a folder on another file system than the test's own.
func memoryDisk(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "dlbench")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if sameDisk(dir, t.TempDir()) {
		t.Skip("/dev/shm is on the disk of temporary files")
	}
	return dir
}

func TestElsewhere(t *testing.T) {
	here, other := t.TempDir(), memoryDisk(t)
	uv := filepath.Join(here, "uv")
	if err := os.WriteFile(uv, []byte("#!/bin/sh\necho \"$UV_CACHE_DIR\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	step := func(name, tool string, download, disk int64) Step {
		return Step{Ref: Ref{Name: name}, Spec: Spec{Name: name, Download: download, Disk: disk}, Tool: Tool{Name: tool, path: uv}}
	}
	pip := []Step{step("a", "pip", 100, 300), step("b", "pip", 200, 400)}
	byUV := []Step{step("a", "uv", 100, 300), step("b", "uv", 200, 400)}
	for name, tc := range map[string]struct {
		steps       []Step
		temp, cache string
		want        []Place
	}{
		"pip, one disk": {pip, here, other, nil},
		"pip, two":      {pip, other, here, []Place{{other, "pip's downloads", "TMPDIR", 200}}},
		"uv, one disk":  {byUV, other, here, nil},
		"uv, two":       {byUV, here, filepath.Join(other, "new"), []Place{{filepath.Join(other, "new"), "uv's cache", "UV_CACHE_DIR", 700}}},
		"nothing to do": {nil, other, other, nil},
	} {
		t.Setenv("TMPDIR", tc.temp)
		t.Setenv("UV_CACHE_DIR", tc.cache)
		if got := Elsewhere(t.Context(), tc.steps, filepath.Join(here, "environments")); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
