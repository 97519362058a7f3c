package results

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CellKeys are the parts of a cell's name, in the order in which names have them.
var CellKeys = []string{"workload", "mode", "precision", "device", "data", "batch", "accumulate", "threads", "checkpoint", "allocator", "backend"}

// ParseParts reads KEY=VALUE,… into the keys, in their order, and their values; a
// word without a key is a backend. named gives a key the name that it is known
// by, or refuses it.
func ParseParts(text string, named func(key string) (string, error)) (keys []string, values map[string]string, err error) {
	values = map[string]string{}
	for word := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(word), "=")
		if !ok {
			key, value = "backend", key
		}
		if key == "" || value == "" {
			return nil, nil, fmt.Errorf("expected KEY=VALUE,… or BACKEND, such as threads=1 or pytorch; the keys are %s", strings.Join(CellKeys, ", "))
		}
		if key, err = named(key); err != nil {
			return nil, nil, err
		}
		if slices.Contains(keys, key) {
			return nil, nil, fmt.Errorf("%s is there twice", key)
		}
		keys, values[key] = append(keys, key), value
	}
	return keys, values, nil
}

// Part is the cell's value for one of CellKeys, as a name has it; what a name
// leaves out is there too, and the plain allocator is "default".
func (c Cell) Part(key string) string {
	if s := c.text(key); s != nil {
		if key == "allocator" {
			return cmp.Or(*s, "default")
		}
		return *s
	}
	if n := c.number(key); n != nil {
		return strconv.Itoa(*n)
	}
	return ""
}

// With is the cell with another value for one of CellKeys. Its program is still
// that of c.
func (c Cell) With(key, value string) (Cell, error) {
	if s := c.text(key); s != nil {
		if *s = value; key == "allocator" && value == "default" {
			*s = ""
		}
		return c, nil
	}
	n := c.number(key)
	if n == nil {
		return c, fmt.Errorf("a cell has no %q", key)
	}
	v, err := strconv.Atoi(value)
	if err != nil {
		return c, fmt.Errorf("%s %q: expected a number", key, value)
	}
	*n = v
	return c, nil
}

// text is the field of a key whose values are words; nil if it is none.
func (c *Cell) text(key string) *string {
	switch key {
	case "workload":
		return &c.Workload
	case "mode":
		return &c.Mode
	case "precision":
		return &c.Precision
	case "device":
		return &c.Device
	case "data":
		return &c.Data
	case "allocator":
		return &c.Allocator
	case "backend":
		return &c.Backend
	}
	return nil
}

// number is the field of a key whose values are numbers; nil if it is none.
func (c *Cell) number(key string) *int {
	switch key {
	case "batch":
		return &c.Batch
	case "accumulate":
		return &c.Accumulate
	case "threads":
		return &c.Threads
	case "checkpoint":
		return &c.Checkpoint
	}
	return nil
}
