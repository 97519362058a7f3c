package workloads

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
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
	r := &reader{file: file, source: data}
	s := r.suite(r.parse())
	return s, r.err
}

func (r *reader) suite(root yamlValue) Suite {
	m := root.mapping([]string{"suite", "title", "notes", "backends", "cells", "common", "rounds", "limits", "compare"})
	s := Suite{
		file: r.file, Name: m.need("suite").text(),
		Title: m.get("title").words([]string{"en", "zh"}), Notes: m.get("notes").words([]string{"en", "zh"}),
	}
	if r.err == nil && (!suiteName.MatchString(s.Name) || len(s.Name) > 40) {
		m.get("suite").fail("name %s: expected lower-case words joined by dashes, each beginning with a letter", quote(s.Name))
	}
	s.Backends = r.backends(m.need("backends"))
	def := DefaultSettings()
	common := r.cellLine(m.get("common"), CellLine{
		Precisions: []Precision{def.Precision}, Devices: []string{def.Device}, Data: []string{def.Data},
		Accumulates: []int{def.Accumulate}, Threads: []int{def.Threads}, Checkpoints: []int{def.Checkpoint},
		Allocators: []string{def.Allocator},
	}, commonKeys)
	cells := m.need("cells")
	for _, v := range cells.list() {
		s.Cells = append(s.Cells, r.cellLine(v, common, append([]string{"workload", "steps"}, commonKeys...)))
		if line := s.Cells[len(s.Cells)-1]; r.err == nil {
			r.wholeLine(v, line)
		}
	}
	if r.err == nil && len(s.Cells) == 0 {
		cells.fail("an empty list: expected at least one line of cells")
	}
	s.Rounds = r.rounds(m.need("rounds"))
	s.Limits = r.limits(m.need("limits"))
	s.Compare = r.compare(m.need("compare"), s)
	return s
}

func (r *reader) backends(v yamlValue) []string {
	var out []string
	for _, b := range v.list() {
		name := b.text()
		switch {
		case r.err != nil:
		case !backendName.MatchString(name) || len(name) > 80 || gomaxprocs.MatchString(name):
			b.fail("name %s: expected lower-case words joined by dashes, each beginning with a letter, and perhaps @VERSION", quote(name))
		case slices.Contains(out, name):
			b.fail("duplicate backend %s", quote(name))
		}
		out = append(out, name)
	}
	if r.err == nil && len(out) == 0 {
		v.fail("an empty list: expected at least one backend")
	}
	return out
}

// commonKeys are the settings, in the order in which lists multiply.
var commonKeys = []string{"mode", "precision", "device", "data", "batch", "accumulate", "threads", "checkpoint", "allocator"}

// cellLine reads a line over the values of def.
func (r *reader) cellLine(v yamlValue, def CellLine, keys []string) CellLine {
	line := def
	if v.missing() {
		return line
	}
	m := v.mapping(keys)
	line.at = v.place()
	texts(m.get("workload"), &line.Workloads)
	texts(m.get("mode"), &line.Modes)
	texts(m.get("precision"), &line.Precisions)
	texts(m.get("device"), &line.Devices)
	texts(m.get("data"), &line.Data)
	integers(m.get("batch"), &line.Batches)
	integers(m.get("accumulate"), &line.Accumulates)
	integers(m.get("threads"), &line.Threads)
	integers(m.get("checkpoint"), &line.Checkpoints)
	allocators(m.get("allocator"), &line.Allocators)
	if st := m.get("steps"); !st.missing() {
		line.Steps = r.stepsOver(st)
	}
	return line
}

// wholeLine checks that a line misses nothing and that all its settings are valid.
func (r *reader) wholeLine(v yamlValue, line CellLine) {
	for _, need := range []struct {
		key string
		n   int
	}{{"workload", len(line.Workloads)}, {"mode", len(line.Modes)}, {"batch", len(line.Batches)}} {
		if need.n == 0 {
			v.fail("no %q: expected one here or in common", need.key)
			return
		}
	}
	for _, set := range line.settings() {
		if err := set.Validate(); err != nil {
			v.fail("%v", err)
			return
		}
	}
}

