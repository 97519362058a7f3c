package python

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// AdapterLines counts the lines of code, without blank lines, comments and
// docstrings, that teach the worker the framework of that name: the files of
// dlworker/frameworks that its row of the table names, and those that these
// import, one by another. What several names share counts for each of them; what
// is generic (protocol, job, tensors) counts for none. 0 where the table does not
// have the name.
func AdapterLines(name string) int {
	all, _ := files()
	total := 0
	for _, file := range adapterFiles(all, name) {
		total += codeLines(string(all[file]))
	}
	return total
}

const frameworksFolder = "dlworker/frameworks"

var (
	// A row of the table: "pytorch-jit": Entry("pytorch_graph").
	tableRow = regexp.MustCompile(`"([^"]+)": Entry\("(\w+)"\)`)
	// from .jax_ops import OPS; from . import pytorch_network, torch_tf32.
	importsOf   = regexp.MustCompile(`(?m)^[ \t]*from \.(\w+) import `)
	importsThem = regexp.MustCompile(`(?m)^[ \t]*from \. import (\(?[\w, \t]+)`)
	words       = regexp.MustCompile(`\w+`)
)

// adapterFiles are the files of a name of the table, sorted.
func adapterFiles(all map[string][]byte, name string) []string {
	var found []string
	var add func(module string)
	add = func(module string) {
		file := path.Join(frameworksFolder, module+".py")
		text, ok := all[file]
		if !ok || slices.Contains(found, file) {
			return
		}
		found = append(found, file)
		for _, m := range importsOf.FindAllSubmatch(text, -1) {
			add(string(m[1]))
		}
		for _, m := range importsThem.FindAllSubmatch(text, -1) {
			for _, word := range words.FindAllString(string(m[1]), -1) {
				add(word)
			}
		}
	}
	for _, m := range tableRow.FindAllSubmatch(all[path.Join(frameworksFolder, "__init__.py")], -1) {
		if string(m[1]) == name {
			add(string(m[2]))
		}
	}
	slices.Sort(found)
	return found
}

// codeLines counts the lines of Python that hold code. A statement that is a
// string and nothing else is a docstring.
func codeLines(text string) int {
	lines, depth := 0, 0 // depth of brackets
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		begin := strings.TrimLeft(line, " \t\r")
		if begin == "" || begin[0] == '#' {
			continue
		}
		docstring := depth == 0 && (begin[0] == '"' || begin[0] == '\'')
		held := 1 // lines of this one, with those that its strings go on to
		for i := 0; i < len(line); i++ {
			switch c := line[i]; c {
			case '#':
				i = len(line)
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			case '"', '\'':
				rest := line[i:]
				if text != "" {
					rest += "\n" + text
				}
				n := stringLength(rest)
				if more := strings.Count(rest[:n], "\n"); more > 0 {
					held += more
					line, text, _ = strings.Cut(rest[n:], "\n")
					i = -1
				} else {
					i += n - 1
				}
			}
		}
		if !docstring {
			lines += held
		}
	}
	return lines
}

// stringLength is the number of bytes of the string literal that text begins
// with, its quotes included.
func stringLength(text string) int {
	quote := text[:1]
	if strings.HasPrefix(text, strings.Repeat(quote, 3)) {
		quote = text[:3]
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\n' && len(quote) == 1:
			return i // an unclosed string: not Python
		}
	}
	return len(text)
}
