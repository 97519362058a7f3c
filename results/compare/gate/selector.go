package gate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/strictyaml"
)

// Selector picks cells by parts of their names.
type Selector map[string]string

// keys are the parts that a selector may name, in the order of names.
var keys = []string{"workload", "mode", "precision", "device", "data", "batch", "accumulate", "threads", "checkpoint", "allocator", "backend"}

// ParseSelector reads KEY=VALUE,…; a word without a key is a backend.
func ParseSelector(text string) (Selector, error) {
	s := Selector{}
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			key, value = "backend", part
		}
		switch {
		case value == "":
			return nil, fmt.Errorf("%q: expected BACKEND or KEY=VALUE,… with the keys %s", text, strings.Join(keys, ", "))
		case !slices.Contains(keys, key):
			return nil, fmt.Errorf("%q: unknown key %q%s", text, key, strictyaml.DidYouMean(key, keys))
		case s[key] != "":
			return nil, fmt.Errorf("%q: %s is there twice", text, key)
		}
		s[key] = value
	}
	return s, nil
}

// String is the selector as it is written, in the order of names.
func (s Selector) String() string {
	var parts []string
	for _, k := range keys {
		if v, ok := s[k]; ok {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.Join(parts, ",")
}

// match reports whether a cell has all that the selector names.
func (s Selector) match(c results.Cell) bool {
	for k, v := range s {
		if part(c, k) != v {
			return false
		}
	}
	return true
}

// part is a cell's value for a key, as people write it.
func part(c results.Cell, key string) string {
	switch key {
	case "workload":
		return c.Workload
	case "mode":
		return c.Mode
	case "precision":
		return c.Precision
	case "device":
		return c.Device
	case "data":
		return c.Data
	case "batch":
		return strconv.Itoa(c.Batch)
	case "accumulate":
		return strconv.Itoa(c.Accumulate)
	case "threads":
		return strconv.Itoa(c.Threads)
	case "checkpoint":
		return strconv.Itoa(c.Checkpoint)
	case "allocator":
		if c.Allocator == "" {
			return "default"
		}
		return c.Allocator
	}
	return c.Backend
}

// rest is the cell without the named parts, and without its program's hash,
// which some of them change: what base and head must share.
func rest(c results.Cell, named []string) results.Cell {
	c.Hash = ""
	for _, k := range named {
		switch k {
		case "workload":
			c.Workload = ""
		case "mode":
			c.Mode = ""
		case "precision":
			c.Precision = ""
		case "device":
			c.Device = ""
		case "data":
			c.Data = ""
		case "batch":
			c.Batch = 0
		case "accumulate":
			c.Accumulate = 0
		case "threads":
			c.Threads = 0
		case "checkpoint":
			c.Checkpoint = 0
		case "allocator":
			c.Allocator = ""
		case "backend":
			c.Backend = ""
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
