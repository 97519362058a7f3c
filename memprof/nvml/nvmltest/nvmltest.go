// Package nvmltest compiles a stand-in for NVIDIA's management library, for
// tests on machines without a GPU. It is imported by tests only.
package nvmltest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed testdata/nvml.c
var source []byte

// Build compiles the library and returns its path, whose last part is the name
// under which drivers install it: its folder may stand in LD_LIBRARY_PATH. What
// it answers is said by the environment variable FAKE_NVML, described in its
// source. flags go to the compiler: -DOLD leaves out what old drivers lack. The
// test is skipped where there is no C compiler, and where nothing can be loaded.
func Build(t testing.TB, flags ...string) string {
	t.Helper()
	if !loads {
		t.Skip("this build loads no NVML")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler (cc) to build the stand-in for NVML")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "nvml.c"), filepath.Join(dir, "libnvidia-ml.so.1")
	if err := os.WriteFile(in, source, 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", out, in}, flags...)
	if text, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, text)
	}
	return out
}
