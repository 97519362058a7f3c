package workloads

import (
	"cmp"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlbench/dlbench/strictyaml"
)

// Suite says what one run measures, on which backends, and how it judges.
type Suite struct {
	Name     string
	Title    map[string]string // language -> text, for people
	Notes    map[string]string // language -> what a reader of the report must know
	Backends []string          // names of catalog entries
	Cells    []CellLine
	Rounds   Rounds
	Limits   Limits
	Compare  Compare

	file string
}

// CellLine spans the product of its lists; the lines of a suite add up. A line
// leaves no list empty: Load fills in the suite's common values and defaults.
type CellLine struct {
	Workloads   []string
	Modes       []Mode
	Precisions  []Precision
	Devices     []string
	Data        []string
	Batches     []int
	Accumulates []int
	Threads     []int
	Checkpoints []Checkpointing
	Allocators  []string // as in Settings: "" is the process's own
	Steps       Steps    // a zero field leaves the workload's own number
	Backends    []string // of the suite's that measure this line; empty: all

	at strictyaml.Place
}

// Rounds bounds how often every cell is measured.
type Rounds struct {
	Min, Max int
	Until    string // UntilDecided or UntilMax
	Memory   int    // memory trials per cell; 0: one
}

// When a suite stops measuring a cell.
const (
	UntilDecided = "decided" // as soon as its comparison is decided, at Max at the latest
	UntilMax     = "max"     // after Max rounds
)

// Limits bound one trial and the whole suite.
type Limits struct {
	Trial, Suite time.Duration // 0: no limit for Suite
	Memory       int64         // bytes of a trial's process tree
}

// Compare is the family of comparisons that a suite decides: every cell's
// primary metric against one named backend.
type Compare struct {
	Baseline  string
	Metric    map[Mode]string // name of a metric of package results
	MinEffect float64         // relative difference that matters, for example 0.05
	Alpha     float64         // error probability of the whole family
}

// Planned is one point of a suite: a workload with settings.
type Planned struct {
	Spec     Spec // Spec.Steps is what this point runs
	Settings Settings
	Backends []string // of the suite's that measure it; empty: all
}

