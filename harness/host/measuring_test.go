//go:build unix

package host

import (
	"os"
	"strconv"
	"testing"
)

func TestMeasuringSeesAnotherRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	release, other := Measuring()
	if other != "" {
		t.Fatalf("an empty folder names process %s", other)
	}
	if _, other = Measuring(); other != strconv.Itoa(os.Getpid()) {
		t.Errorf("a second run sees process %q, want %d", other, os.Getpid())
	}
	release()
	if _, other = Measuring(); other != "" {
		t.Errorf("after the release: process %s", other)
	}
}
