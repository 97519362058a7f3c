package main

import (
	"os"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends/python/environment"
)

// A small disk for temporary files is told before pip fills it.
func TestSetupLooksAtTheDiskOfDownloads(t *testing.T) {
	store := environment.In(t.TempDir())
	other, err := os.MkdirTemp("/dev/shm", "dlbench")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	defer os.RemoveAll(other)
	t.Setenv("TMPDIR", other)
	steps := []environment.Step{{
		Ref: environment.Ref{Name: "pytorch"}, Spec: environment.Spec{Name: "pytorch", Download: 3e9, Disk: 5e9}, Tool: environment.Tool{Name: "pip"},
	}}
	if len(environment.Elsewhere(t.Context(), steps, store.Dir)) == 0 {
		t.Skip("/dev/shm is on the disk of temporary files")
	}
	defer func() { freeSpace = environment.Free }()
	for _, tc := range []struct {
		free int64
		want string
	}{
		{1e9, other + " cannot hold pip's downloads: up to 3.0 GB are needed and 1.0 GB are free; free some, name fewer frameworks, or set TMPDIR to a folder on another disk"},
		{4e9, ""},
	} {
		freeSpace = func(dir string) (int64, error) {
			if dir == other {
				return tc.free, nil
			}
			return 1e12, nil
		}
		var said strings.Builder
		err := announce(t.Context(), &said, store, steps)
		if err != nil && err.Error() != tc.want || err == nil && tc.want != "" {
			t.Errorf("%v, want %q", err, tc.want)
		}
		if !strings.Contains(said.String(), "on another disk: pip's downloads in "+other) {
			t.Errorf("said %q", said.String())
		}
	}
}
