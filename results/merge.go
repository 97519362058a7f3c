package results

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Merge makes one run of several, for a report that shows them together; Parts
// keeps each as it was, because each is judged by itself. It refuses what one page
// cannot show: a cell that two of them measured, two baselines, and two things of
// one name. Whether their hosts may stand side by side is for the caller to
// decide, by Host.Diff.
func Merge(runs []Run) (Run, error) {
	if len(runs) == 1 {
		return runs[0], nil
	}
	if len(runs) == 0 {
		return Run{}, fmt.Errorf("no run to report")
	}
	m := merger{from: map[Cell]string{}}
	m.out.Parts = runs
	first := runs[0].Meta
	m.out.Meta = Meta{
		Schema: Schema, Seed: first.Seed, Started: first.Started, Host: first.Host, Baseline: first.Baseline,
		Policy: first.Policy, Limits: first.Limits, Calibration: first.Calibration, Peaks: first.Peaks,
		Workloads: map[string]Workload{}, Backends: map[string]Backend{},
	}
	for i, run := range runs {
		if err := m.add(run, RunName(runs, i)); err != nil {
			return Run{}, err
		}
	}
	return m.out, nil
}

// RunName tells a run from the others it is shown with: by its folder, or by its
// suite and date where it was read from elsewhere.
func RunName(runs []Run, i int) string {
	if runs[i].Dir != "" {
		return runs[i].Dir
	}
	return fmt.Sprintf("run %d (suite %s, started %s)", i+1, runs[i].Meta.Suite, runs[i].Meta.Started)
}

type merger struct {
	out  Run
	from map[Cell]string // the run that has a cell
}

func (m *merger) add(run Run, name string) error {
	out, meta := &m.out.Meta, run.Meta
	before := m.out.Parts[0]
	if meta.Baseline != out.Baseline {
		return fmt.Errorf("%s has the baseline %q and %s has %q: expected one; hint: a report of each, or dlbench compare with --base",
			RunName(m.out.Parts, 0), out.Baseline, name, meta.Baseline)
	}
	for _, c := range cellsOf(run) {
		if other, ok := m.from[c]; ok {
			return fmt.Errorf("%s and %s both measured %s; hint: dlbench compare %[1]s %[2]s holds them against each other", other, name, c.Name())
		}
		m.from[c] = name
	}
	for _, w := range slices.Sorted(maps.Keys(meta.Workloads)) {
		if other, ok := out.Workloads[w]; ok && !sameProgram(other, meta.Workloads[w]) {
			return fmt.Errorf("%s: its workload %s is another program than that of an earlier run; hint: give one of them another name", name, w)
		}
		out.Workloads[w] = meta.Workloads[w]
	}
	for _, b := range slices.Sorted(maps.Keys(meta.Backends)) {
		joint, err := sameBackend(out.Backends[b], meta.Backends[b])
		if _, ok := out.Backends[b]; ok && err != nil {
			return fmt.Errorf("%s: backend %s has another %w than in an earlier run; hint: a report of each", name, b, err)
		} else if !ok {
			joint = meta.Backends[b]
		}
		out.Backends[b] = joint
	}
	out.Suite, out.Version, out.Label = also(out.Suite, meta.Suite), also(out.Version, meta.Version), also(out.Label, meta.Label)
	for _, language := range slices.Sorted(maps.Keys(meta.Notes)) {
		if out.Notes == nil {
			out.Notes = map[string]string{}
		}
		if note := meta.Notes[language]; !strings.Contains(out.Notes[language], note) {
			out.Notes[language] = strings.TrimSpace(out.Notes[language] + " " + note)
		}
	}
	out.Started = min(out.Started, meta.Started)
	out.Shared = out.Shared || meta.Shared
	if !reflect.DeepEqual(out.Limits, meta.Limits) {
		out.Limits = Limits{}
	}
	if len(before.Meta.Host.Diff(meta.Host)) > 0 {
		out.Calibration, out.Peaks = nil, nil // they are of one host
	} else if len(out.Peaks) == 0 && len(before.Meta.Peaks) == 0 {
		out.Peaks = meta.Peaks
	}
	out.Cells = append(out.Cells, meta.Cells...)
	m.out.Records = append(m.out.Records, run.Records...)
	m.out.Warnings = append(m.out.Warnings, run.Warnings...)
	return nil
}

// cellsOf are the cells that a run planned or has records of, each once.
func cellsOf(run Run) []Cell {
	all := slices.Clone(run.Meta.Cells)
	seen := cellSet(all)
	for i := range run.Records {
		if c := run.Records[i].Cell; !seen[c] {
			seen[c] = true
			all = append(all, c)
		}
	}
	return all
}

// sameBackend joins what two runs know of a backend, or says what differs.
func sameBackend(a, b Backend) (Backend, error) {
	switch {
	case !maps.Equal(a.Env, b.Env):
		return a, fmt.Errorf("environment")
	case a.Environment != b.Environment:
		return a, fmt.Errorf("installed environment")
	case a.Worker != b.Worker || a.Binary != b.Binary:
		return a, fmt.Errorf("worker")
	}
	if a.DiskBytes == 0 {
		a.DiskBytes = b.DiskBytes
	}
	if a.SetupNS == 0 {
		a.SetupNS = b.SetupNS
	}
	if a.AdapterLines == 0 {
		a.AdapterLines = b.AdapterLines
	}
	if a.Proven == nil {
		a.Proven = b.Proven
	}
	return a, nil
}

// sameProgram reports whether two runs say the same of a workload. Older ones do not
// say which layers stand at the input.
func sameProgram(a, b Workload) bool {
	plain := func(w Workload) Workload {
		w.Layers = slices.Clone(w.Layers)
		for i := range w.Layers {
			w.Layers[i].AtInput = false
		}
		return w
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

// also appends a name that is not yet in a list.
func also(list, name string) string {
	switch {
	case list == "" || name == "":
		return list + name
	case slices.Contains(strings.Split(list, " + "), name):
		return list
	}
	return list + " + " + name
}
