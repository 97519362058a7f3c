package workloads

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxYAML bounds an authored file before a parser sees it: the parser takes
// quadratic time on some texts, 20 s for 1 MiB of them. maxNesting does the
// same for depth: a parser that recurses cannot recover from a full stack.
const (
	maxYAML    = 64 << 10
	maxNesting = 64
)

// FileError says what is wrong in an authored file, and where.
type FileError struct {
	File      string
	Line, Col int    // from 1; 0 where the whole file is meant
	Message   string // one line: what: expected; hint

	source []byte
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
	lines := strings.Split(string(e.source), "\n")
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

// readCapped reads a whole authored file, and no more than maxYAML of it.
func readCapped(f fs.File, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxYAML+1))
	if err != nil {
		return nil, &FileError{File: name, Message: "cannot be read: " + err.Error()}
	}
	if len(data) > maxYAML {
		return nil, &FileError{File: name, Message: "larger than 64 KiB: expected a workload or suite of a few kilobytes"}
	}
	return data, nil
}

func readFS(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCapped(f, name)
}

func readOS(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCapped(f, name)
}

// reader turns a YAML tree into values, strictly. It keeps the first error and
// returns zero values after it, so that callers check once.
type reader struct {
	file   string
	source []byte
	err    error
}

// place is where a value stands in an authored file.
type place struct {
	file      string
	line, col int
}

func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.col)
}

func (r *reader) failAt(at place, format string, args ...any) {
	if r.err == nil {
		r.err = &FileError{File: r.file, Line: at.line, Col: at.col, Message: fmt.Sprintf(format, args...), source: r.source}
	}
}

// parse returns the root mapping's node.
func (r *reader) parse() yamlValue {
	root := yamlValue{r: r}
	if !utf8.Valid(r.source) {
		r.err = &FileError{File: r.file, Message: "not UTF-8 text: expected YAML"}
		return root
	}
	if at, bad := tooDeep(r.source); bad {
		r.failAt(place{r.file, at, 1}, "nested deeper than %d levels", maxNesting)
		return root
	}
	file, err := parseYAML(r.source)
	if err != nil {
		line, col, msg := syntaxError(err)
		r.failAt(place{r.file, line, col}, "not valid YAML: %s", msg)
		return root
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	switch {
	case len(docs) == 0:
		r.err = &FileError{File: r.file, Message: "empty: expected a YAML mapping"}
	case len(docs) > 1:
		r.failAt(placeOf(r.file, docs[1].Body), "a second document: expected one per file")
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
		return 0, 0, quote(err.Error())
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

func placeOf(file string, n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return place{file: file}
	}
	pos := n.GetToken().Position
	return place{file, pos.Line, pos.Column}
}

// yamlValue is one node of the tree with the path that names it in messages.
type yamlValue struct {
	r    *reader
	node ast.Node
	path string // "layers[2].units", "" for the root
}

func (v yamlValue) place() place { return placeOf(v.r.file, v.node) }

// fail records an error at the value: path: message.
func (v yamlValue) fail(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if v.path != "" {
		msg = v.path + ": " + msg
	}
	v.r.failAt(v.place(), "%s", msg)
}

func (v yamlValue) missing() bool { return v.node == nil }

// what names the kind of a node for messages.
func (v yamlValue) what() string {
	switch n := v.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AliasNode, *ast.AnchorNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		return quote(n.Value)
	case *ast.LiteralNode:
		return quote(n.Value.Value)
	case nil:
		return "nothing"
	default:
		return quote(n.GetToken().Value)
	}
}

// quote shortens and quotes a stranger's text.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}

// expected fails with what was found, and a hint for what is never accepted.
func (v yamlValue) expected(form string) {
	switch v.node.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		v.fail("%s: expected %s; anchors, aliases and tags are not accepted, write the value out", v.what(), form)
	default:
		v.fail("%s: expected %s", v.what(), form)
	}
}

// yamlMap is a mapping of which every key has been checked.
type yamlMap struct {
	yamlValue
	keys   []string
	values map[string]yamlValue
}

