// Package selection says which cells of which runs are held against each other,
// in the filter and projection syntax of benchstat over the parts of names.
package selection

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Query is what a user asks for. All fields may be empty.
type Query struct {
	// Base is KEY=VALUE,…: what the base has. A head is a cell that differs from
	// its base in these keys only. Empty: the first value of Col, or else the
	// baseline of one run, the first of several runs.
	Base   string
	Filter string // which cells take part
	// Projections: what a table, a row and a column are, with their orders. Keys
	// that none of them names stand in the row; those of Ignore stand nowhere, and
	// cells that differ in them are held against each other all the same.
	Table, Row, Col, Ignore string
}

// Part is one part of a name.
type Part struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Line is one comparison: a head in its row and column of a table, and its base.
type Line struct {
	Table, Row, Col []Part // of the head
	Base, Head      compare.Sample
	// Absent: the run of one of the two did not plan it.
	Absent bool
	// Reason is why the two must not be compared, in one line; empty: they may.
	Reason string
}

// Selection is the answer to a query.
type Selection struct {
	Base  []Part // the compared keys, with the base's values
	Lines []Line // in the order of tables, rows and columns
	Alone []compare.Sample
}

// Labels names runs for people: by their own labels, or else by their folders.
// No two are the same.
func Labels(runs []results.Run) []string {
	labels := make([]string, len(runs))
	for _, name := range []func(results.Run) string{
		func(r results.Run) string { return r.Dir },
		func(r results.Run) string { return filepath.Base(r.Dir) },
		func(r results.Run) string { return cmp.Or(r.Meta.Label, filepath.Base(r.Dir)) },
	} {
		seen := map[string]bool{}
		names := make([]string, len(runs))
		for i, r := range runs {
			names[i] = name(r)
			seen[names[i]] = true
		}
		if len(seen) == len(runs) {
			labels = names
		}
	}
	for i, l := range labels {
		if l == "" { // the same folder twice
			labels[i] = fmt.Sprintf("%s#%d", runs[i].Dir, i+1)
		}
	}
	return labels
}

// Select answers a query. It is a pure function of what the runs planned. An
// error is one line.
func Select(runs []results.Run, q Query) (Selection, error) {
	out, err := answer(runs, q)
	if err != nil { // names and expressions may hold anything
		return out, errors.New(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, err.Error()))
	}
	return out, nil
}

func answer(runs []results.Run, q Query) (Selection, error) {
	s := selector{runs: runs, labels: Labels(runs)}
	if err := s.parse(q); err != nil {
		return Selection{}, err
	}
	if err := s.choose(q); err != nil {
		return Selection{}, err
	}
	if err := s.findBase(q); err != nil {
		return Selection{}, err
	}
	if err := s.project(); err != nil {
		return Selection{}, err
	}
	out := Selection{Base: s.base}
	if err := s.match(&out); err != nil {
		return Selection{}, err
	}
	s.arrange(&out)
	return out, nil
}

// parts are the values of Keys.
type parts [12]string

// sample is a cell of a run with the parts of its name.
type sample struct {
	compare.Sample
	parts parts
}

func keyIndex(key string) int { return slices.Index(Keys, key) }

// selector holds what the steps of Select share.
type selector struct {
	runs    []results.Run
	labels  []string
	samples []sample
	base    []Part

	filter *benchproc.Filter
	// The expressions of the dimensions with their keys, and what they project.
	table, row, col, ignore dimension
	rest                    []string // keys of the row that it does not name
	// The projections that lines are arranged by.
	byTable, byRow, byCol *benchproc.Projection
}

type dimension struct {
	text string
	keys []string
}

func (s *selector) parse(q Query) (err error) {
	if s.filter, err = filter("--filter", q.Filter); err != nil {
		return err
	}
	named := map[string]string{} // key -> flag
	for _, d := range []struct {
		flag, text string
		into       *dimension
	}{{"--table", q.Table, &s.table}, {"--row", q.Row, &s.row}, {"--col", q.Col, &s.col}, {"--ignore", q.Ignore, &s.ignore}} {
		text, keys, err := projection(d.flag, d.text)
		if err != nil {
			return err
		}
		// Once for its errors; the projections in use share a parser and a filter.
		var p benchproc.ProjectionParser
		if _, err := p.Parse(text, s.filter); err != nil {
			return syntaxError(d.flag, d.text, err)
		}
		for _, k := range keys {
			if other := named[k]; other != "" {
				return fmt.Errorf("%s and %s both name %s: one of them can have it", other, d.flag, k)
			}
			named[k] = d.flag
		}
		*d.into = dimension{text, keys}
	}
	return nil
}

// choose makes the samples that the filter leaves.
func (s *selector) choose(q Query) error {
	all := 0
	for i, r := range s.runs {
		for _, c := range r.Meta.Cells {
			all++
			x := sample{Sample: compare.Sample{Run: i, Cell: c}, parts: s.partsOf(i, c)}
			if m, err := s.filter.Match(result(x.parts)); err == nil && m.Any() {
				s.samples = append(s.samples, x)
			}
		}
	}
	if all == 0 {
		return fmt.Errorf("%s: the run has no cells, so there is nothing to compare", s.runs[0].Dir)
	}
	if len(s.samples) == 0 {
		var have []string
		for _, k := range []string{"workload", "mode", "backend", runKey} {
			have = append(have, k+": "+strings.Join(s.planned(k), " "))
		}
		return fmt.Errorf("no cell of %d passes the filter %q and the fixed orders; there are %s", all, q.Filter, strings.Join(have, "; "))
	}
	return nil
}

func (s *selector) partsOf(run int, c results.Cell) (p parts) {
	for i, k := range results.CellKeys {
		p[i] = c.Part(k)
	}
	p[len(p)-1] = s.labels[run]
	return p
}

// planned are the values of a key, whatever the filter says.
func (s *selector) planned(key string) (have []string) {
	for i, r := range s.runs {
		for _, c := range r.Meta.Cells {
			if v := s.partsOf(i, c)[keyIndex(key)]; !slices.Contains(have, v) {
				have = append(have, v)
			}
		}
	}
	return have
}

// values are those of a key among the samples.
func (s *selector) values(key string) (have []string) {
	for _, x := range s.samples {
		if v := x.parts[keyIndex(key)]; !slices.Contains(have, v) {
			have = append(have, v)
		}
	}
	return have
}

// result shows parts to benchproc.
func result(p parts) *benchfmt.Result {
	r := &benchfmt.Result{Name: benchfmt.Name("Cell"), Iters: 1, Values: []benchfmt.Value{{Value: 1, Unit: "cells"}}}
	for i, k := range Keys {
		r.Config = append(r.Config, benchfmt.Config{Key: k, Value: []byte(p[i]), File: true})
	}
	return r
}
