package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

// child in the environment makes the test binary the program itself: which kernels
// are forced is decided when a process starts.
const child = "GEMMSPEED_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		main()
	}
	os.Exit(m.Run())
}

// Kernels that are forced but are not there are refused in one line, before
// anything is measured or compared.
func TestForcedKernels(t *testing.T) {
	refused := kernel.KernelsEnv + "=avx3: expected one of go, avx2, avx512"
	for _, tc := range []struct {
		forced string
		args   []string
		code   int
		want   string
	}{
		{"go", []string{"kernels"}, 0, "kernels of the product: plain Go"},
		{"avx3", []string{"kernels"}, 2, refused},
		{"avx3", []string{"a", "--", "b"}, 2, refused},
	} {
		cmd := exec.Command(os.Args[0], tc.args...)
		cmd.Env = append(os.Environ(), child+"=1", kernel.KernelsEnv+"="+tc.forced)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if code, got := cmd.ProcessState.ExitCode(), strings.TrimSuffix(string(out), "\n"); code != tc.code || got != tc.want {
			t.Errorf("%s, %v: code %d, %q; want %d, %q", tc.forced, tc.args, code, got, tc.code, tc.want)
		}
	}
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	slow, fast := file("a", "2x2x2/threads=1 80\n2x2x2-AT/threads=2 100\n"), file("b", "2x2x2/threads=1 100\n2x2x2-AT/threads=2 120\n")
	hundred := file("c", "2x2x2/threads=1 100\n2x2x2-AT/threads=2 110\n")
	for _, tc := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{slow, fast, "--", hundred}, 0, []string{"80-100", "0.90", "All 2 limits are held"}},
		{[]string{slow, slow, fast, "--", hundred}, 1, []string{"0.80", "0.91", "Missed, 2 of 2", "2x2x2-AT/threads=2: 0.91 of torch.mm, limit 1.0"}},
		{[]string{hundred, "--", fast}, 1, []string{"Missed, 1 of 2", "2x2x2-AT/threads=2: 0.92"}},
		{[]string{"kernels"}, 0, []string{"kernels of the product: "}},
		{[]string{slow}, 2, []string{"usage"}},
		{[]string{"--", slow}, 2, []string{"usage"}},
		{[]string{slow, "--", file("d", "2x2x2/threads=1 100\n")}, 2, []string{"2x2x2-AT/threads=2 was not measured"}},
		{[]string{slow, "--", file("e", "")}, 2, []string{"no product"}},
		{[]string{file("f", "2x2x2/threads=1 NaNs\n"), "--", slow}, 2, []string{"is no line"}},
		{[]string{file("g", "2x2x2/threads=3 1\n"), "--", file("h", "2x2x2/threads=3 1\n")}, 2, []string{"expected SHAPE"}},
	} {
		var out strings.Builder
		if code := program(tc.args, &out, &out); code != tc.code {
			t.Errorf("%v: code %d, want %d\n%s", tc.args, code, tc.code, out.String())
		}
		for _, w := range tc.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%v: lacks %q:\n%s", tc.args, w, out.String())
			}
		}
	}
}
