package results

import (
	"bytes"
	"fmt"
	"io"
)

// readTrials parses the lines of trials.jsonl. It returns the size of the
// whole lines and that of a torn last one.
func readTrials(in io.Reader, path string, planned map[Cell]bool, keep func(*Record)) (records []Record, whole, torn int64, err error) {
	type trial struct {
		cell           Cell
		round, attempt int
	}
	first := map[trial]int{}
	var parts [][]Record
	n := 0 // records so far
	reader := lineReader{parse: func(m *memo, c *chunk) { c.parse(m, planned, keep) }}
	rest := reader.read(in, func(c *chunk) bool {
		parts = append(parts, c.records)
		for i := range c.records {
			r := &c.records[i]
			n++
			if r.Kind != KindTime {
				continue
			}
			t := trial{r.Cell, r.Round, r.Attempt}
			if before := first[t]; before != 0 {
				err = fmt.Errorf("%s:%d: %s has round %d, attempt %d in line %d already; hint: delete the copy", path, n, r.Cell.Name(), r.Round, r.Attempt, before)
				return false
			}
			first[t] = n
		}
		if c.err != nil {
			err = fmt.Errorf("%s:%d: %w", path, n+1, c.err)
			return false
		}
		whole += c.size
		return true
	})
	if err != nil {
		return nil, 0, 0, err
	}
	if n > 0 {
		records = make([]Record, 0, n)
		for _, p := range parts {
			records = append(records, p...)
		}
	}
	return records, whole, int64(len(rest)), nil
}

// parse reads the chunk's lines up to the first that is no record of a run with
// these cells.
func (c *chunk) parse(m *memo, planned map[Cell]bool, keep func(*Record)) {
	c.records = make([]Record, 0, m.lines)
	defer func() { m.lines = len(c.records) + len(c.records)/8 }()
	for lines := c.lines; len(lines) > 0 && c.err == nil; {
		end := bytes.IndexByte(lines, '\n') + 1
		r, err := m.record(lines[:end])
		if err == nil {
			err = r.valid(planned)
		}
		if err != nil {
			c.err = err
			return
		}
		keep(&r)
		c.records = append(c.records, r)
		lines = lines[end:]
	}
	c.size = int64(len(c.lines))
}

// record reads one line. The record's blocks are the memo's own.
func (m *memo) record(line []byte) (Record, error) {
	if len(line) > maxLine {
		return Record{}, errLongLine
	}
	if r, ok := m.scanRecord(line); ok {
		return r, nil
	}
	var r Record
	if at, err := strict(line, &r, &r.Schema); err != nil {
		return Record{}, fmt.Errorf("column %d: %w", at+1, err)
	}
	return r, nil
}

// ownBlocks copies the blocks that a record shares with its reader.
func (r *Record) ownBlocks() {
	if r.BlockNS != nil {
		r.BlockNS = append(make([]int64, 0, len(r.BlockNS)), r.BlockNS...)
	}
}
