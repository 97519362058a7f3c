package selection

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchproc"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// programKeys are the parts of a name that decide what is computed. Cells that
// agree in them are the same work, or else one of them was measured of another
// version of the workload.
var programKeys = []string{"workload", "mode", "batch", "accumulate"}

// kin are the samples that differ in compared and ignored keys only.
type kin struct {
	bases, heads []sample
	// found counts by base and run of a head: what is not found has vanished.
	found map[compare.Sample]map[int]bool
}

// match finds the base of each head, and each base that lost its head.
func (s *selector) match(out *Selection) error {
	families, order := map[parts]*kin{}, []*kin{}
	for _, x := range s.samples {
		key := x.parts
		for _, p := range s.base {
			key[keyIndex(p.Key)] = ""
		}
		for _, k := range s.ignore.keys {
			key[keyIndex(k)] = ""
		}
		f := families[key]
		if f == nil {
			f = &kin{found: map[compare.Sample]map[int]bool{}}
			families[key] = f
			order = append(order, f)
		}
		if s.isBase(x.parts) {
			f.bases = append(f.bases, x)
		} else {
			f.heads = append(f.heads, x)
		}
	}
	for _, f := range order {
		if err := s.crowded(f.bases); err != nil {
			return err
		}
		if err := s.crowded(f.heads); err != nil {
			return err
		}
		for _, h := range f.heads {
			line, err := s.pair(f, h)
			if err != nil {
				return err
			}
			out.Lines = append(out.Lines, line)
		}
		if s.betweenRuns() {
			out.Lines = append(out.Lines, s.vanished(f)...)
		} else if len(f.heads) == 0 {
			for _, b := range f.bases {
				out.Alone = append(out.Alone, b.Sample)
			}
		}
	}
	return nil
}

func (s *selector) isBase(p parts) bool {
	for _, b := range s.base {
		if p[keyIndex(b.Key)] != b.Value {
			return false
		}
	}
	return true
}

// betweenRuns reports whether nothing but the run is compared.
func (s *selector) betweenRuns() bool { return len(s.base) == 1 && s.base[0].Key == runKey }

// crowded refuses samples that differ in ignored keys alone: they would be
// compared as one, and their trials are not of one cell.
func (s *selector) crowded(list []sample) error {
	seen := map[parts]sample{}
	for _, x := range list {
		key := x.parts
		for _, k := range s.ignore.keys {
			key[keyIndex(k)] = ""
		}
		other, ok := seen[key]
		seen[key] = x
		if !ok || other.parts == x.parts {
			continue
		}
		var differ []string
		for _, k := range s.ignore.keys {
			if a, b := other.parts[keyIndex(k)], x.parts[keyIndex(k)]; a != b {
				differ = append(differ, fmt.Sprintf("%s %s and %s", k, a, b))
			}
		}
		return fmt.Errorf("two cells stand where one is compared, %s: they differ in %s, which --ignore leaves out; hint: choose one with --filter, or do not ignore it",
			x.Cell.Name(), strings.Join(differ, ", "))
	}
	return nil
}

// pair finds the base of a head.
func (s *selector) pair(f *kin, head sample) (Line, error) {
	line := Line{Head: head.Sample}
	if len(f.bases) == 0 {
		base, err := s.likeBase(head.Sample)
		line.Base, line.Absent = base, true
		return line, err
	}
	sameWork := func(b sample) bool {
		return !slices.ContainsFunc(programKeys, func(k string) bool { return b.parts[keyIndex(k)] != head.parts[keyIndex(k)] })
	}
	at := slices.IndexFunc(f.bases, func(b sample) bool { return b.Cell.Hash == head.Cell.Hash })
	if at < 0 {
		at = 0
		switch b := f.bases[0]; {
		case sameWork(b):
			line.Reason = fmt.Sprintf("not the same work: the programs are %s and %s; hint: measure the base again with this version of the workload", program(b.Cell), program(head.Cell))
		case len(f.bases) > 1:
			line.Reason = fmt.Sprintf("the base has this name twice, for the programs %s and %s", program(b.Cell), program(f.bases[1].Cell))
		}
	}
	b := f.bases[at]
	line.Base = b.Sample
	if f.found[b.Sample] == nil {
		f.found[b.Sample] = map[int]bool{}
	}
	f.found[b.Sample][head.Run] = true
	return line, nil
}

// vanished are the bases that another run should have too, and has not.
func (s *selector) vanished(f *kin) (lines []Line) {
	for _, b := range f.bases {
		for run := range s.runs {
			if run == b.Run || f.found[b.Sample][run] {
				continue
			}
			if m, err := s.filter.Match(result(s.partsOf(run, b.Cell))); err == nil && m.Any() {
				lines = append(lines, Line{Base: b.Sample, Head: compare.Sample{Run: run, Cell: b.Cell}, Absent: true})
			}
		}
	}
	return lines
}

// likeBase is the base that a head would have.
func (s *selector) likeBase(head compare.Sample) (compare.Sample, error) {
	for _, p := range s.base {
		if p.Key == runKey {
			head.Run = slices.Index(s.labels, p.Value)
			continue
		}
		c, err := head.Cell.With(p.Key, p.Value)
		if err != nil {
			return head, fmt.Errorf("--base: %w", err)
		}
		head.Cell = c
	}
	return head, nil
}

// program names a program by its hash, short.
func program(c results.Cell) string {
	if len(c.Hash) > 19 {
		return c.Hash[:19] // sha256: and 12 digits
	}
	return fmt.Sprintf("%q", c.Hash)
}

// arrange fills in where the lines stand and sorts them.
func (s *selector) arrange(out *Selection) {
	// In the order in which the cells are planned: that is the order of values
	// where a projection names no other.
	for _, x := range s.samples {
		r := result(x.parts)
		s.byTable.Project(r)
		s.byRow.Project(r)
		s.byCol.Project(r)
	}
	type place struct{ table, row, col benchproc.Key }
	places := make([]place, len(out.Lines))
	order := make([]int, len(out.Lines))
	for i := range out.Lines {
		l := &out.Lines[i]
		r := result(s.partsOf(l.Head.Run, l.Head.Cell))
		places[i] = place{s.byTable.Project(r), s.byRow.Project(r), s.byCol.Project(r)}
		l.Table, l.Row, l.Col = partsOf(places[i].table), partsOf(places[i].row), partsOf(places[i].col)
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := places[i], places[j]
		for _, c := range []int{compareKeys(a.table, b.table), compareKeys(a.row, b.row), compareKeys(a.col, b.col)} {
			if c != 0 {
				return c
			}
		}
		return 0
	})
	lines := make([]Line, len(order))
	for i, at := range order {
		lines[i] = out.Lines[at]
	}
	out.Lines = lines
}