var (
	suiteName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$`)
	// With the version or label of an environment where that is not the pinned one.
	backendName = regexp.MustCompile(`^[a-z][a-z0-9]*([-_.][a-z][a-z0-9]*)*(@[0-9A-Za-z]([0-9A-Za-z._+-]*[0-9A-Za-z])?)?$`)
	metricName  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

const maxPlanned = 10_000

// LoadSuite reads one suite from a YAML file, as strictly as Load.
func LoadSuite(fsys fs.FS, path string) (Suite, error) {
	data, err := strictyaml.ReadFS(fsys, path)
	if err != nil {
		return Suite{}, err
	}
	return parseSuite(path, data)
}

// LoadSuiteFile is LoadSuite for a path of the operating system.
func LoadSuiteFile(path string) (Suite, error) {
	data, err := strictyaml.ReadOS(path)
	if err != nil {
		return Suite{}, err
	}
	return parseSuite(path, data)
}

// Expand returns every point of the suite in the order of its lines. Workloads
// are looked up among own first, then among the shipped ones. The error names
// the line, and a point that two lines both give to a backend.
func (s Suite) Expand(own ...Spec) ([]Planned, error) {
	var out []Planned
	type point struct {
		workload string
		settings Settings
	}
	seen := map[point][]CellLine{}
	for _, line := range s.Cells {
		for _, name := range line.Workloads {
			spec, err := lookUp(name, own)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line.where(s), err)
			}
			spec.Steps = spec.Steps.over(line.Steps)
			for _, at := range line.points() {
				set, err := at.resolved(spec)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", line.where(s), err)
				}
				p, err := spec.Resolve(set)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", line.where(s), err)
				}
				key := point{p.Name, set}
				for _, before := range seen[key] {
					if before.shares(line) {
						return nil, fmt.Errorf("%s: %s %s batch %d %s appears twice, first at %s: expected every cell once for a backend", line.where(s), name, set.Mode, set.Batch, set.Precision, before.at)
					}
				}
				seen[key] = append(seen[key], line)
				if out = append(out, Planned{Spec: spec, Settings: set, Backends: line.Backends}); len(out) > maxPlanned {
					return nil, fmt.Errorf("%s: more than %d cells", line.where(s), maxPlanned)
				}
			}
		}
	}
	return out, nil
}

// shares reports whether a backend measures both lines. Lines for different
// backends may give the same point, with numbers of steps of their own.
func (l CellLine) shares(o CellLine) bool {
	return len(l.Backends) == 0 || len(o.Backends) == 0 || slices.ContainsFunc(l.Backends, func(b string) bool { return slices.Contains(o.Backends, b) })
}

func (l CellLine) where(s Suite) string {
	if l.at.Line > 0 {
		return l.at.String()
	}
	return "suite " + cmp.Or(s.file, s.Name)
}

func lookUp(name string, own []Spec) (Spec, error) {
	if i := slices.IndexFunc(own, func(s Spec) bool { return s.Workload == name }); i >= 0 {
		return own[i], nil
	}
	if s, ok := Find(name); ok {
		return s, nil
	}
	var names []string
	for _, s := range append(slices.Clone(own), Shipped()...) {
		names = append(names, s.Workload)
	}
	return Spec{}, fmt.Errorf("unknown workload %s%s", strictyaml.Quote(name), strictyaml.DidYouMean(name, names))
}

// over returns s with the non-zero fields of o in place of its own.
func (s Steps) over(o Steps) Steps {
	return Steps{
		Check: cmp.Or(o.Check, s.Check), WarmupMax: cmp.Or(o.WarmupMax, s.WarmupMax),
		Blocks: cmp.Or(o.Blocks, s.Blocks), PerBlock: cmp.Or(o.PerBlock, s.PerBlock),
	}
}

// linePoint is one point of a line's product. How many segments a checkpointing
// makes depends on the model.
type linePoint struct {
	Settings
	checkpointing Checkpointing
}

// resolved are the settings that the point has for a workload.
func (p linePoint) resolved(spec Spec) (Settings, error) {
	set := p.Settings
	if p.checkpointing.Every == 0 {
		return set, nil
	}
	whole, err := spec.Resolve(set)
	if err != nil {
		return set, err
	}
	set.Checkpoint, err = p.checkpointing.segments(whole)
	return set, err
}

// points is the product of the line's lists, the first axis slowest.
func (l CellLine) points() []linePoint {
	out := []linePoint{{}}
	out = product(out, l.Modes, func(s *linePoint, v Mode) { s.Mode = v })
	out = product(out, l.Precisions, func(s *linePoint, v Precision) { s.Precision = v })
	out = product(out, l.Devices, func(s *linePoint, v string) { s.Device = v })
	out = product(out, l.Data, func(s *linePoint, v string) { s.Data = v })
	out = product(out, l.Batches, func(s *linePoint, v int) { s.Batch = v })
	out = product(out, l.Accumulates, func(s *linePoint, v int) { s.Accumulate = v })
	out = product(out, l.Threads, func(s *linePoint, v int) { s.Threads = v })
	out = product(out, l.Checkpoints, func(s *linePoint, v Checkpointing) { s.Checkpoint, s.checkpointing = v.Segments, v })
	return product(out, l.Allocators, func(s *linePoint, v string) { s.Allocator = v })
}

func product[T any](in []linePoint, values []T, set func(*linePoint, T)) []linePoint {
	if len(in)*len(values) > maxPlanned+1 { // Expand reports it; do not build it first
		values = values[:max(1, (maxPlanned+1)/len(in))]
	}
	out := make([]linePoint, 0, len(in)*len(values))
	for _, s := range in {
		for _, v := range values {
			set(&s, v)
			out = append(out, s)
		}
	}
	return out
}

// ParseBytes reads a size such as "4GiB" or "512 MiB", as in a suite's limits.
func ParseBytes(s string) (int64, error) {
	units := []struct {
		suffix string
		shift  int
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"B", 0}}
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 1 || n > 1<<50>>u.shift {
			break
		}
		return n << u.shift, nil
	}
	return 0, fmt.Errorf("%s: expected a size such as 4GiB or 512MiB", strictyaml.Quote(s))
}