// stepsOver reads the step counts that a line overrides: 0 leaves the
// workload's own.
func (r *reader) stepsOver(v yamlValue) Steps {
	full := Steps{Check: CheckSteps, WarmupMax: 1, Blocks: 1, PerBlock: 1}
	read := r.steps(v, full)
	m := v.mapping(nil)
	has := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return !m.get(k).missing() })
	}
	if !has("check") {
		read.Check = 0
	}
	if !has("warmup", "warmup-max") {
		read.WarmupMax = 0
	} else if r.err == nil && read.WarmupMax == 0 {
		v.fail("warmup 0: expected at least 1")
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
func texts[T ~string](v yamlValue, to *[]T) {
	if v.missing() {
		return
	}
	*to = nil
	for _, x := range v.listOrOne() {
		appendNew(x, to, T(x.text()))
	}
	nonEmpty(v, len(*to))
}

// allocatorDefault is how people write the allocator that is empty in Settings.
const allocatorDefault = "default"

// allocators reads names of allocators.
func allocators(v yamlValue, to *[]string) {
	if v.missing() {
		return
	}
	texts(v, to)
	for i, name := range *to {
		if v.r.err == nil && name == "" {
			v.fail(`allocator "" is unknown: expected default or tuned`)
		}
		if name == allocatorDefault {
			(*to)[i] = ""
		}
	}
}

func integers(v yamlValue, to *[]int) {
	if v.missing() {
		return
	}
	*to = nil
	for _, x := range v.listOrOne() {
		appendNew(x, to, x.integer())
	}
	nonEmpty(v, len(*to))
}

func appendNew[T comparable](v yamlValue, to *[]T, x T) {
	if v.r.err == nil && slices.Contains(*to, x) {
		v.fail("%v appears twice in the list", x)
	}
	*to = append(*to, x)
}

func nonEmpty(v yamlValue, n int) {
	if v.r.err == nil && n == 0 {
		v.fail("an empty list: expected at least one value")
	}
}

func (r *reader) rounds(v yamlValue) Rounds {
	m := v.mapping([]string{"min", "max", "until"})
	out := Rounds{Min: m.need("min").integer(), Max: m.need("max").integer(), Until: m.need("until").text()}
	switch {
	case r.err != nil:
	case out.Min < 1 || out.Min > 1000:
		m.get("min").fail("%d: expected 1 to 1000", out.Min)
	case out.Max < out.Min || out.Max > 1000:
		m.get("max").fail("%d: expected %d (min) to 1000", out.Max, out.Min)
	case out.Until != UntilDecided && out.Until != UntilMax:
		m.get("until").fail("%s: expected decided or max", quote(out.Until))
	}
	return out
}

func (r *reader) limits(v yamlValue) Limits {
	m := v.mapping([]string{"trial", "suite", "memory"})
	out := Limits{Trial: r.duration(m.need("trial")), Suite: r.duration(m.get("suite"))}
	if mem := m.need("memory"); r.err == nil {
		n, err := ParseBytes(mem.text())
		if r.err == nil {
			r.wrap(mem, err)
		}
		out.Memory = n
	}
	return out
}

func (r *reader) duration(v yamlValue) time.Duration {
	if r.err != nil || v.missing() {
		return 0
	}
	s, ok := v.plain()
	if !ok {
		s = v.text()
	}
	d, err := time.ParseDuration(s)
	if r.err == nil && (err != nil || d < time.Millisecond || d > 30*24*time.Hour) {
		v.fail("%s: expected a duration such as 30s or 15m", quote(s))
	}
	return d
}

func (r *reader) compare(v yamlValue, s Suite) Compare {
	m := v.mapping([]string{"baseline", "metric", "min-effect", "alpha"})
	out := Compare{
		Baseline: m.need("baseline").text(), Metric: map[Mode]string{},
		MinEffect: m.need("min-effect").number(), Alpha: m.need("alpha").number(),
	}
	metrics := m.need("metric").mapping([]string{string(Train), string(Infer)})
	for _, k := range metrics.keys {
		name := metrics.get(k).text()
		if r.err == nil && !metricName.MatchString(name) {
			metrics.get(k).fail("%s: expected the name of a metric, such as step-time", quote(name))
		}
		out.Metric[Mode(k)] = name
	}
	if r.err != nil {
		return out
	}
	for _, line := range s.Cells {
		for _, mode := range line.Modes {
			if out.Metric[mode] == "" {
				metrics.fail("no metric for mode %s, which cells have", mode)
			}
		}
	}
	switch {
	case !slices.Contains(s.Backends, out.Baseline):
		m.get("baseline").fail("%s is not among the backends%s", quote(out.Baseline), didYouMean(out.Baseline, s.Backends))
	case !(out.MinEffect > 0 && out.MinEffect < 1):
		m.get("min-effect").fail("%v: expected more than 0 and less than 1", out.MinEffect)
	case !(out.Alpha > 0 && out.Alpha < 0.5):
		m.get("alpha").fail("%v: expected more than 0 and less than 0.5", out.Alpha)
	}
	return out
}
