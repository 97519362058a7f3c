// Package history reads a series of runs: what became of each cell from one
// commit, or date, to the next. It is a pure function of runs.
package history

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/changepoint"
)

// Options of a history. The zero value takes everything, by date.
type Options struct {
	Cell   *regexp.Regexp // of cells' names; nil: all
	Metric string         // "": the one by which a run judges the cell's mode
	// Labels is the order of labels, such as `git rev-list --reverse HEAD` prints.
	// Either of a label and its place may be the beginning of the other, as commit
	// ids are shortened; nil: by the date of the runs.
	Labels []string
	Alpha  float64 // probability of any change in all series where nothing changed; 0: 0.05
}

// Point is one run of a cell.
type Point struct {
	Run     string // its folder, below the one that was read
	Started string // RFC 3339, UTC
	Label   string
	Median  *float64 // nil: see Reason
	Lo, Hi  *float64 // interval of the median; nil: too few trials
	Trials  int
	Status  string
	Reason  string // why it does not count, or has no interval; one line
	Counts  bool   // among the values that are searched for changes
}

// Change is a step of a series between two points.
type Change struct {
	At            int     // the first point after it
	Before, After float64 // medians of the points on either side, up to the next changes
	P             float64 // of a step as clear where nothing changed
}

// Ratio is the relative size of the step: 0.05 is 5 % more. ok is false where the
// level before was 0.
func (c Change) Ratio() (ratio float64, ok bool) {
	return c.After/c.Before - 1, c.Before > 0
}

// Series is one cell under one metric on one host.
type Series struct {
	Cell    results.Cell
	Metric  results.Metric
	Host    int  // index into History.Hosts
	Shared  bool // trials were forked after a shared import
	Points  []Point
	Changes []Change
	Note    string // why no change could be found; one line, empty where one could
}

// Host is a machine with what differs from the first one.
type Host struct {
	Host results.Host
	Diff []string
}

// History is all series, by cell, in the order of the first run that has it.
type History struct {
	ByLabel  bool
	Alpha    float64 // of all series
	Runs     int
	Hosts    []Host
	Series   []Series
	Warnings []string
}

// Reader collects runs one by one, so that only what a history needs of each is
// kept.
type Reader struct {
	options Options
	runs    []entry
	skipped []string
}

// entry is one run.
type entry struct {
	name   string
	meta   results.Meta
	place  int // of its label
	points []measured
}

// measured is a cell of a run under a metric.
type measured struct {
	cell   results.Cell
	metric results.Metric
	shared bool // some of its trials were forked after a shared import
	compare.Summary
}

// NewReader begins a history.
func NewReader(o Options) *Reader { return &Reader{options: o} }

// Skip notes why a run is left out.
func (r *Reader) Skip(name string, err error) {
	r.skipped = append(r.skipped, fmt.Sprintf("%s is left out: %v", name, err))
}

// Add takes a run under the name of its folder.
func (r *Reader) Add(name string, run results.Run) {
	for _, w := range run.Warnings {
		r.skipped = append(r.skipped, name+": "+w)
	}
	for _, e := range r.runs {
		if a, b := e.meta, run.Meta; a.Started == b.Started && a.Binary == b.Binary && a.Plan == b.Plan && a.Seed == b.Seed {
			r.Skip(name, fmt.Errorf("the same run as %s", e.name))
			return
		}
	}
	e := entry{name: filepath.ToSlash(name), meta: run.Meta}
	if r.options.Labels != nil {
		place, why := r.place(run.Meta.Label)
		if why != "" {
			r.Skip(name, fmt.Errorf("%s", why))
			return
		}
		e.place = place
	}
	summaries, shared := map[string][]compare.Summary{}, map[results.Cell]bool{}
	for _, rec := range run.Records {
		shared[rec.Cell] = shared[rec.Cell] || rec.Shared
	}
	for i, c := range run.Meta.Cells {
		if p := r.options.Cell; p != nil && !p.MatchString(c.Name()) {
			continue
		}
		m := r.metric(run.Meta, c.Mode)
		if summaries[m.Name] == nil {
			summaries[m.Name] = compare.Summarize(run, m)
		}
		e.points = append(e.points, measured{c, m, shared[c], summaries[m.Name][i]})
	}
	e.meta.Cells, e.meta.Workloads, e.meta.Calibration = nil, nil, nil // not needed any more
	r.runs = append(r.runs, e)
}

