package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/strictyaml"
)

// Selector picks cells by parts of their names.
type Selector map[string]string

// ParseSelector reads KEY=VALUE,…; a word without a key is a backend.
func ParseSelector(text string) (Selector, error) {
	_, values, err := results.ParseParts(text, func(key string) (string, error) {
		if !slices.Contains(results.CellKeys, key) {
			return "", fmt.Errorf("unknown key %q%s", key, strictyaml.DidYouMean(key, results.CellKeys))
		}
		return key, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return values, nil
}

// String is the selector as it is written, in the order of names.
func (s Selector) String() string {
	var parts []string
	for _, k := range results.CellKeys {
		if v, ok := s[k]; ok {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, ",")
}

// match reports whether a cell has all that the selector names.
func (s Selector) match(c results.Cell) bool {
	for k, v := range s {
		if c.Part(k) != v {
			return false
		}
	}
	return true
}

// rest is the cell without the named parts, and without its program's hash,
// which some of them change: what base and head must share.
func rest(c results.Cell, named []string) results.Cell {
	c.Hash = ""
	for _, k := range named {
		for _, nothing := range []string{"", "0"} { // words, numbers
			if without, err := c.With(k, nothing); err == nil {
				c = without
				break
			}
		}
	}
	return c
}

// sharedName is a cell's name without the named parts.
func sharedName(c results.Cell, named []string) string {
	var parts []string
	for i, p := range strings.Split(c.Name(), "/") {
		key, _, _ := strings.Cut(p, "=")
		if i == 0 {
			key = "workload"
		}
		if !slices.Contains(named, key) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, "/")
}
