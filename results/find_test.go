package results

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"b/run.json", "a/deep/run.json", "a/deep/inner/run.json", "a/other.json", "c/report.html"} {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Find(dir)
	want := []string{filepath.Join(dir, "a", "deep"), filepath.Join(dir, "b")}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("got %v, %v; want %v", found, err, want)
	}
	if found, err := Find(filepath.Join(dir, "b")); err != nil || !slices.Equal(found, want[1:]) {
		t.Errorf("of a run's own folder: %v, %v", found, err)
	}
	if _, err := Find(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there has no runs")
	}
}
