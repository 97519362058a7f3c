package workloads

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dlbench/dlbench/strictyaml"
)

var update = flag.Bool("update", false, "rewrite the golden files of error messages")

// report is what a user sees of an error: one line, and the excerpt.
func report(err error) string {
	out := err.Error() + "\n"
	if fe, ok := errors.AsType[*strictyaml.FileError](err); ok && fe.Excerpt() != "" {
		out += fe.Excerpt() + "\n"
	}
	return out
}

// badFiles runs load over every file of a folder and compares all messages
// with a golden file.
func badFiles(t *testing.T, dir string, load func(fsys fs.FS, name string) error) {
	t.Helper()
	var got bytes.Buffer
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, f := range files {
		name := filepath.Base(f)
		err := load(os.DirFS(filepath.Dir(f)), name)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if line := err.Error(); strings.ContainsAny(line, "\n\r") || !strings.HasPrefix(line, name+":") {
			t.Errorf("%s: not one line that names the file: %q", name, line)
		}
		fmt.Fprintf(&got, "%s\n", report(err))
	}
	golden := filepath.Join("testdata", dir+".golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("messages differ from %s (go test -update rewrites it):\n%s", golden, diff(string(want), got.String()))
	}
}

func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		var x, y string
		if i < len(w) {
			x = w[i]
		}
		if i < len(g) {
			y = g[i]
		}
		if x != y {
			fmt.Fprintf(&b, "-%s\n+%s\n", x, y)
		}
	}
	return b.String()
}

func TestBadSpecs(t *testing.T) {
	badFiles(t, "bad-specs", func(fsys fs.FS, name string) error {
		_, err := Load(fsys, name)
		return err
	})
}

func TestBadSuites(t *testing.T) {
	badFiles(t, "bad-suites", func(fsys fs.FS, name string) error {
		s, err := LoadSuite(fsys, name)
		if err == nil {
			_, err = s.Expand()
		}
		return err
	})
}

const smallSpec = `workload: Small
input: {kind: vector, shape: [4]}
data: {generator: class-blobs, classes: 3, batches: 2, seed: 1}
layers: [{op: dense, name: fc, units: 3}]
loss: {op: softmax-cross-entropy}
optimizer: {op: sgd, rate: 0.1}
steps: {check: 3, warmup: {max: 10}, blocks: 2, per-block: 1}
`

func TestTitleMayHoldMarkup(t *testing.T) {
	s, err := parseSpec("x.yaml", []byte(smallSpec+"title: {en: '<script>alert(1)</script>', zh: \"a\\u0000b\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Title["en"] != "<script>alert(1)</script>" {
		t.Errorf("title %q", s.Title["en"])
	}
}

// TestHugeFile must neither parse nor even read 100 MB.
func TestHugeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.yaml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(100 << 20); err != nil { // sparse
		t.Fatal(err)
	}
	start := time.Now()
	_, err = LoadFile(path)
	if err == nil || !strings.Contains(err.Error(), "larger than 64 KiB") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

// TestHostileYAML gives the parser as much as it may get of what parsers choke on.
func TestHostileYAML(t *testing.T) {
	for _, unit := range []string{"[", "{", "- ", "? ", "!a ", "&a ", "*a ", "a: ", "a\n", "- a\n", "#\n", "- - \n", "\"", "'", "|\n", "%", "\t", "-\n ", "a: {", "? [", "---\n", "a:\n- "} {
		src := strings.Repeat(unit, strictyaml.MaxBytes/len(unit))
		start := time.Now()
		if _, err := parseSpec("x.yaml", []byte(src)); err == nil {
			t.Errorf("%q repeated: accepted", unit)
		} else if len(err.Error()) > 2000 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q repeated: message of %d bytes: %.300q", unit, len(err.Error()), err.Error())
		}
		if d := time.Since(start); d > 8*time.Second { // generous: under the race detector on a busy machine
			t.Errorf("%q repeated: took %v", unit, d)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	if _, err := Load(fstest.MapFS{}, "no.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := LoadFile(t.TempDir()); err == nil {
		t.Error("a folder was accepted as a workload")
	}
}

// FuzzSpec: any text either loads, and then resolves, or gives one line.
func FuzzSpec(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad-specs/*.yaml")
	shipped, _ := filepath.Glob("specs/*.yaml")
	for _, name := range append(files, shipped...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(smallSpec))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSpec("x.yaml", data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err.Error())
			}
			if fe, ok := errors.AsType[*strictyaml.FileError](err); ok {
				fe.Excerpt()
			}
			return
		}
		for _, mode := range Modes {
			set := DefaultSettings()
			set.Mode, set.Batch = mode, 1
			if _, err := s.Resolve(set); err != nil {
				t.Errorf("loaded, but: %v", err)
			}
		}
	})
}

// FuzzSuite: any text either loads or gives one line; what loads expands or
// says in one line why not.
func FuzzSuite(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad-suites/*.yaml")
	shipped, _ := filepath.Glob("suites/*.yaml")
	for _, name := range append(files, shipped...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSuite("x.yaml", data)
		if err == nil {
			_, err = s.Expand()
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err.Error())
		}
	})
}
