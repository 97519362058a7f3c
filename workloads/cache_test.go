package workloads

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func read(t *testing.T, path string) map[string]Tensor {
	t.Helper()
	out, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCacheContent(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "new", "folder")}
	p := resolved(t, "TinyLstm", func(s *Settings) { s.Batch = 3 })
	wpath, err := c.Weights(p)
	if err != nil {
		t.Fatal(err)
	}
	weights := read(t, wpath)
	if len(weights) != len(p.Params) {
		t.Errorf("%d tensors for %d parameters", len(weights), len(p.Params))
	}
	for _, q := range p.Params {
		got := weights[q.Name]
		for i, v := range p.InitialValues(q) {
			if got.F32[i] != v {
				t.Fatalf("%s[%d]: %v, expected %v", q.Name, i, got.F32[i], v)
			}
			if d := float64(v) - q.Center; d < -q.Bound || d > q.Bound {
				t.Errorf("%s: %v outside %v ± %v", q.Name, v, q.Center, q.Bound)
			}
		}
	}
	bpath, err := c.Batches(p, "")
	if err != nil {
		t.Fatal(err)
	}
	b := read(t, bpath)
	if x := b["x"]; x.DType() != "I32" || len(x.Shape) != 3 || x.Shape[0] != 4 || x.Shape[1] != 3 || x.Shape[2] != 5 {
		t.Errorf("x %s %v", x.DType(), x.Shape)
	}
	// Infer mode loads the same files: it differs in the computation only.
	infer := resolved(t, "TinyLstm", func(s *Settings) { s.Mode, s.Batch = Infer, 3 })
	if w, err := c.Weights(infer); err != nil || w != wpath {
		t.Errorf("%s and %s: %v", w, wpath, err)
	}
}

// TestCacheRepairs: a damaged file is written anew, a good one is left alone.
func TestCacheRepairs(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	p := resolved(t, "TinyMlp", nil)
	path, err := c.Weights(p)
	if err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	for what, damage := range map[string]func() []byte{
		"cut short":   func() []byte { return good[:len(good)-4] },
		"empty":       func() []byte { return nil },
		"bit flipped": func() []byte { b := append([]byte(nil), good...); b[len(b)-1] ^= 1; return b },
		"header":      func() []byte { b := append([]byte(nil), good...); b[30] ^= 1; return b },
	} {
		if err := os.WriteFile(path, damage(), 0o644); err != nil {
			t.Fatal(err)
		}
		verified.Delete(path) // another process comes along
		if _, err := c.Weights(p); err != nil {
			t.Fatal(err)
		}
		if now, _ := os.ReadFile(path); string(now) != string(good) {
			t.Errorf("%s: not repaired", what)
		}
	}
	before, _ := os.Stat(path)
	verified.Delete(path)
	if _, err := c.Weights(p); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("an intact file was replaced")
	}
}

func TestCacheConcurrentWriters(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	p := resolved(t, "MnistMlp", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			path, err := c.Batches(p, "")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := ReadSafetensors(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if files, _ := os.ReadDir(c.Dir); len(files) != 1 {
		t.Errorf("%d files left, expected 1", len(files))
	}
}

func TestCacheErrors(t *testing.T) {
	p := resolved(t, "TinyMlp", nil)
	if _, err := (Cache{}).Weights(p); err == nil {
		t.Error("a cache without a folder wrote a file")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (Cache{Dir: file}).Weights(p); err == nil {
		t.Error("a file served as the cache's folder")
	}
	big := resolved(t, "ImageCnn", func(s *Settings) { s.Batch = 1 << 16 })
	if _, err := (Cache{Dir: t.TempDir()}).Batches(big, ""); err == nil || !strings.Contains(err.Error(), "GiB") {
		t.Errorf("%v", err)
	}
}

func TestDefaultCache(t *testing.T) {
	t.Setenv(CacheEnv, "/somewhere")
	if c, err := DefaultCache(); err != nil || c.Dir != "/somewhere" {
		t.Errorf("%v %v", c, err)
	}
	t.Setenv(CacheEnv, "")
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	t.Setenv("HOME", "/home/x")
	if c, err := DefaultCache(); err != nil || filepath.Base(c.Dir) != "dlbench" {
		t.Errorf("%v %v", c, err)
	}
}

// Files tells before what Weights and Batches write.
func TestFilesAreForetold(t *testing.T) {
	for _, name := range []string{"TinyCnn", "TinyLstm"} {
		spec, _ := Find(name)
		set := DefaultSettings()
		set.Batch = 3
		p, err := spec.Resolve(set)
		if err != nil {
			t.Fatal(err)
		}
		c := Cache{Dir: t.TempDir()}
		before, err := c.Files(p)
		if err != nil || len(before) != 2 {
			t.Fatalf("%v, %v", before, err)
		}
		weights, err := c.Weights(p)
		if err != nil {
			t.Fatal(err)
		}
		batches, err := c.Batches(p, "")
		if err != nil {
			t.Fatal(err)
		}
		after, err := c.Files(p)
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range []string{weights, batches} {
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if f := before[i]; f.Path != path || f.Bytes != st.Size() || f.There || !after[i].There {
				t.Errorf("%s: foretold %+v, then %+v; it has %d bytes", path, f, after[i], st.Size())
			}
		}
	}
}

// Workers start in another folder: a relative path would lead them elsewhere.
func TestDefaultCacheIsAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for value, want := range map[string]string{"cache": filepath.Join(dir, "cache"), "./a/../b": filepath.Join(dir, "b"), filepath.Join(dir, "c"): filepath.Join(dir, "c")} {
		t.Setenv(CacheEnv, value)
		c, err := DefaultCache()
		if err != nil || !filepath.IsAbs(c.Dir) || filepath.Base(c.Dir) != filepath.Base(want) {
			t.Errorf("%s=%s: %q, %v, want %s", CacheEnv, value, c.Dir, err, want)
		}
	}
}