// mapping reads a mapping whose keys must be in allowed (any key, if nil).
func (v yamlValue) mapping(allowed []string) yamlMap {
	m := yamlMap{yamlValue: v, values: map[string]yamlValue{}}
	if v.r.err != nil {
		return m
	}
	var pairs []*ast.MappingValueNode
	switch n := v.node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		v.expected("a mapping")
		return m
	}
	for _, p := range pairs {
		key, ok := p.Key.(*ast.StringNode)
		at := yamlValue{v.r, p.Key, v.path}
		if !ok {
			at.fail("key %s: expected a plain word", quote(p.Key.GetToken().Value))
			return m
		}
		name := key.Value
		if allowed != nil && !slices.Contains(allowed, name) {
			at.fail("unknown key %s%s", quote(name), didYouMean(name, allowed))
			return m
		}
		if _, dup := m.values[name]; dup {
			at.fail("duplicate key %s: expected it once", quote(name))
			return m
		}
		m.keys = append(m.keys, name)
		m.values[name] = yamlValue{v.r, p.Value, strings.TrimPrefix(v.path+"."+name, ".")}
	}
	return m
}

// get returns the value of key; missing() tells that it is absent.
func (m yamlMap) get(key string) yamlValue {
	if v, ok := m.values[key]; ok {
		return v
	}
	return yamlValue{r: m.r, path: m.path}
}

// need returns the value of key, which must be there.
func (m yamlMap) need(key string) yamlValue {
	if _, ok := m.values[key]; !ok {
		m.fail("no %q: expected one", key)
	}
	return m.get(key)
}

func (v yamlValue) list() []yamlValue {
	if v.r.err != nil || v.missing() {
		return nil
	}
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.expected("a list")
		return nil
	}
	out := make([]yamlValue, len(seq.Values))
	for i, n := range seq.Values {
		out[i] = yamlValue{v.r, n, fmt.Sprintf("%s[%d]", v.path, i)}
	}
	return out
}

// listOrOne reads a list, or a single value as a list of one.
func (v yamlValue) listOrOne() []yamlValue {
	if v.missing() {
		return nil
	}
	if _, ok := v.node.(*ast.SequenceNode); ok {
		return v.list()
	}
	return []yamlValue{v}
}

// text reads a string; "" where it is missing.
func (v yamlValue) text() string {
	if v.r.err != nil || v.missing() {
		return ""
	}
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	v.expected("text; put quotes around it")
	return ""
}

var (
	integerForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numberForm  = regexp.MustCompile(`^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
)

// plain is the source text of an unquoted scalar.
func (v yamlValue) plain() (string, bool) {
	switch n := v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.StringNode:
		tk := n.GetToken()
		return n.Value, tk != nil && tk.Type != token.SingleQuoteType && tk.Type != token.DoubleQuoteType
	}
	return "", false
}

// integer reads a decimal integer; 0 where it is missing.
func (v yamlValue) integer() int {
	if v.r.err != nil || v.missing() {
		return 0
	}
	s, ok := v.plain()
	n, err := strconv.ParseInt(s, 10, 32)
	if !ok || !integerForm.MatchString(s) || err != nil {
		v.expected("a whole number")
		return 0
	}
	return int(n)
}

// number reads a decimal number; 0 where it is missing.
func (v yamlValue) number() float64 {
	if v.r.err != nil || v.missing() {
		return 0
	}
	s, ok := v.plain()
	x, err := strconv.ParseFloat(s, 64)
	if !ok || !numberForm.MatchString(s) || err != nil || math.IsInf(x, 0) {
		v.expected("a number")
		return 0
	}
	return x
}

// boolean reads true or false; missing gives def.
func (v yamlValue) boolean(def bool) bool {
	if v.r.err != nil || v.missing() {
		return def
	}
	switch s, _ := v.plain(); s {
	case "true":
		return true
	case "false":
		return false
	}
	v.expected("true or false")
	return def
}

// words reads a mapping of texts whose keys are in allowed.
func (v yamlValue) words(allowed []string) map[string]string {
	if v.missing() {
		return nil
	}
	m := v.mapping(allowed)
	out := make(map[string]string, len(m.keys))
	for _, k := range m.keys {
		s := m.get(k).text()
		if len(s) > 2000 {
			m.get(k).fail("%d bytes: expected at most 2000", len(s))
		}
		out[k] = s
	}
	return out
}
