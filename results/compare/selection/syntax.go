package selection

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchproc"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/strictyaml"
)

// Keys are the parts of a sample's name that filters and projections may use:
// those of its cell, and the run.
var Keys = append(slices.Clone(results.CellKeys), runKey)

const runKey = "run"

// canonical is the key that a user of benchstat may write otherwise: /backend,
// .name, .file.
func canonical(key string) (string, error) {
	k := strings.TrimPrefix(key, "/")
	switch key {
	case ".name":
		k = "workload"
	case ".file":
		k = runKey
	case ".unit":
		return "", errors.New(".unit is not a key here; hint: --metric names what is compared")
	case ".config":
		return "", fmt.Errorf(".config is not a key here: expected some of %s", strings.Join(Keys, ", "))
	}
	if !slices.Contains(Keys, k) {
		return "", fmt.Errorf("unknown key %q%s", key, strictyaml.DidYouMean(k, Keys))
	}
	return k, nil
}

// token is the first word, operator or space of an expression of benchproc.
var token = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|[():@,]|\s+|[^\s():@,]+)`)

// pattern is a regular expression in the place of a value: up to the slash that
// a space, an operator or nothing follows.
var pattern = regexp.MustCompile(`^/(?:[^/\\]|\\.|/[^\s():@,])*/`)

// filter checks the keys of a filter, and makes it. benchproc takes a key that
// it does not know for one that nothing has, and so would drop all cells, or
// none, without a word.
func filter(flag, text string) (*benchproc.Filter, error) {
	if strings.TrimSpace(text) == "" {
		text = "*"
	}
	var out strings.Builder
	value, depth := false, 0 // a value is next; brackets open since it was
	for rest := text; rest != ""; {
		t := token.FindString(rest)
		if value && rest[0] == '/' {
			t = pattern.FindString(rest)
		}
		if t == "" { // broken, which benchproc says better
			out.WriteString(rest)
			break
		}
		rest = rest[len(t):]
		switch {
		case strings.TrimSpace(t) == "":
		case t == ":":
			value = true
		case value && t == "(":
			depth++
		case value && t == ")":
			depth--
			value = depth > 0
		case value:
			value = depth > 0
		case strings.HasPrefix(rest, ":"):
			bare := strings.TrimLeft(t, "-*")
			k, err := canonical(strings.Trim(bare, `"`))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", flag, err)
			}
			t = t[:len(t)-len(bare)] + k
		}
		out.WriteString(t)
	}
	f, err := benchproc.NewFilter(out.String())
	if err != nil {
		return nil, syntaxError(flag, text, err)
	}
	return f, nil
}

// projection checks the keys of a projection and names them as benchproc
// extracts them; it returns the keys too.
func projection(flag, text string) (string, []string, error) {
	var out strings.Builder
	var keys []string
	order := false // what follows orders the key before it
	depth := 0
	for rest := text; rest != ""; {
		t := token.FindString(rest)
		if t == "" {
			out.WriteString(rest)
			break
		}
		rest = rest[len(t):]
		switch {
		case strings.TrimSpace(t) == "" || t == ",":
		case t == "@":
			order = true
		case t == "(":
			depth++
		case t == ")":
			depth--
			order = depth > 0
		case order || depth > 0:
			order = depth > 0
		case t == ":":
		default:
			k, err := canonical(strings.Trim(t, `"`))
			if err != nil {
				return "", nil, fmt.Errorf("%s: %w", flag, err)
			}
			if slices.Contains(keys, k) {
				return "", nil, fmt.Errorf("%s %q: %s is there twice", flag, text, k)
			}
			t, keys = k, append(keys, k)
		}
		out.WriteString(t)
	}
	return out.String(), keys, nil
}

// syntaxError is benchproc's message in one line; it draws an arrow below the
// expression.
func syntaxError(flag, text string, err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s %q: %s; hint: the syntax is that of benchstat, go doc golang.org/x/perf/benchproc/syntax", flag, text, first)
}

// parseBase reads KEY=VALUE,…; a word without a key is a backend.
func parseBase(text string) ([]Part, error) {
	keys, values, err := results.ParseParts(text, canonical)
	if err != nil {
		return nil, fmt.Errorf("--base %q: %w", text, err)
	}
	var base []Part
	for _, k := range keys {
		base = append(base, Part{k, values[k]})
	}
	return base, nil
}
