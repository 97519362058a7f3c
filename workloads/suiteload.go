package workloads

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dlbench/dlbench/strictyaml"
)

//go:embed suites/*.yaml
var suiteFiles embed.FS

var shippedSuites = sync.OnceValue(func() []Suite {
	names, err := fs.Glob(suiteFiles, "suites/*.yaml")
	if err != nil {
		panic(err)
	}
	suites := make([]Suite, len(names))
	for i, name := range names {
		if suites[i], err = LoadSuite(suiteFiles, name); err != nil {
			panic(fmt.Sprintf("workloads: %v", err))
		}
	}
	slices.SortFunc(suites, func(a, b Suite) int { return strings.Compare(a.Name, b.Name) })
	return suites
})

// ShippedSuites returns the suites that come with dlbench, by name.
func ShippedSuites() []Suite { return slices.Clone(shippedSuites()) }

// FindSuite returns the shipped suite of that name.
func FindSuite(name string) (Suite, bool) {
	for _, s := range shippedSuites() {
		if s.Name == name {
			return s, true
		}
	}
	return Suite{}, false
}

func parseSuite(file string, data []byte) (Suite, error) {
	r := &reader{strictyaml.NewReader(file, data)}
	s := r.suite(r.Parse())
	return s, r.Err
}

func (r *reader) suite(root strictyaml.Value) Suite {
	m := root.Mapping([]string{"suite", "title", "notes", "backends", "cells", "common", "rounds", "limits", "compare"})
	s := Suite{
		file: r.File, Name: m.Need("suite").Text(),
		Title: m.Get("title").Words([]string{"en", "zh"}), Notes: m.Get("notes").Words([]string{"en", "zh"}),
	}
	if r.Err == nil && (!suiteName.MatchString(s.Name) || len(s.Name) > 40) {
		m.Get("suite").Fail("name %s: expected lower-case words joined by dashes, each beginning with a letter", strictyaml.Quote(s.Name))
	}
	s.Backends = r.backends(m.Need("backends"))
	def := DefaultSettings()
	common := r.cellLine(m.Get("common"), CellLine{
		Precisions: []Precision{def.Precision}, Devices: []string{def.Device}, Data: []string{def.Data},
		Accumulates: []int{def.Accumulate}, Threads: []int{def.Threads}, Checkpoints: []Checkpointing{{Segments: def.Checkpoint}},
		Allocators: []string{def.Allocator},
	}, commonKeys)
	cells := m.Need("cells")
	for _, v := range cells.List() {
		s.Cells = append(s.Cells, r.cellLine(v, common, append([]string{"workload", "steps", "backends"}, commonKeys...)))
		line := &s.Cells[len(s.Cells)-1]
		r.lineBackends(v, line, s.Backends)
		if r.Err == nil {
			r.wholeLine(v, *line)
		}
	}
	if r.Err == nil && len(s.Cells) == 0 {
		cells.Fail("an empty list: expected at least one line of cells")
	}
	s.Rounds = r.rounds(m.Need("rounds"))
	s.Limits = r.limits(m.Need("limits"))
	s.Compare = r.compare(m.Need("compare"), s)
	return s
}

// lineBackends reads which of the suite's backends a line is for.
func (r *reader) lineBackends(v strictyaml.Value, line *CellLine, all []string) {
	if r.Err != nil {
		return
	}
	list := v.Mapping(nil).Get("backends")
	if list.Missing() {
		return
	}
	line.Backends = r.backends(list)
	for i, b := range list.List() {
		if r.Err == nil && !slices.Contains(all, line.Backends[i]) {
			b.Fail("%s is not among the backends of the suite%s", strictyaml.Quote(line.Backends[i]), strictyaml.DidYouMean(line.Backends[i], all))
		}
	}
}

// CheckBackendName says in one line what is wrong with the name of a backend, or
// nil.
func CheckBackendName(name string) error {
	if !backendName.MatchString(name) || len(name) > 80 || gomaxprocs.MatchString(name) {
		return fmt.Errorf("name %s: expected lower-case words joined by dashes, each beginning with a letter, and perhaps @VERSION", strictyaml.Quote(name))
	}
	return nil
}

