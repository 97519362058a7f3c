package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// suiteFlags choose what is run; run and plan share them.
type suiteFlags struct {
	suite     string
	backends  []string
	workloads []string
	specs     []string
	data      string
	seed      uint64
	budget    time.Duration
	budgetSet bool
	until     string
	limits    map[string]string
	share     bool // imports, where they can be
	force     bool // run what would swap
	envs      []string
	label     string
	workers   []string
	baseline  string
	site      site // after plan
	// change, unless nil, makes another suite of the one that was named, on another
	// site; the flags have been applied to it.
	change func(*workloads.Suite, *site) error
	// twins says that change put each backend under two labels, which the user's
	// commands do not know.
	twins bool
}

func (f *suiteFlags) register(cmd *cobra.Command) {
	f.registerFor(cmd, "")
	_ = cmd.MarkFlagRequired("suite")
}

// registerFor adds the flags for a command that has a suite of its own; "": it
// has none.
func (f *suiteFlags) registerFor(cmd *cobra.Command, suite string) {
	cmd.Flags().StringVar(&f.suite, "suite", suite, "`NAME` of a shipped suite, or the path of a suite file (*.yaml)")
	cmd.Flags().StringSliceVar(&f.backends, "backend", nil, "only these backends (`A,B`)")
	cmd.Flags().StringSliceVar(&f.workloads, "workload", nil, "only these workloads (`A,B`)")
	cmd.Flags().StringSliceVar(&f.specs, "spec", nil, "workload `file` of your own that the suite names; may be repeated")
	cmd.Flags().StringVar(&f.data, "data", "", "a `folder` with MNIST (IDX), CIFAR-10 (binary) or text in a folder per class, instead of generated data")
	registerEnv(cmd, &f.envs)
	f.registerWorkers(cmd)
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "seed of the order of trials")
	cmd.Flags().DurationVar(&f.budget, "budget", 0, "measure for at most this long once the minimum of rounds is done (`10m`)")
	cmd.Flags().StringToStringVar(&f.limits, "limit", nil, "a limit of the suite, replaced: `trial=60s`, memory=4GiB, suite=10m")
	cmd.Flags().StringVar(&f.until, "until", "", "`decided`: a cell is measured until its comparisons have a verdict; max: in all rounds (default the suite's)")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) { f.budgetSet = cmd.Flags().Changed("budget") }
}

// registerEnv adds the flag of the user's own environments.
func registerEnv(cmd *cobra.Command, envs *[]string) {
	cmd.Flags().StringArrayVar(envs, "env", nil, "your own environment for a framework, or beside it: `NAME=PATH` or NAME@LABEL=PATH; may be repeated")
}

// registerForce adds the flag that swaps names.
func registerForce(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "run cells that are expected to take more memory than is available")
}

// plan reads the suite and resolves its cells.
func (f *suiteFlags) plan(ctx context.Context) (harness.Plan, error) {
	suite, err := findSuite(f.suite)
	if err != nil {
		return harness.Plan{}, err
	}
	if f.site, err = here(ctx, f.envs); err != nil {
		return harness.Plan{}, err
	}
	if f.site, err = f.site.withWorkers(ctx, f.workers, &suite); err != nil {
		return harness.Plan{}, err
	}
	f.site = f.site.with(slices.Concat(suite.Backends, f.backends)...)
	if err := f.override(&suite); err != nil {
		return harness.Plan{}, err
	}
	if f.change != nil {
		if err := f.change(&suite, &f.site); err != nil {
			return harness.Plan{}, err
		}
	}
	sel := harness.Selection{Backends: f.backends, Workloads: f.workloads, DataDir: f.data}
	for _, path := range f.specs {
		spec, err := workloads.LoadFile(path)
		if err != nil {
			return harness.Plan{}, err
		}
		sel.Own = append(sel.Own, spec)
	}
	plan, err := harness.NewPlan(suite, f.site.entries(), sel)
	if err != nil {
		return harness.Plan{}, err
	}
	for i, c := range plan.Cells {
		if c.Settings.Device != workloads.DeviceCPU {
			plan.Cells[i].Entry = f.site.onDevice(c.Entry.Info.Name, c.Settings.Device)
		}
	}
	if err := f.chooseBaseline(&plan); err != nil {
		return harness.Plan{}, err
	}
	return plan, nil
}

