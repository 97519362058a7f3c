package catalog

import (
	"io/fs"
	"strings"
	"testing"
)

func TestCodeLines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"nothing", "", 0},
		{"comments", "// one\n\n/* two\nthree */\n", 0},
		{"code", "package x\n\n// F.\nfunc F() int {\n\treturn 1 // one\n}\n", 4},
		{"two statements", "package x\nvar a, b = 1, 2; var c = 3\n", 2},
		{"string of lines", "package x\nvar a = `1\n// no comment\n\n2`\nvar b = 1\n", 6},
		{"comment of lines within code", "package x\nvar a = /* 1\n2 */ 3\n", 3},
	} {
		if got := codeLines([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: %d lines, want %d", tt.name, got, tt.want)
		}
	}
}

// Every entry has an adapter but the engine of dlbench, and no more lines than
// its files have.
func TestAdapterLines(t *testing.T) {
	for _, e := range Entries() {
		n := AdapterLines(e.Info.Name)
		if (e.Info.Name == "eager") != (n == 0) {
			t.Errorf("%s has %d lines", e.Info.Name, n)
		}
		if n != AdapterLines(e.Info.Name+"@1.2.3") {
			t.Errorf("%s in another version has %d lines, want %d", e.Info.Name, AdapterLines(e.Info.Name+"@1.2.3"), n)
		}
	}
	for name, sources := range ours {
		most := 0
		files, _ := fs.Glob(sources, "*.go")
		for _, file := range files {
			text, err := sources.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				most += strings.Count(string(text), "\n")
			}
		}
		if n := AdapterLines(name); n < 500 || n >= most {
			t.Errorf("%s: %d lines of code in %d", name, n, most)
		}
	}
	if n := AdapterLines("nobody"); n != 0 {
		t.Errorf("nobody has %d lines", n)
	}
}
