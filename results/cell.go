package results

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Name is the cell's name in tables, file exports and messages, for example
//
//	MnistCnn/mode=train/precision=f32/batch=32/threads=4/backend=gorgonia
//
// Mode, precision, batch and backend always show; any other setting shows only
// where it is not the plain one (device cpu, data resident, accumulate 1,
// threads 1, checkpoint 0, the default allocator). The backend is the last part, and Validate refuses
// backends that end in -<digits>, because readers of Go's benchmark format cut
// such an end off as GOMAXPROCS.
func (c Cell) Name() string {
	s := c.Group().settings()
	if c.Backend != "" {
		s = append(s, "backend="+c.Backend)
	}
	return c.Workload + "/" + strings.Join(s, "/")
}

// settings are the key=value parts of the name, without the backend.
func (c Cell) settings() []string {
	s := []string{"mode=" + c.Mode, "precision=" + c.Precision}
	if c.Device != "" && c.Device != "cpu" {
		s = append(s, "device="+c.Device)
	}
	if c.Data != "" && c.Data != "resident" {
		s = append(s, "data="+c.Data)
	}
	s = append(s, "batch="+strconv.Itoa(c.Batch))
	if c.Accumulate > 1 {
		s = append(s, "accumulate="+strconv.Itoa(c.Accumulate))
	}
	if c.Threads != 1 {
		s = append(s, "threads="+strconv.Itoa(c.Threads))
	}
	if c.Checkpoint != 0 {
		s = append(s, "checkpoint="+strconv.Itoa(c.Checkpoint))
	}
	if c.Allocator != "" {
		s = append(s, "allocator="+c.Allocator)
	}
	return s
}

// Group is the cell without its backend: the key under which backends are
// compared.
func (c Cell) Group() Cell {
	c.Backend = ""
	return c
}

var (
	partRE   = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._+@:-]*$`)
	suffixRE = regexp.MustCompile(`-[0-9]+$`)
)

// Validate reports the first part of the cell that would make its name
// ambiguous: an empty part, a slash, equals sign or space in a part, or a
// backend or workload that ends in -<digits>.
func (c Cell) Validate() error {
	parts := []struct{ field, value string }{
		{"workload", c.Workload}, {"mode", c.Mode}, {"precision", c.Precision},
		{"device", c.Device}, {"data", c.Data}, {"backend", c.Backend},
	}
	for _, p := range parts {
		if !partRE.MatchString(p.value) {
			return fmt.Errorf("cell %s: %s %q: expected letters, digits and any of . _ + @ : - (first a letter or digit)", c.Name(), p.field, p.value)
		}
	}
	for _, p := range []struct{ field, value string }{{"workload", c.Workload}, {"backend", c.Backend}} {
		if s := suffixRE.FindString(p.value); s != "" {
			return fmt.Errorf("cell %s: %s %q ends in %q, which readers of Go's benchmark format cut off as GOMAXPROCS; write it without the hyphen", c.Name(), p.field, p.value, s)
		}
	}
	if c.Allocator != "" && !partRE.MatchString(c.Allocator) {
		return fmt.Errorf("cell %s: allocator %q: expected nothing or a name such as tuned", c.Name(), c.Allocator)
	}
	if c.Batch < 1 {
		return fmt.Errorf("cell %s: batch %d: expected at least 1", c.Name(), c.Batch)
	}
	return nil
}
