package python

import (
	"fmt"
	"strings"
	"testing"
)

func TestCodeLines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"nothing", "", 0},
		{"blank and comments", "\n  \n# one\n   # two\n", 0},
		{"docstring", "\"\"\"One line.\"\"\"\nx = 1\n", 1},
		{"docstring of lines", "def f():\n    \"\"\"Three\n\n    lines.\"\"\"\n    return 1\n", 2},
		{"docstring in single quotes", "'one'\nx = 1", 1},
		{"string of lines", "x = \"\"\"a\n# no comment\n\nb\"\"\"\ny = 2\n", 5},
		{"code after a string of lines", "f(\"\"\"a\nb\"\"\", [\n  1,\n])\n", 4},
		{"string in brackets", "f(\n    'a'\n    'b')\n", 3},
		{"comment after code", "x = 1  # (\n'doc'\n", 1},
		{"quote in a comment", "x = 1  # it's\ny = 2\n", 2},
		{"comment sign in a string", "x = '#'\ny = \"\\\"#\"\n", 2},
		{"brackets in a string", "x = '('\n'doc'\n", 1},
	} {
		if got := codeLines(tt.text); got != tt.want {
			t.Errorf("%s: %d lines, want %d:\n%s", tt.name, got, tt.want, tt.text)
		}
	}
}

// What a framework's file imports counts, and what that imports; what is
// generic does not.
func TestAdapterFiles(t *testing.T) {
	all := map[string][]byte{
		"dlworker/session.py":             []byte("x = 1\n"),
		"dlworker/frameworks/__init__.py": []byte("TABLE = {\n    \"a\": Entry(\"one\"),\n    \"b\": Entry(\"two\"),\n}\n"),
		"dlworker/frameworks/one.py":      []byte("from ..errors import Failed\nfrom . import two, three  # why\nimport four\n"),
		"dlworker/frameworks/two.py":      []byte("def f():\n    from .three import (\n        x)\n"),
		"dlworker/frameworks/three.py":    []byte("from . import one\n"),
		"dlworker/frameworks/four.py":     []byte("x = 1\n"),
		"dlworker/frameworks/errors.py":   []byte("x = 1\n"),
	}
	for name, want := range map[string]string{"a": "[one three two]", "b": "[one three two]", "c": "[]"} {
		got := strings.NewReplacer("dlworker/frameworks/", "", ".py", "").Replace(fmt.Sprint(adapterFiles(all, name)))
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// Every file beside the table is some framework's, every name of the table has
// its file, and the sum is within what the files have.
func TestAdapterLines(t *testing.T) {
	all, _ := files()
	used, names := map[string]bool{}, 0
	for _, m := range tableRow.FindAllSubmatch(all[frameworksFolder+"/__init__.py"], -1) {
		names++
		name := string(m[1])
		n := AdapterLines(name)
		most := 0
		for _, file := range adapterFiles(all, name) {
			used[file] = true
			most += strings.Count(string(all[file]), "\n")
		}
		if n < 100 || n > most {
			t.Errorf("%s: %d lines of code in %d", name, n, most)
		}
	}
	if names < 13 {
		t.Errorf("the table has %d names", names)
	}
	for file := range all {
		if strings.HasPrefix(file, frameworksFolder) && !strings.HasSuffix(file, "__init__.py") && !used[file] {
			t.Errorf("%s counts for no framework", file)
		}
	}
	if session, graph := AdapterLines("pytorch"), AdapterLines("pytorch-jit"); graph <= session {
		t.Errorf("pytorch-jit is built on pytorch and has %d lines, pytorch %d", graph, session)
	}
}
