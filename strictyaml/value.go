package strictyaml

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

func placeOf(file string, n ast.Node) Place {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return Place{File: file}
	}
	pos := n.GetToken().Position
	return Place{file, pos.Line, pos.Column}
}

// Value is one node of the tree with the path that names it in messages.
type Value struct {
	r    *Reader
	node ast.Node
	path string // "layers[2].units", "" for the root
}

// Place is where the value stands.
func (v Value) Place() Place { return placeOf(v.r.File, v.node) }

// Fail records an error at the value: path: message.
func (v Value) Fail(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if v.path != "" {
		msg = v.path + ": " + msg
	}
	v.r.failAt(v.Place(), "%s", msg)
}

// Err is the first error of the file so far.
func (v Value) Err() error { return v.r.Err }

// Missing tells that the key of the value is absent.
func (v Value) Missing() bool { return v.node == nil }

// what names the kind of a node for messages.
func (v Value) what() string {
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
		return Quote(n.Value)
	case *ast.LiteralNode:
		return Quote(n.Value.Value)
	case nil:
		return "nothing"
	default:
		return Quote(n.GetToken().Value)
	}
}

// Quote shortens and quotes a stranger's text.
func Quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}

// Expected fails with what was found, and a hint for what is never accepted.
func (v Value) Expected(form string) {
	switch v.node.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		v.Fail("%s: expected %s; anchors, aliases and tags are not accepted, write the value out", v.what(), form)
	default:
		v.Fail("%s: expected %s", v.what(), form)
	}
}

// Map is a mapping of which every key has been checked.
type Map struct {
	Value
	Keys   []string // in the order of the file
	values map[string]Value
}

// Mapping reads a mapping whose keys must be in allowed (any key, if nil).
func (v Value) Mapping(allowed []string) Map {
	m := Map{Value: v, values: map[string]Value{}}
	if v.r.Err != nil {
		return m
	}
	var pairs []*ast.MappingValueNode
	switch n := v.node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		v.Expected("a mapping")
		return m
	}
	for _, p := range pairs {
		key, ok := p.Key.(*ast.StringNode)
		at := Value{v.r, p.Key, v.path}
		if !ok {
			at.Fail("key %s: expected a plain word", Quote(p.Key.GetToken().Value))
			return m
		}
		name := key.Value
		if allowed != nil && !slices.Contains(allowed, name) {
			at.Fail("unknown key %s%s", Quote(name), DidYouMean(name, allowed))
			return m
		}
		if _, dup := m.values[name]; dup {
			at.Fail("duplicate key %s: expected it once", Quote(name))
			return m
		}
		m.Keys = append(m.Keys, name)
		m.values[name] = Value{v.r, p.Value, strings.TrimPrefix(v.path+"."+name, ".")}
	}
	return m
}

// Get returns the value of key; missing() tells that it is absent.
func (m Map) Get(key string) Value {
	if v, ok := m.values[key]; ok {
		return v
	}
	return Value{r: m.r, path: m.path}
}

// Need returns the value of key, which must be there.
func (m Map) Need(key string) Value {
	if _, ok := m.values[key]; !ok {
		m.Fail("no %q: expected one", key)
	}
	return m.Get(key)
}

// List reads a list; nil where it is missing.
func (v Value) List() []Value {
	if v.r.Err != nil || v.Missing() {
		return nil
	}
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.Expected("a list")
		return nil
	}
	out := make([]Value, len(seq.Values))
	for i, n := range seq.Values {
		out[i] = Value{v.r, n, fmt.Sprintf("%s[%d]", v.path, i)}
	}
	return out
}

// ListOrOne reads a list, or a single value as a list of one.
func (v Value) ListOrOne() []Value {
	if v.Missing() {
		return nil
	}
	if _, ok := v.node.(*ast.SequenceNode); ok {
		return v.List()
	}
	return []Value{v}
}

// Text reads a string; "" where it is missing.
func (v Value) Text() string {
	if v.r.Err != nil || v.Missing() {
		return ""
	}
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	v.Expected("text; put quotes around it")
	return ""
}

var (
	integerForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numberForm  = regexp.MustCompile(`^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
)

// Plain is the source text of an unquoted scalar.
func (v Value) Plain() (string, bool) {
	switch n := v.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.StringNode:
		tk := n.GetToken()
		return n.Value, tk != nil && tk.Type != token.SingleQuoteType && tk.Type != token.DoubleQuoteType
	}
	return "", false
}

// Integer reads a decimal integer; 0 where it is missing.
func (v Value) Integer() int {
	if v.r.Err != nil || v.Missing() {
		return 0
	}
	s, ok := v.Plain()
	n, err := strconv.ParseInt(s, 10, 32)
	if !ok || !integerForm.MatchString(s) || err != nil {
		v.Expected("a whole number")
		return 0
	}
	return int(n)
}

// Number reads a decimal number; 0 where it is missing.
func (v Value) Number() float64 {
	if v.r.Err != nil || v.Missing() {
		return 0
	}
	s, ok := v.Plain()
	x, err := strconv.ParseFloat(s, 64)
	if !ok || !numberForm.MatchString(s) || err != nil || math.IsInf(x, 0) {
		v.Expected("a number")
		return 0
	}
	return x
}

// Boolean reads true or false; missing gives def.
func (v Value) Boolean(def bool) bool {
	if v.r.Err != nil || v.Missing() {
		return def
	}
	switch s, _ := v.Plain(); s {
	case "true":
		return true
	case "false":
		return false
	}
	v.Expected("true or false")
	return def
}

// Words reads a mapping of texts whose keys are in allowed.
func (v Value) Words(allowed []string) map[string]string {
	if v.Missing() {
		return nil
	}
	m := v.Mapping(allowed)
	out := make(map[string]string, len(m.Keys))
	for _, k := range m.Keys {
		s := m.Get(k).Text()
		if len(s) > 2000 {
			m.Get(k).Fail("%d bytes: expected at most 2000", len(s))
		}
		out[k] = s
	}
	return out
}

// IsMapping tells that a mapping stands there.
func (v Value) IsMapping() bool {
	switch v.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}