func (r *reader) backends(v strictyaml.Value) []string {
	var out []string
	for _, b := range v.List() {
		name := b.Text()
		if r.Err == nil {
			r.wrap(b, CheckBackendName(name))
		}
		if r.Err == nil && slices.Contains(out, name) {
			b.Fail("duplicate backend %s", strictyaml.Quote(name))
		}
		out = append(out, name)
	}
	if r.Err == nil && len(out) == 0 {
		v.Fail("an empty list: expected at least one backend")
	}
	return out
}

// commonKeys are the settings, in the order in which lists multiply.
var commonKeys = []string{"mode", "precision", "device", "data", "batch", "accumulate", "threads", "checkpoint", "allocator"}

// cellLine reads a line over the values of def.
func (r *reader) cellLine(v strictyaml.Value, def CellLine, keys []string) CellLine {
	line := def
	if v.Missing() {
		return line
	}
	m := v.Mapping(keys)
	line.at = v.Place()
	texts(m.Get("workload"), &line.Workloads)
	texts(m.Get("mode"), &line.Modes)
	texts(m.Get("precision"), &line.Precisions)
	texts(m.Get("device"), &line.Devices)
	texts(m.Get("data"), &line.Data)
	integers(m.Get("batch"), &line.Batches)
	integers(m.Get("accumulate"), &line.Accumulates)
	integers(m.Get("threads"), &line.Threads)
	checkpoints(m.Get("checkpoint"), &line.Checkpoints)
	allocators(m.Get("allocator"), &line.Allocators)
	if st := m.Get("steps"); !st.Missing() {
		line.Steps = r.stepsOver(st)
	}
	return line
}

// wholeLine checks that a line misses nothing and that all its settings are valid.
func (r *reader) wholeLine(v strictyaml.Value, line CellLine) {
	for _, need := range []struct {
		key string
		n   int
	}{{"workload", len(line.Workloads)}, {"mode", len(line.Modes)}, {"batch", len(line.Batches)}} {
		if need.n == 0 {
			v.Fail("no %q: expected one here or in common", need.key)
			return
		}
	}
	for _, point := range line.points() {
		if err := point.Settings.Validate(); err != nil {
			v.Fail("%v", err)
			return
		}
	}
}

// stepsOver reads the step counts that a line overrides: 0 leaves the
// workload's own.
func (r *reader) stepsOver(v strictyaml.Value) Steps {
	full := Steps{Check: CheckSteps, WarmupMax: 1, Blocks: 1, PerBlock: 1}
	read := r.steps(v, full)
	m := v.Mapping(nil)
	has := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return !m.Get(k).Missing() })
	}
	if !has("check") {
		read.Check = 0
	}
	if !has("warmup", "warmup-max") {
		read.WarmupMax = 0
	} else if r.Err == nil && read.WarmupMax == 0 {
		v.Fail("warmup 0: expected at least 1")
	}
	if !has("blocks") {
		read.Blocks = 0
	}
	if !has("per-block") {
		read.PerBlock = 0
	}
	return read
}

// texts replaces *to by the value's words, if it is there.
func texts[T ~string](v strictyaml.Value, to *[]T) {
	if v.Missing() {
		return
	}
	*to = nil
	for _, x := range v.ListOrOne() {
		appendNew(x, to, T(x.Text()))
	}
	nonEmpty(v, len(*to))
}

// AllocatorDefault is how people write the allocator that is empty in Settings.
const AllocatorDefault = "default"

// allocators reads names of allocators.
func allocators(v strictyaml.Value, to *[]string) {
	if v.Missing() {
		return
	}
	texts(v, to)
	for i, name := range *to {
		if v.Err() == nil && name == "" {
			v.Fail(`allocator "" is unknown: expected default, tuned or returning`)
		}
		if name == AllocatorDefault {
			(*to)[i] = ""
		}
	}
}

func integers(v strictyaml.Value, to *[]int) {
	if v.Missing() {
		return
	}
	*to = nil
	for _, x := range v.ListOrOne() {
		appendNew(x, to, x.Integer())
	}
	nonEmpty(v, len(*to))
}

