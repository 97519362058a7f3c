package workloads

import (
	"fmt"
	"strconv"

	"github.com/dlbench/dlbench/strictyaml"
)

// Checkpointing is how a suite asks for gradient checkpointing. The zero value
// keeps all activations; at most one field is set.
type Checkpointing struct {
	Segments int // so many recomputed segments
	Every    int // a segment for every so many places where a single value crosses
}

// checkpointNone is how people write the zero Checkpointing.
const checkpointNone = "none"

// checkpointForms says what checkpoint may be.
const checkpointForms = "none, a number of segments, {segments: N} or {every: K}"

// String is the form that a suite file has.
func (c Checkpointing) String() string {
	switch {
	case c.Every > 0:
		return fmt.Sprintf("every: %d", c.Every)
	case c.Segments > 0:
		return fmt.Sprintf("segments: %d", c.Segments)
	}
	return checkpointNone
}

// segments is the number of segments that p is cut into: that of every k follows
// from the places where p can be cut.
func (c Checkpointing) segments(p Program) (int, error) {
	if c.Every == 0 {
		return c.Segments, nil
	}
	n := len(p.cuts()) / c.Every
	if n == 0 {
		return 0, fmt.Errorf("checkpoint every: %d: the model has only %d places where a single value crosses", c.Every, len(p.cuts()))
	}
	return n, nil
}

// checkpoints reads none, a number of segments, {segments: N} or {every: K}, or a
// list of them.
func checkpoints(v strictyaml.Value, to *[]Checkpointing) {
	if v.Missing() {
		return
	}
	*to = nil
	for _, x := range v.ListOrOne() {
		appendNew(x, to, checkpointing(x))
	}
	nonEmpty(v, len(*to))
}

func checkpointing(v strictyaml.Value) (c Checkpointing) {
	if !v.IsMapping() {
		word, plain := v.Plain()
		if plain && word == checkpointNone {
			return c
		}
		if _, err := strconv.Atoi(word); !plain || err != nil {
			v.Expected(checkpointForms)
			return c
		}
		if c.Segments = v.Integer(); v.Err() == nil && c.Segments < 0 {
			v.Fail("checkpoint %d: expected %s", c.Segments, checkpointForms)
		}
		return c
	}
	m := v.Mapping([]string{"segments", "every"})
	segments, every := m.Get("segments"), m.Get("every")
	if v.Err() == nil && segments.Missing() == every.Missing() {
		v.Fail("expected either segments or every")
	}
	for _, field := range []struct {
		v  strictyaml.Value
		to *int
	}{{segments, &c.Segments}, {every, &c.Every}} {
		if field.v.Missing() {
			continue
		}
		if *field.to = field.v.Integer(); v.Err() == nil && *field.to < 1 {
			field.v.Fail("%d: expected at least 1", *field.to)
		}
	}
	return c
}
