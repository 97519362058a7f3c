package report

import (
	"crypto/sha256"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// Each package of dlbench that code of pages imports is part of the form, or makes
// no page of a run.
func TestFormIsOfAllCodeThatMakesPages(t *testing.T) {
	const module = "github.com/dlbench/dlbench/"
	others := []string{"results/compare/gate", "results/compare/history", "results/compare/selection"}
	dirs := others
	for _, s := range formSources {
		dirs = append(dirs, s.dir)
	}
	n := 0
	for _, s := range formSources {
		names, err := fs.Glob(s.code, "*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := fs.ReadFile(s.code, name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			n++
			for _, i := range file.Imports {
				p, _ := strconv.Unquote(i.Path.Value)
				if dir, ok := strings.CutPrefix(p, module); ok && !slices.Contains(dirs, dir) {
					t.Errorf("%s imports %s, which is not part of a page's form", path.Join(s.dir, name), dir)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("the form is of %d Go files only", n)
	}
}

// Any word of the code changes the form; its tests do not.
func TestFormChangesWithTheCode(t *testing.T) {
	sum := func(files fstest.MapFS) string {
		h := sha256.New()
		if err := hashSources(h, "report", files); err != nil {
			t.Fatal(err)
		}
		return string(h.Sum(nil))
	}
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	of := sum(fstest.MapFS{"a.go": file("a"), "b.go": file("b")})
	for _, test := range []struct {
		name  string
		files fstest.MapFS
		same  bool
	}{
		{"the same", fstest.MapFS{"a.go": file("a"), "b.go": file("b")}, true},
		{"a test", fstest.MapFS{"a.go": file("a"), "b.go": file("b"), "a_test.go": file("c")}, true},
		{"a word", fstest.MapFS{"a.go": file("x"), "b.go": file("b")}, false},
		{"a name", fstest.MapFS{"a.go": file("a"), "c.go": file("b")}, false},
		{"code in another file", fstest.MapFS{"a.go": file("ab"), "b.go": file("")}, false},
	} {
		if got := sum(test.files) == of; got != test.same {
			t.Errorf("%s: the form is the same: %v, want %v", test.name, got, test.same)
		}
	}
}
