package gate

import (
	"slices"

	"github.com/dlbench/dlbench/strictyaml"
)

// LoadPolicy reads a policy from a YAML file. It is as strict as workloads and
// suites are: what it does not know is an error of one line with file, line,
// column and a hint.
func LoadPolicy(path string) (Policy, error) {
	data, err := strictyaml.ReadOS(path)
	if err != nil {
		return Policy{}, err
	}
	return ParsePolicy(path, data)
}

// The keys of a policy and of one of its overrides.
var (
	policyKeys   = []string{"metric", "min-effect", "alpha", "undecided", "exact", "memory", "required", "cells"}
	overrideKeys = []string{"match", "metric", "min-effect", "undecided", "ignore"}
)

// ParsePolicy reads the text of a policy; file is for messages.
func ParsePolicy(file string, text []byte) (Policy, error) {
	r := strictyaml.NewReader(file, text)
	m := r.Parse().Mapping(policyKeys)
	p := Policy{
		File: file, Metrics: metrics(m.Get("metric")), MinEffect: effects(m.Get("min-effect")), Undecided: undecided(m.Get("undecided")),
		Exact:  tolerances(m.Get("exact"), factNames(), true),
		Memory: tolerances(m.Get("memory"), memoryMetrics(), false),
	}
	if v := m.Get("alpha"); !v.Missing() {
		p.Alpha = v.Number()
		if r.Err == nil && !(p.Alpha > 0 && p.Alpha < 0.5) {
			v.Fail("%v: expected more than 0 and less than 0.5", p.Alpha)
		}
	}
	for _, v := range m.Get("required").List() {
		p.Required = append(p.Required, pattern(v))
	}
	for _, v := range m.Get("cells").List() {
		p.Cells = append(p.Cells, override(v))
	}
	if r.Err != nil {
		return Policy{}, r.Err
	}
	return p, nil
}

func override(v strictyaml.Value) Override {
	m := v.Mapping(overrideKeys)
	o := Override{
		Match: pattern(m.Need("match")), Metrics: metrics(m.Get("metric")), MinEffect: effects(m.Get("min-effect")),
		Undecided: undecided(m.Get("undecided")),
	}
	if ignore := m.Get("ignore"); !ignore.Missing() {
		o.Ignore = new(ignore.Boolean(false))
	}
	if v.Err() == nil && len(m.Keys) == 1 {
		v.Fail("only a match: expected one of metric, min-effect, undecided, ignore beside it")
	}
	return o
}

// pattern reads a pattern over names of cells.
func pattern(v strictyaml.Value) Pattern {
	text := v.Text()
	if v.Err() == nil && (text == "" || len(text) > 400) {
		v.Fail("%s: expected the name of a cell, of 1 to 400 bytes, in which * stands for any characters", strictyaml.Quote(text))
	}
	return Pattern(text)
}

func undecided(v strictyaml.Value) string {
	text := v.Text()
	if v.Err() == nil && !v.Missing() && text != UndecidedPass && text != UndecidedFail {
		v.Fail("%s: expected pass or fail", strictyaml.Quote(text))
	}
	return text
}

// metrics reads a name, a list of names, or either by mode.
func metrics(v strictyaml.Value) Metrics {
	if v.Missing() || v.Err() != nil {
		return nil
	}
	out := Metrics{}
	if !v.IsMapping() {
		names := metricNames(v)
		for _, mode := range modes {
			out[mode] = names
		}
		return out
	}
	m := v.Mapping(modes)
	if v.Err() == nil && len(m.Keys) == 0 {
		v.Fail("an empty mapping: expected metrics for train, infer or both")
	}
	for _, mode := range m.Keys {
		out[mode] = metricNames(m.Get(mode))
	}
	return out
}

func metricNames(v strictyaml.Value) []string {
	var names []string
	for _, x := range v.ListOrOne() {
		name := x.Text()
		known(x, name, judgeable())
		if v.Err() == nil && slices.Contains(names, name) {
			x.Fail("%s appears twice", strictyaml.Quote(name))
		}
		names = append(names, name)
	}
	if v.Err() == nil && len(names) == 0 {
		v.Fail("an empty list: expected at least one metric")
	}
	return names
}

// known fails where a name is not among those that may stand there.
func known(v strictyaml.Value, name string, among []string) {
	if v.Err() != nil || slices.Contains(among, name) {
		return
	}
	if hint := home(name); hint != "" {
		v.Fail("metric %s does not belong here%s", strictyaml.Quote(name), hint)
		return
	}
	v.Fail("unknown metric %s%s", strictyaml.Quote(name), strictyaml.DidYouMean(name, among))
}

// effects reads one effect, or one by metric.
func effects(v strictyaml.Value) Effects {
	if v.Missing() || v.Err() != nil {
		return Effects{}
	}
	if !v.IsMapping() {
		return Effects{All: effect(v)}
	}
	out := Effects{Of: map[string]float64{}}
	m := v.Mapping(nil)
	if v.Err() == nil && len(m.Keys) == 0 {
		v.Fail("an empty mapping: expected at least one metric with its effect")
	}
	for _, name := range m.Keys {
		known(m.Get(name), name, judgeable())
		out.Of[name] = effect(m.Get(name))
	}
	return out
}

func effect(v strictyaml.Value) float64 {
	x := v.Number()
	if v.Err() == nil && !(x > 0 && x < 1) {
		v.Fail("%v: expected more than 0 and less than 1, such as 0.05 for 5 %%", x)
	}
	return x
}

// tolerances reads metrics with their tolerances; where none is a tolerance, a
// name or a list of names says that nothing is tolerated.
func tolerances(v strictyaml.Value, among []string, mayBeNone bool) []Tolerance {
	if v.Missing() || v.Err() != nil {
		return nil
	}
	var out []Tolerance
	if !v.IsMapping() && mayBeNone {
		for _, x := range v.ListOrOne() {
			name := x.Text()
			known(x, name, among)
			if v.Err() == nil && slices.ContainsFunc(out, func(t Tolerance) bool { return t.Metric == name }) {
				x.Fail("%s appears twice", strictyaml.Quote(name))
			}
			out = append(out, Tolerance{Metric: name})
		}
		return out
	}
	m := v.Mapping(nil)
	for _, name := range m.Keys {
		x := m.Get(name)
		known(x, name, among)
		t := Tolerance{Metric: name, Relative: x.Number()}
		switch {
		case v.Err() != nil:
		case mayBeNone && !(t.Relative >= 0 && t.Relative <= 10):
			x.Fail("%v: expected 0 to 10, such as 0.05 for 5 %%", t.Relative)
		case !mayBeNone && !(t.Relative > 0 && t.Relative <= 10):
			x.Fail("%v: expected more than 0 and at most 10, such as 0.1 for 10 %%: memory trials never agree to the byte", t.Relative)
		}
		out = append(out, t)
	}
	return out
}