// findSuite reads a suite file where name looks like a path, else the shipped
// suite of that name.
func findSuite(name string) (workloads.Suite, error) {
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.ContainsRune(name, filepath.Separator) {
		return workloads.LoadSuiteFile(name)
	}
	if suite, ok := workloads.FindSuite(name); ok {
		return suite, nil
	}
	var names []string
	for _, s := range workloads.ShippedSuites() {
		names = append(names, s.Name)
	}
	return workloads.Suite{}, fmt.Errorf("--suite %q: no shipped suite has that name; there are %s, or give the path of a .yaml file", name, strings.Join(names, ", "))
}

// override applies --limit, --budget and --until.
func (f *suiteFlags) override(s *workloads.Suite) error {
	for key, value := range f.limits {
		var err error
		switch key {
		case "trial":
			s.Limits.Trial, err = time.ParseDuration(value)
		case "suite":
			s.Limits.Suite, err = time.ParseDuration(value)
		case "memory":
			s.Limits.Memory, err = workloads.ParseBytes(value)
		default:
			return fmt.Errorf("--limit %s=%s: expected trial, suite or memory", key, value)
		}
		if err != nil {
			return fmt.Errorf("--limit %s=%s: %w; hint: trial=60s, suite=10m, memory=4GiB", key, value, err)
		}
		if s.Limits.Trial <= 0 || s.Limits.Suite < 0 || s.Limits.Memory <= 0 {
			return fmt.Errorf("--limit %s=%s: expected more than 0", key, value)
		}
	}
	switch f.until {
	case "":
	case workloads.UntilDecided, workloads.UntilMax:
		s.Rounds.Until = f.until
	default:
		return fmt.Errorf("--until %q: expected %s or %s", f.until, workloads.UntilDecided, workloads.UntilMax)
	}
	if f.budget < 0 || f.budgetSet && f.budget == 0 {
		return fmt.Errorf("--budget %s: expected more than 0", f.budget)
	}
	if f.budget > 0 {
		s.Limits.Suite = f.budget
	}
	return nil
}

// prepare writes what the trials read and finds the oracle's results.
func (f *suiteFlags) prepare(ctx context.Context, plan *harness.Plan, p *progress) error {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	return plan.Prepare(ctx, cache, f.data, goldens{cache: cache, tell: p.tell}.find)
}

// meta describes the run before its first trial.
func (f *suiteFlags) meta(plan harness.Plan, mask []int, began time.Time) (results.Meta, error) {
	binary, err := binaryHash()
	if err != nil {
		return results.Meta{}, err
	}
	s := plan.Suite
	m := results.Meta{
		Schema: results.Schema, Suite: s.Name, Seed: f.seed, Started: began.UTC().Format(time.RFC3339),
		Command: append([]string{"dlbench"}, os.Args[1:]...), Version: version(), Binary: binary,
		Host: host.Fingerprint(mask), Baseline: s.Compare.Baseline,
		Policy: results.Policy{
			Metric: metrics(s.Compare.Metric), MinEffect: s.Compare.MinEffect, Alpha: s.Compare.Alpha,
			MinRounds: s.Rounds.Min, MaxRounds: s.Rounds.Max, Until: s.Rounds.Until, MemoryTrials: s.Rounds.Memory,
		},
		Limits:    results.Limits{TrialNS: s.Limits.Trial.Nanoseconds(), SuiteNS: s.Limits.Suite.Nanoseconds(), MemoryBytes: s.Limits.Memory},
		Workloads: plan.Workloads,
		Notes:     f.notes(plan),
		Label:     f.label,
		Shared:    f.share && slices.ContainsFunc(plan.Cells, harness.CanShare),
	}
	m.Host.Env, m.Backends = harness.WorkerEnv(plan.Cells), f.site.conditions(plan)
	if plan.OnGPU() {
		m.Host.GPUs = host.GPUs()
	}
	for _, c := range plan.Cells {
		m.Cells = append(m.Cells, c.Name)
	}
	m.Plan, err = planHash(plan, f.site, m.Shared)
	return m, err
}

