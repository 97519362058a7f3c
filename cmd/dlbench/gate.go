package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/gate"
)

// gateFlags are what "gate" was asked for.
type gateFlags struct {
	base, head   string
	policy       string
	acrossHosts  bool
	formats      []string
	outputs      []string
	junit, sarif string
	title        string
}

func newGate() *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:   "gate (RUN | BASE HEAD)",
		Short: "Decide whether a change may pass",
		Long: `Hold cells of a base against cells of a head and end with a code that a build
can stop at. In one RUN base and head are two backends, or two settings, that were
measured in turn: two versions of a framework, two commits of a library. In two
runs, BASE and HEAD, they are the cells of the same name; what changed on the host
in between counts as a difference then, and runs of different hosts are refused.

--base and --head take a backend or KEY=VALUE,… over the parts of cells' names
(workload, mode, precision, device, data, batch, accumulate, threads, checkpoint,
allocator, backend). Without them the base is the run's baseline and the head the
one other backend.

Every timed check is judged by the test of "compare", all of them sharing alpha.
--policy FILE says what is judged and how strictly, cell by cell, and which facts
may not change at all; docs/GATE.md describes it.

The exit code is 0 when nothing fails, 1 when a cell regressed, vanished or is
missing though the policy requires it, 4 when trials did not end ok (wrong, flaky,
failed), 3 when nothing could be compared, or is undecided and the policy says
"undecided: fail", 2 for bad input and 130 when interrupted. Of several the first
in the order 1, 4, 3 counts: a regression is one whatever else is open.`,
		Example: `  dlbench gate results/runs/ci
  dlbench gate results/runs/ci --base pytorch@2.14.0 --head pytorch --policy gate.yaml
  dlbench gate results/runs/ci --base allocator=default --head allocator=tuned
  dlbench gate results/runs/before results/runs/after
  dlbench gate results/runs/ci --junit gate.xml --sarif gate.sarif -o gate.md --format text,github`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return fmt.Errorf("gate: %d folders: expected that of one run, or those of a base and a head", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.base, "base", "", "the base: a `BACKEND`, or KEY=VALUE,… (default the run's baseline)")
	flags.StringVar(&f.head, "head", "", "the head: a `BACKEND`, or KEY=VALUE,… (default the one other)")
	flags.StringVar(&f.policy, "policy", "", "`file` (YAML) with what must hold")
	flags.BoolVar(&f.acrossHosts, "across-hosts", false, "hold runs of different hosts against each other all the same")
	flags.StringSliceVar(&f.formats, "format", []string{"text"}, "what to print: text, md, json, github (annotations); `A,B` prints several")
	flags.StringArrayVarP(&f.outputs, "output", "o", nil, "`file` to write too (.txt, .md, .json, .html); may be repeated")
	flags.StringVar(&f.junit, "junit", "", "`file` to write as JUnit XML")
	flags.StringVar(&f.sarif, "sarif", "", "`file` to write as SARIF 2.1.0")
	flags.StringVar(&f.title, "title", "", "`NAME` of this gate in its outputs, where a build has several (default dlbench)")
	return cmd
}

// gateRenderers are the outputs by their names.
var gateRenderers = map[string]func(io.Writer, gate.Result, report.GateOptions) error{
	"text": report.GateText, "md": report.GateMarkdown, "json": report.GateJSON, "github": report.GateAnnotations,
}

// gateEndings are the outputs by the endings of their files.
var gateEndings = map[string]func(io.Writer, gate.Result, report.GateOptions) error{
	".txt": report.GateText, ".md": report.GateMarkdown, ".json": report.GateJSON, ".html": report.GateHTML, ".htm": report.GateHTML,
}