func appendNew[T comparable](v strictyaml.Value, to *[]T, x T) {
	if v.Err() == nil && slices.Contains(*to, x) {
		v.Fail("%v appears twice in the list", x)
	}
	*to = append(*to, x)
}

func nonEmpty(v strictyaml.Value, n int) {
	if v.Err() == nil && n == 0 {
		v.Fail("an empty list: expected at least one value")
	}
}

func (r *reader) rounds(v strictyaml.Value) Rounds {
	m := v.Mapping([]string{"min", "max", "until", "memory"})
	out := Rounds{Min: m.Need("min").Integer(), Max: m.Need("max").Integer(), Until: m.Need("until").Text(), Memory: m.Get("memory").Integer()}
	switch {
	case r.Err != nil:
	case out.Min < 1 || out.Min > 1000:
		m.Get("min").Fail("%d: expected 1 to 1000", out.Min)
	case out.Max < out.Min || out.Max > 1000:
		m.Get("max").Fail("%d: expected %d (min) to 1000", out.Max, out.Min)
	case !m.Get("memory").Missing() && (out.Memory < 1 || out.Memory > 20):
		m.Get("memory").Fail("%d: expected 1 to 20 memory trials per cell", out.Memory)
	case out.Until != UntilDecided && out.Until != UntilMax:
		m.Get("until").Fail("%s: expected decided or max", strictyaml.Quote(out.Until))
	}
	return out
}

func (r *reader) limits(v strictyaml.Value) Limits {
	m := v.Mapping([]string{"trial", "suite", "memory"})
	out := Limits{Trial: r.duration(m.Need("trial")), Suite: r.duration(m.Get("suite"))}
	if mem := m.Need("memory"); r.Err == nil {
		n, err := ParseBytes(mem.Text())
		if r.Err == nil {
			r.wrap(mem, err)
		}
		out.Memory = n
	}
	return out
}

func (r *reader) duration(v strictyaml.Value) time.Duration {
	if r.Err != nil || v.Missing() {
		return 0
	}
	s, ok := v.Plain()
	if !ok {
		s = v.Text()
	}
	d, err := time.ParseDuration(s)
	if r.Err == nil && (err != nil || d < time.Millisecond || d > 30*24*time.Hour) {
		v.Fail("%s: expected a duration such as 30s or 15m", strictyaml.Quote(s))
	}
	return d
}

func (r *reader) compare(v strictyaml.Value, s Suite) Compare {
	m := v.Mapping([]string{"baseline", "metric", "min-effect", "alpha"})
	out := Compare{
		Baseline: m.Need("baseline").Text(), Metric: map[Mode]string{},
		MinEffect: m.Need("min-effect").Number(), Alpha: m.Need("alpha").Number(),
	}
	metrics := m.Need("metric").Mapping([]string{string(Train), string(Infer)})
	for _, k := range metrics.Keys {
		name := metrics.Get(k).Text()
		if r.Err == nil && !metricName.MatchString(name) {
			metrics.Get(k).Fail("%s: expected the name of a metric, such as step-time", strictyaml.Quote(name))
		}
		out.Metric[Mode(k)] = name
	}
	if r.Err != nil {
		return out
	}
	for _, line := range s.Cells {
		for _, mode := range line.Modes {
			if out.Metric[mode] == "" {
				metrics.Fail("no metric for mode %s, which cells have", mode)
			}
		}
	}
	switch {
	case !slices.Contains(s.Backends, out.Baseline):
		m.Get("baseline").Fail("%s is not among the backends%s", strictyaml.Quote(out.Baseline), strictyaml.DidYouMean(out.Baseline, s.Backends))
	case !(out.MinEffect > 0 && out.MinEffect < 1):
		m.Get("min-effect").Fail("%v: expected more than 0 and less than 1", out.MinEffect)
	case !(out.Alpha > 0 && out.Alpha < 0.5):
		m.Get("alpha").Fail("%v: expected more than 0 and less than 0.5", out.Alpha)
	}
	return out
}
