package selection

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchproc"
)

// findBase finds what the base has.
func (s *selector) findBase(q Query) error {
	switch {
	case q.Base != "":
		base, err := parseBase(q.Base)
		if err != nil {
			return err
		}
		s.base = base
	case len(s.col.keys) > 0:
		var p benchproc.ProjectionParser
		by, err := p.Parse(s.col.text, s.filter)
		if err != nil {
			return syntaxError("--col", q.Col, err)
		}
		var keys []benchproc.Key
		for _, x := range s.samples {
			keys = append(keys, by.Project(result(x.parts)))
		}
		first := slices.MinFunc(keys, compareKeys)
		s.base = partsOf(first)
	case len(s.runs) > 1:
		s.base = []Part{{runKey, s.labels[0]}}
	case s.runs[0].Meta.Baseline != "":
		s.base = []Part{{"backend", s.runs[0].Meta.Baseline}}
	default:
		return fmt.Errorf("the run names no baseline; hint: name the base, --base backend=… with one of %s", strings.Join(s.values("backend"), ", "))
	}
	for _, p := range s.base {
		if slices.Contains(s.ignore.keys, p.Key) {
			return fmt.Errorf("--ignore leaves out %s, which is compared: the base is %s=%s", p.Key, p.Key, p.Value)
		}
		if have := s.values(p.Key); !slices.Contains(have, p.Value) {
			why := "no cell has it"
			if slices.Contains(s.planned(p.Key), p.Value) {
				why = "the filter leaves none of its cells"
			}
			return fmt.Errorf("the base is %s=%s: %s; expected one of %s; hint: --base names another", p.Key, p.Value, why, strings.Join(have, ", "))
		}
	}
	return nil
}

// project fixes what stands in tables, rows and columns: compared keys that no
// projection names stand in the column, all others in the row.
func (s *selector) project() error {
	named := slices.Concat(s.table.keys, s.row.keys, s.col.keys, s.ignore.keys)
	for _, p := range s.base {
		if !slices.Contains(named, p.Key) {
			s.col = s.col.and(p.Key)
			named = append(named, p.Key)
		}
	}
	for _, k := range Keys {
		if !slices.Contains(named, k) {
			s.rest = append(s.rest, k)
		}
	}
	row := s.row
	for _, k := range s.rest {
		row = row.and(k)
	}
	var p benchproc.ProjectionParser
	for _, d := range []struct {
		text string
		by   **benchproc.Projection
	}{{s.table.text, &s.byTable}, {row.text, &s.byRow}, {s.col.text, &s.byCol}} {
		by, err := p.Parse(d.text, s.filter)
		if err != nil {
			return err
		}
		*d.by = by
	}
	return nil
}

// and is the dimension with one key more.
func (d dimension) and(key string) dimension {
	if len(d.keys) > 0 {
		d.text += ","
	}
	return dimension{d.text + key, append(slices.Clone(d.keys), key)}
}

func compareKeys(a, b benchproc.Key) int {
	switch {
	case a == b:
		return 0
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	}
	return 0
}

// partsOf are the fields of a projection's key.
func partsOf(k benchproc.Key) []Part {
	var list []Part
	for _, f := range k.Projection().FlattenedFields() {
		list = append(list, Part{f.Name, k.Get(f)})
	}
	return list
}
