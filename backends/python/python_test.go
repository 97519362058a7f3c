package python

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
)

var two = map[string][]byte{"worker.py": []byte("import dlworker\n"), "dlworker/__init__.py": nil}

func TestCollectTakesPythonFilesOnly(t *testing.T) {
	tree := fstest.MapFS{
		"worker/worker.py":                    {Data: []byte("a")},
		"worker/dlworker/__init__.py":         {},
		"worker/.gitignore":                   {Data: []byte("x")},
		"worker/dlworker/__pycache__/x.pyc":   {Data: []byte("x")},
		"worker/dlworker/frameworks/torch.py": {Data: []byte("b")},
	}
	found, hash := collect(tree, "worker")
	if len(found) != 3 || string(found["dlworker/frameworks/torch.py"]) != "b" {
		t.Errorf("found %v", found)
	}
	for _, change := range []struct {
		name string
		make func()
	}{
		{"a content", func() { tree["worker/worker.py"].Data = []byte("c") }},
		{"a name", func() {
			tree["worker/other.py"] = tree["worker/worker.py"]
			delete(tree, "worker/worker.py")
		}},
	} {
		change.make()
		_, other := collect(tree, "worker")
		if other == hash {
			t.Errorf("%s changed and the hash did not", change.name)
		}
		hash = other
	}
	tree["worker/.gitignore"].Data = nil
	if _, other := collect(tree, "worker"); other != hash {
		t.Error("a file that no worker reads changed the hash")
	}
}

// A folder that the patterns of the embedding do not name would be left out.
func TestEveryFileIsEmbedded(t *testing.T) {
	inBinary, _ := files()
	onDisk, _ := collect(os.DirFS("."), "worker")
	for name, text := range onDisk {
		if string(inBinary[name]) != string(text) {
			t.Errorf("%s is not in the binary", name)
		}
	}
	if len(inBinary) != len(onDisk) || inBinary["worker.py"] == nil {
		t.Errorf("the binary has %d files, the folder %d", len(inBinary), len(onDisk))
	}
}

func TestWriteIsWholeAndLeavesNothingElse(t *testing.T) {
	cache := t.TempDir()
	folder := filepath.Join(cache, "workers", "abc")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := write(folder, two); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if !intact(folder, two) {
		t.Error("not intact after it was written")
	}
	// A damaged copy is replaced.
	if err := os.WriteFile(filepath.Join(folder, "worker.py"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if intact(folder, two) {
		t.Error("an empty file counts as intact")
	}
	if err := write(folder, two); err != nil || !intact(folder, two) {
		t.Errorf("not repaired: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(folder))
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestWriteTellsWhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(file, "workers", "abc"), two); err == nil {
		t.Error("a cache that is a file was written to")
	}
}