// conditions are those under which workers of a backend start, where they are
// not those of all.
func (s site) conditions(plan harness.Plan) map[string]results.Backend {
	env, paths := harness.BackendEnv(plan.Cells), s.places()
	out := map[string]results.Backend{}
	for _, e := range plan.Entries() {
		b, again := out[e.Info.Name]
		if again { // on another device, in another environment
			b.Environment += ", "
		} else {
			b.Env = env[e.Info.Name]
			for k, v := range b.Env {
				b.Env[k] = shortened(v, paths)
			}
		}
		name, made := s.describe(e.Environment)
		b.Environment += name
		b.DiskBytes += made.Bytes
		b.SetupNS += int64(math.Round(made.Seconds * 1e9))
		own := s.workers[e.Info.Name]
		b.Worker, b.Binary = own.command, own.binary
		if b.Worker == "" {
			b.AdapterLines = catalog.AdapterLines(e.Info.Name)
			if !again {
				b.Proven = s.provenOf(e)
			}
		}
		if len(b.Env) > 0 || b.Environment != "" || b.Worker != "" || b.AdapterLines > 0 || b.Proven != nil {
			out[e.Info.Name] = b
		}
	}
	return out
}

// describe is how a run records an environment: by name, with the user's own
// marked, and how it was made, which is not known of those.
func (s site) describe(name string) (string, environment.Marker) {
	if name == "" {
		return "", environment.Marker{}
	}
	r := parsed(name)
	if s.brought(r) != "" {
		return name + " (the user's own)", environment.Marker{}
	}
	return name, s.store.Look(r).Marker
}

// notes are what the suite says to its readers, and which data set was used
// in place of the generators.
func (f *suiteFlags) notes(plan harness.Plan) map[string]string {
	notes := maps.Clone(plan.Suite.Notes)
	if f.data == "" {
		return notes
	}
	if notes == nil {
		notes = map[string]string{}
	}
	for lang, words := range map[string]string{"en": "Real data from --data instead of the generators: ", "zh": "使用 --data 的真实数据，而非生成器："} {
		notes[lang] = strings.TrimSpace(notes[lang] + " " + words + plan.Cells[0].Program.Data.Generator + ".")
	}
	return notes
}

// planHash covers what the trials do: cells and steps, data and rounds are
// compared field by field when a run is resumed.
func planHash(plan harness.Plan, s site, shared bool) (string, error) {
	type cell struct {
		Cell  results.Cell
		Steps workloads.Steps
		Argv  []string
		In    string `json:",omitempty"`
	}
	var cells []cell
	paths := s.places()
	for _, c := range plan.Cells {
		var argv []string
		for _, a := range c.Entry.Argv {
			argv = append(argv, shortened(a, paths))
		}
		cells = append(cells, cell{c.Name, c.Steps, argv, cmp.Or(s.identity(c.Entry.Environment), s.workers[c.Name.Backend].binary)})
	}
	var trials any = cells
	if shared { // other trials: forked ones
		trials = struct {
			Shared []cell
		}{cells}
	}
	text, err := json.Marshal(trials)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// identity names what an environment holds: a run must not go on in another.
func (s site) identity(name string) string {
	if name == "" {
		return ""
	}
	r := parsed(name)
	if own := s.brought(r); own != "" {
		return own + " " + installed(own)
	}
	return s.store.Look(r).Marker.Identity()
}

// installed is the hash of the names of the packages, with their versions, that
// lie in the environment of an interpreter.
func installed(python string) string {
	var names []string
	// A pattern of ours is well formed; * crosses no folder.
	found, _ := filepath.Glob(filepath.Join(escaped(filepath.Dir(filepath.Dir(python))), "lib*", "python3*", "*-packages", "*.dist-info"))
	for _, path := range found {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names) // lib64 may be another name of lib
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(names), "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// escaped is the pattern of filepath.Glob that matches the path alone.
func escaped(path string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

func metrics(byMode map[workloads.Mode]string) map[string]string {
	out := map[string]string{}
	for mode, metric := range byMode {
		out[string(mode)] = metric
	}
	return out
}
