package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// A disk that fills up loses no whole line and is named.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small tmpfs needs root")
	}
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("this system lets nobody mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) })
	filler := filepath.Join(mount, "filler")
	if err := os.WriteFile(filler, make([]byte, 200<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mount, "run")
	suite := suiteFile(t, "eager, fake-ok", "rounds: {min: 40, max: 40, until: max}")
	out := dlbench(t, "run", "--suite", suite, "--out", dir)
	if out.code != exitBadInput || !strings.Contains(out.stderr, "trials.jsonl") || !strings.Contains(out.stderr, "space") {
		t.Fatalf("exit %d, want 2 naming the file and the full disk\n%s", out.code, out.stderr)
	}
	if left := workersOf(dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	run, err := results.Read(dir)
	if err != nil || len(run.Records) == 0 {
		t.Fatalf("the lines written before: %d, %v", len(run.Records), err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mount, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if out := dlbench(t, "run", "--suite", suite, "--out", dir, "--resume"); out.code != exitOK {
		t.Errorf("resume with room: exit %d\n%s", out.code, out.stderr)
	}
}