// metric is the one of the options, or that by which the run judges a mode.
func (r *Reader) metric(meta results.Meta, mode string) results.Metric {
	name := r.options.Metric
	if name == "" {
		name = meta.Policy.Metric[mode]
	}
	if m, ok := results.LookupMetric(name); ok && (r.options.Metric != "" || m.Judgeable(0, 0) == nil) {
		return m
	}
	m, _ := results.LookupMetric(compare.DefaultMetric)
	return m
}

// place is that of a label in the order of labels.
func (r *Reader) place(label string) (place int, why string) {
	if label == "" {
		return 0, "it has no label; hint: dlbench run --label TEXT"
	}
	place = -1
	for i, l := range r.options.Labels {
		if l == label {
			return i, ""
		}
		if l != "" && (strings.HasPrefix(l, label) || strings.HasPrefix(label, l)) {
			if place >= 0 {
				return 0, fmt.Sprintf("its label %q stands for %q and for %q", label, r.options.Labels[place], l)
			}
			place = i
		}
	}
	if place < 0 {
		return 0, fmt.Sprintf("its label %q is not in the order of labels", label)
	}
	return place, ""
}

// key tells series apart.
type key struct {
	cell   results.Cell
	metric string
	host   int
	shared bool
}

// History puts the runs in order and finds the changes.
func (r *Reader) History() History {
	h := History{ByLabel: r.options.Labels != nil, Alpha: r.options.Alpha, Runs: len(r.runs), Warnings: r.skipped}
	if !(h.Alpha > 0 && h.Alpha < 1) {
		h.Alpha = compare.DefaultAlpha
	}
	runs := slices.Clone(r.runs)
	slices.SortStableFunc(runs, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(moment(a.meta.Started), moment(b.meta.Started)), cmp.Compare(a.name, b.name))
	})
	at := map[key]int{}
	for _, e := range runs {
		host := h.host(e.meta.Host)
		for _, m := range e.points {
			k := key{m.cell, m.metric.Name, host, m.shared}
			i, ok := at[k]
			if !ok {
				i = len(h.Series)
				at[k] = i
				h.Series = append(h.Series, Series{Cell: m.cell, Metric: m.metric, Host: host, Shared: m.shared})
			}
			h.Series[i].Points = append(h.Series[i].Points, point(e, m))
		}
	}
	first := map[results.Cell]int{}
	for i, x := range h.Series {
		if _, ok := first[x.Cell]; !ok {
			first[x.Cell] = i
		}
	}
	slices.SortStableFunc(h.Series, func(a, b Series) int { return first[a.Cell] - first[b.Cell] })
	h.explain()
	long := 0 // series that share alpha: those in which a change could show alone
	for _, s := range h.Series {
		if _, x := s.values(); len(x) >= changepoint.Fewest(changepoint.Options{Alpha: h.Alpha}) {
			long++
		}
	}
	for i := range h.Series {
		h.Series[i].search(h.Alpha / float64(max(1, long)))
	}
	return h
}

// moment is a date of a run as a number; runs without one come first.
func moment(started string) int64 {
	t, err := time.Parse(time.RFC3339, started)
	if err != nil {
		return 0
	}
	return t.UnixNano()
}

// host is the number of a host, which is a new one where speeds must not be
// compared with those of the others.
func (h *History) host(host results.Host) int {
	for i, known := range h.Hosts {
		if len(known.Host.Diff(host)) == 0 {
			return i
		}
	}
	var diff []string
	if len(h.Hosts) > 0 {
		diff = h.Hosts[0].Host.Diff(host)
	}
	h.Hosts = append(h.Hosts, Host{Host: host, Diff: diff})
	return len(h.Hosts) - 1
}

// explain warns of cells that are more than one series.
func (h *History) explain() {
	for i, host := range h.Hosts[min(1, len(h.Hosts)):] {
		h.Warnings = append(h.Warnings, fmt.Sprintf("host %d is not host 1, so its runs are series of their own: %s", i+2, strings.Join(host.Diff, "; ")))
	}
	programs, shared := map[string]string{}, map[results.Cell]bool{}
	for _, s := range h.Series {
		name := s.Cell.Name()
		if was, ok := programs[name]; ok && was != s.Cell.Hash {
			h.warn(fmt.Sprintf("%s: its program changed, so there is a series for each", name))
		}
		programs[name] = s.Cell.Hash
		if was, ok := shared[s.Cell]; ok && was != s.Shared {
			h.warn(fmt.Sprintf("%s: runs with shared imports are series of their own", name))
		}
		shared[s.Cell] = s.Shared
	}
}

func (h *History) warn(w string) {
	if !slices.Contains(h.Warnings, w) {
		h.Warnings = append(h.Warnings, w)
	}
}