func (f *gateFlags) run(cmd *cobra.Command, args []string) error {
	files, err := f.files()
	if err != nil {
		return err
	}
	in, err := f.input(cmd, args)
	if err != nil {
		return err
	}
	result, err := gate.Judge(in)
	if err != nil {
		return err
	}
	if cmd.Context().Err() != nil {
		return exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	options := report.GateOptions{Title: f.title, Version: version(), Location: f.location(args[len(args)-1])}
	for _, file := range files {
		if err := writeGate(file, result, options); err != nil {
			return err
		}
	}
	out := cmd.OutOrStdout()
	for _, name := range f.formats {
		options.Terminal = textOptions(out)
		if err := gateRenderers[name](out, result, options); err != nil {
			return err
		}
	}
	if code := result.Code(); code != gate.CodePass {
		return exitError{code: code, err: errors.New(result.Headline())}
	}
	return nil
}

// gateFile is one file to write.
type gateFile struct {
	path   string
	render func(io.Writer, gate.Result, report.GateOptions) error
}

// files checks what was asked for before anything is read.
func (f *gateFlags) files() ([]gateFile, error) {
	for _, name := range f.formats {
		if gateRenderers[name] == nil {
			return nil, fmt.Errorf("--format %q: expected any of text, md, json, github; hint: --junit, --sarif and -o write files", name)
		}
	}
	if len(f.formats) == 0 {
		return nil, errors.New(`--format "": expected any of text, md, json, github; hint: -o FILE writes a file beside what is printed`)
	}
	if slices.Contains(f.formats, "json") && len(f.formats) > 1 {
		return nil, errors.New("--format json,…: JSON is printed alone; hint: -o gate.json writes it into a file")
	}
	var files []gateFile
	for _, path := range f.outputs {
		render := gateEndings[strings.ToLower(filepath.Ext(path))]
		if render == nil {
			return nil, fmt.Errorf("-o %s: the ending %q says no format: expected .txt, .md, .json or .html; hint: --junit and --sarif for these", path, filepath.Ext(path))
		}
		files = append(files, gateFile{path, render})
	}
	if f.junit != "" {
		files = append(files, gateFile{f.junit, report.GateJUnit})
	}
	if f.sarif != "" {
		files = append(files, gateFile{f.sarif, report.GateSARIF})
	}
	for i, file := range files {
		if slices.ContainsFunc(files[:i], func(o gateFile) bool { return filepath.Clean(o.path) == filepath.Clean(file.path) }) {
			return nil, fmt.Errorf("%s is to be written twice", file.path)
		}
	}
	return files, nil
}

// input reads the runs and the policy.
func (f *gateFlags) input(cmd *cobra.Command, args []string) (gate.Input, error) {
	in := gate.Input{AcrossHosts: f.acrossHosts}
	var err error
	for _, side := range []struct {
		flag, text string
		to         *gate.Selector
	}{{"--base", f.base, &in.From}, {"--head", f.head, &in.To}} {
		if cmd.Flags().Changed(side.flag[2:]) {
			if *side.to, err = gate.ParseSelector(side.text); err != nil {
				return in, fmt.Errorf("%s %w", side.flag, err)
			}
		}
	}
	if f.policy != "" {
		if in.Policy, err = gate.LoadPolicy(f.policy); err != nil {
			return in, err
		}
	}
	if len(args) == 2 && sameFolder(args[0], args[1]) {
		return in, fmt.Errorf("%s and %s are the same run; hint: one argument holds its backends against each other", args[0], args[1])
	}
	if in.Base, err = readForGate(args[0], in.Policy); err != nil {
		return in, err
	}
	if len(args) == 2 {
		head, err := readForGate(args[1], in.Policy)
		if err != nil {
			return in, err
		}
		in.Head = &head
	}
	return in, nil
}

func sameFolder(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// readForGate reads of a run what the policy looks at, or else the run's own. The
// result warns of what is to be doubted.
func readForGate(dir string, p gate.Policy) (results.Run, error) {
	return results.ReadNamed(dir, func(m results.Meta) []results.Metric {
		names := p.Judged()
		for _, own := range m.Policy.Metric {
			names = append(names, own)
		}
		return percentiles(names)
	})
}

// percentiles are the metrics among these that take the times of single blocks.
func percentiles(names []string) []results.Metric {
	var list []results.Metric
	for _, name := range names {
		if m, ok := results.LookupMetric(name); ok && m.Percentile > 0 {
			list = append(list, m)
		}
	}
	return list
}

// location is the file that SARIF's results point to, from the current folder
// where it lies in there.
func (f *gateFlags) location(run string) string {
	path := cmp.Or(f.policy, filepath.Join(run, "run.json"))
	here, err1 := os.Getwd()
	full, err2 := filepath.Abs(path)
	if err1 != nil || err2 != nil {
		return path
	}
	if rel, err := filepath.Rel(here, full); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// writeGate renders in memory first, so that an error leaves no half file.
func writeGate(f gateFile, r gate.Result, o report.GateOptions) error {
	var text bytes.Buffer
	if err := f.render(&text, r, o); err != nil {
		return err
	}
	temporary := f.path + ".partial"
	if err := os.WriteFile(temporary, text.Bytes(), 0o644); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return os.Rename(temporary, f.path)
}
