package catalog

import (
	"embed"
	"go/scanner"
	"go/token"
	"io/fs"
	"strings"
	"sync"

	"github.com/dlbench/dlbench/backends/gomlx"
	"github.com/dlbench/dlbench/backends/gorgonia"
	"github.com/dlbench/dlbench/backends/python"
)

// ours are the sources of the backends that are Go packages around a library. The
// eager engine is no adapter: its package is the library itself.
var ours = map[string]embed.FS{"gorgonia": gorgonia.Sources, "gomlx": gomlx.Sources}

// AdapterLines counts the lines of code, without blank lines and comments, that
// teach dlbench the framework of the named entry. Of an entry in another version,
// NAME@VERSION, they are the same. 0: the entry is not of the catalog, or has no
// adapter because dlbench's own engine is the framework.
func AdapterLines(name string) int {
	name, _, _ = strings.Cut(name, "@")
	if n, ok := goLines()[name]; ok {
		return n
	}
	return python.AdapterLines(name)
}

var goLines = sync.OnceValue(func() map[string]int {
	lines := map[string]int{}
	for name, sources := range ours {
		files, err := fs.Glob(sources, "*.go")
		if err != nil { // of a pattern in this file
			panic(err)
		}
		for _, file := range files {
			text, err := sources.ReadFile(file)
			if err != nil { // of a file inside this binary
				panic(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				lines[name] += codeLines(text)
			}
		}
	}
	return lines
})

// codeLines counts the lines of a Go file that hold more than comments.
func codeLines(text []byte) int {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	lines, last := 0, 0 // last line that counts
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.SEMICOLON && literal == "\n" { // the scanner's own
			continue
		}
		first := file.Line(pos)
		end := first + strings.Count(literal, "\n") // of a string of lines
		lines += end - max(first-1, last)
		last = end
	}
}
