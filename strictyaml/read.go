// Package strictyaml reads files that people write in YAML: workloads, suites,
// policies. What it does not expect is an error of one line, file:line:col: what:
// expected; hint. Anchors, aliases, tags, duplicate and unknown keys are refused,
// and the size and depth of a file are bounded before a parser sees it.
package strictyaml

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxBytes bounds an authored file before a parser sees it: the parser takes
// quadratic time on some texts, 20 s for 1 MiB of them. maxNesting does the
// same for depth: a parser that recurses cannot recover from a full stack.
const (
	MaxBytes   = 64 << 10
	maxNesting = 64
)

// FileError says what is wrong in an authored file, and where.
type FileError struct {
	File      string
	Line, Col int    // from 1; 0 where the whole file is meant
	Message   string // one line: what: expected; hint

	Source []byte // of the whole file
}

// Error is one line, file:line:col: message.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Message)
}

// Excerpt is the line at fault with a mark under its column, or "".
func (e *FileError) Excerpt() string {
	lines := strings.Split(string(e.Source), "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return ""
	}
	const width = 120
	line := []rune(strings.Map(printable, strings.TrimRight(lines[e.Line-1], "\r")))
	from := max(0, min(e.Col-1, len(line))-width/2)
	to := min(len(line), from+width)
	number := strconv.Itoa(e.Line)
	return fmt.Sprintf("%s | %s\n%s | %s^", number, string(line[from:to]), strings.Repeat(" ", len(number)), strings.Repeat(" ", max(0, e.Col-1-from)))
}

func printable(r rune) rune {
	if r == '\t' || !unicode.IsPrint(r) {
		return ' '
	}
	return r
}

// readCapped reads a whole authored file, and no more than MaxBytes of it.
func readCapped(f fs.File, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, &FileError{File: name, Message: "cannot be read: " + err.Error()}
	}
	if len(data) > MaxBytes {
		return nil, &FileError{File: name, Message: "larger than 64 KiB: expected a file of a few kilobytes"}
	}
	return data, nil
}

// ReadFS reads an authored file, of 64 KiB at most.
func ReadFS(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCapped(f, name)
}

// ReadOS is ReadFS for a path of the operating system.
func ReadOS(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCapped(f, name)
}

// Reader turns a YAML tree into values, strictly. It keeps the first error and
// returns zero values after it, so that callers check once.
type Reader struct {
	File   string
	Source []byte
	Err    error
}

// NewReader reads the text of a file; the name is for messages.
func NewReader(file string, text []byte) *Reader { return &Reader{File: file, Source: text} }

// Place is where a value stands in an authored file.
type Place struct {
	File      string
	Line, Col int // from 1; 0: not known
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

func (r *Reader) failAt(at Place, format string, args ...any) {
	if r.Err == nil {
		r.Err = &FileError{File: r.File, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...), Source: r.Source}
	}
}

// Parse returns the root mapping's node.
func (r *Reader) Parse() Value {
	root := Value{r: r}
	if !utf8.Valid(r.Source) {
		r.Err = &FileError{File: r.File, Message: "not UTF-8 text: expected YAML"}
		return root
	}
	if at, bad := tooDeep(r.Source); bad {
		r.failAt(Place{r.File, at, 1}, "nested deeper than %d levels", maxNesting)
		return root
	}
	file, err := parseYAML(r.Source)
	if err != nil {
		line, col, msg := syntaxError(err)
		r.failAt(Place{r.File, line, col}, "not valid YAML: %s", msg)
		return root
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	switch {
	case len(docs) == 0:
		r.Err = &FileError{File: r.File, Message: "empty: expected a YAML mapping"}
	case len(docs) > 1:
		r.failAt(placeOf(r.File, docs[1].Body), "a second document: expected one per file")
	default:
		root.node = docs[0].Body
	}
	return root
}

// parseYAML turns a panic of the parser into an error: input is a stranger's.
func parseYAML(src []byte) (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
}

// syntaxError takes the parser's message and place. Its Error method is not
// used: it prints the whole source, in quadratic time.
func syntaxError(err error) (line, col int, msg string) {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &at) {
		return 0, 0, Quote(err.Error())
	}
	if tk := at.GetToken(); tk != nil && tk.Position != nil {
		line, col = tk.Position.Line, tk.Position.Column
	}
	return line, col, strings.Map(printable, fmt.Sprintf("%.200s", at.GetMessage()))
}

// tooDeep bounds nesting by counting, without a parser: open brackets anywhere
// and block indicators at the beginning of a line. Brackets within quotes count
// too, which only makes the bound stricter.
func tooDeep(src []byte) (line int, bad bool) {
	depth, line := 0, 1
	markers, head := 0, true // markers: indicators at the head of this line
	for i, b := range src {
		switch b {
		case '\n':
			line, markers, head = line+1, 0, true
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '-', '?', ':', '!', '&', '*':
			if head && (i+1 == len(src) || b == '!' || b == '&' || b == '*' || src[i+1] == ' ' || src[i+1] == '\t') {
				markers++
			}
		}
		if depth > maxNesting || markers > maxNesting {
			return line, true
		}
		if b != ' ' && b != '\t' && b != '-' && b != '?' && b != ':' && b != '!' && b != '&' && b != '*' {
			head = false
		}
	}
	return 0, false
}
