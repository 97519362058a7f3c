package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Resume opens an interrupted run for more records. It refuses, naming each
// field with both values, where suite, seed, plan, binary, baseline, policy,
// sharing of processes, the limits of a trial, cells or host are not those of m: trials under other
// terms are of another run. The time of the whole suite and when its rounds end
// (Policy.Until) may differ. The run
// keeps the run.json it has, to which this resumption is added; a torn last
// line is cut off.
func Resume(dir string, m Meta) (*Journal, Run, error) {
	if _, err := os.Lstat(filepath.Join(dir, metaFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, Run{}, fmt.Errorf("%s: no run to resume (no %s)", dir, metaFile)
		}
		return nil, Run{}, err
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, Run{}, err
	}
	run, whole, err := read(dir, owning)
	if err == nil {
		if changed := changes(run.Meta, m); len(changed) > 0 {
			err = fmt.Errorf("%s: cannot resume: %s (first value: the run's, second: now); hint: start a new run", dir, strings.Join(changed, "; "))
		}
	}
	if err == nil {
		run.Meta.Resumes = append(run.Meta.Resumes, Resumption{At: m.Started, Command: m.Command, SuiteNS: m.Limits.SuiteNS})
		err = rewriteMeta(dir, run.Meta)
	}
	if err != nil {
		l.release()
		return nil, Run{}, err
	}
	j, err := openJournal(dir, run.Meta, l, whole)
	if err != nil {
		return nil, Run{}, err
	}
	return j, run, nil
}

// rewriteMeta replaces run.json.
func rewriteMeta(dir string, m Meta) error {
	data, err := encodeMeta(m)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, metaFile), err)
	}
	return writeAtomic(dir, metaFile, data)
}

// changes lists what makes a resumed run another run.
func changes(was, now Meta) []string {
	var c []string
	text := func(field, a, b string) {
		if a != b {
			c = append(c, fmt.Sprintf("%s changed: %q, %q", field, a, b))
		}
	}
	number := func(field string, a, b int64) {
		if a != b {
			c = append(c, fmt.Sprintf("%s changed: %d, %d", field, a, b))
		}
	}
	text("suite", was.Suite, now.Suite)
	if was.Seed != now.Seed {
		c = append(c, fmt.Sprintf("seed changed: %d, %d", was.Seed, now.Seed))
	}
	if was.Shared != now.Shared {
		c = append(c, fmt.Sprintf("shared processes (--share-process) changed: %v, %v", was.Shared, now.Shared))
	}
	text("plan", was.Plan, now.Plan)
	text("binary", was.Binary, now.Binary)
	text("baseline", was.Baseline, now.Baseline)
	number("limits.trial_ns", was.Limits.TrialNS, now.Limits.TrialNS)
	number("limits.memory_bytes", was.Limits.MemoryBytes, now.Limits.MemoryBytes)
	if !slices.Equal(was.Cells, now.Cells) {
		a, b := missing(was.Cells, now.Cells), missing(now.Cells, was.Cells)
		c = append(c, fmt.Sprintf("cells changed: %d, %d (only in the run: %s; only now: %s)", len(was.Cells), len(now.Cells), a, b))
	}
	// Until says when to stop, not how to measure or judge: a run that its own
	// comparisons ended may go on to all rounds.
	was.Policy.Until, now.Policy.Until = "", ""
	pa, _ := json.Marshal(was.Policy)
	pb, _ := json.Marshal(now.Policy)
	text("policy", string(pa), string(pb))
	for _, d := range was.Host.Diff(now.Host) {
		c = append(c, "host changed: "+d)
	}
	return c
}

// missing names the first cell of a that b lacks.
func missing(a, b []Cell) string {
	for _, c := range a {
		if !slices.Contains(b, c) {
			return c.Name()
		}
	}
	return "none"
}
