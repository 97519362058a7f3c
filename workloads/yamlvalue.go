package workloads

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
