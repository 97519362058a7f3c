package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/workloads"
)

// setupFlags are what "setup" was asked for.
type setupFlags struct {
	all, cuda, list, remove, asJSON bool
	tool                            string
}

func newSetup() *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup (NAME[@VERSION]… | --all)",
		Short: "Make the environments of the Python frameworks",
		Long: `Make one environment for each named framework in the user's cache: with uv where
it is on PATH, else with python3 -m venv and pip, from exact versions with hashes
that are part of this binary. Packages come from the index that the user's own
configuration of uv or pip names. What is complete stays as it is, what is broken
or holds other versions than this dlbench pins is made anew, and nothing half-made
is left when it is interrupted.

NAME@VERSION makes a second environment with that version of the framework, whose
dependencies are resolved now, without hashes. Every backend X of the framework is
then there as X@VERSION too, and one run can compare both.

--cuda makes the environments that the named frameworks' cells on a GPU use.
Environments: ` + strings.Join(environment.Names(), ", ") + ".",
		Example: `  dlbench setup pytorch jax
  dlbench setup --all
  dlbench setup pytorch@2.14.0 && dlbench run --suite articles-small --backend pytorch,pytorch@2.14.0
  dlbench setup --cuda tensorflow jax
  dlbench setup --list
  dlbench setup --remove pytorch@2.14.0`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args)
		},
		ValidArgs: environment.Names(),
	}
	cmd.Flags().BoolVar(&f.all, "all", false, "every framework")
	cmd.Flags().BoolVar(&f.cuda, "cuda", false, "for cells on an NVIDIA GPU")
	cmd.Flags().BoolVar(&f.list, "list", false, "show the environments and what they take")
	cmd.Flags().BoolVar(&f.remove, "remove", false, "remove the named environments")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "with --list: as JSON, one object per environment")
	cmd.Flags().StringVar(&f.tool, "tool", "", "`uv` or pip, instead of what is found")
	cmd.MarkFlagsMutuallyExclusive("list", "remove", "all")
	cmd.MarkFlagsMutuallyExclusive("list", "remove", "cuda")
	return cmd
}

func (f setupFlags) run(cmd *cobra.Command, args []string) error {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	store := environments(cache)
	refs, err := f.refs(args)
	if err != nil {
		return err
	}
	switch {
	case f.asJSON && !f.list:
		return errors.New("--json goes with --list")
	case f.list:
		return listEnvironments(cmd, store, f.asJSON)
	case f.remove:
		return removeEnvironments(cmd, store, refs)
	}
	return makeEnvironments(cmd, store, refs, f)
}

// refs are the environments that the arguments and flags name.
func (f setupFlags) refs(args []string) ([]environment.Ref, error) {
	if f.all && len(args) > 0 {
		return nil, fmt.Errorf("--all and %s: expected one or the other", strings.Join(args, " "))
	}
	if len(args) == 0 && !f.all && !f.list {
		return nil, fmt.Errorf("which framework? Expected NAMEs or --all; there are %s", strings.Join(plainEnvironments(), ", "))
	}
	if f.all {
		args = plainEnvironments()
	}
	var refs []environment.Ref
	for _, text := range args {
		r, err := environment.ParseRef(text)
		if err != nil {
			return nil, err
		}
		if _, err := environment.Find(r.Name); err != nil {
			return nil, err
		}
		named := []environment.Ref{r}
		if f.cuda {
			if named = forCUDA(r); len(named) == 0 && !f.all {
				return nil, fmt.Errorf("--cuda %s: its backends run on the CPU alone", r)
			}
		}
		for _, r := range named {
			if !slices.Contains(refs, r) {
				refs = append(refs, r)
			}
		}
	}
	return refs, nil
}

// plainEnvironments are those of the catalog's entries on the CPU. One that
// repeats others comes after them.
func plainEnvironments() []string {
	rows := catalog.Entries()
	return slices.DeleteFunc(environment.Names(), func(name string) bool {
		return !slices.ContainsFunc(rows, func(e backends.Entry) bool { return e.Environment == name })
	})
}

// forCUDA are the environments in which the framework's entries run on a GPU.
func forCUDA(r environment.Ref) []environment.Ref {
	var refs []environment.Ref
	for _, e := range catalog.Entries() {
		if e.Environment != r.Name && e.EnvironmentCUDA != r.Name || !slices.Contains(e.Devices, workloads.DeviceCUDA) {
			continue
		}
		in := environment.Ref{Name: e.Environment, Version: r.Version}
		switch {
		case r.Version == "" && e.EnvironmentCUDA != "", e.EnvironmentCUDA == e.Environment+"-cuda":
			in.Name = e.EnvironmentCUDA
		}
		if !slices.Contains(refs, in) {
			refs = append(refs, in)
		}
	}
	return refs
}

// makeEnvironments says what it is going to do, then does it.
func makeEnvironments(cmd *cobra.Command, store environment.Store, refs []environment.Ref, f setupFlags) error {
	ctx, out, errs := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	m := environment.Maker{Store: store, Tool: f.tool, Tell: func(line string) { fmt.Fprintln(errs, " ", line) }}
	if isTerminal(errs) {
		m.Terminal = errs.(*os.File)
	}
	steps, err := prepareSteps(ctx, out, m, refs, f.all)
	if err != nil {
		return interruptedSetup(ctx, err)
	}
	if len(steps) == 0 {
		return nil
	}
	if err := announce(ctx, errs, store, steps); err != nil {
		return err
	}
	for _, step := range steps {
		fmt.Fprintf(errs, "%s: with %s and Python %s\n", step.Ref, step.Tool.Name, step.Python.Version)
		if step.Tool.Why != "" {
			fmt.Fprintf(errs, "  (%s)\n", step.Tool.Why)
		}
		state, made, err := m.Make(ctx, step)
		if err != nil {
			return interruptedSetup(ctx, err)
		}
		if !made {
			fmt.Fprintf(out, "%s: already set up (%s)\n", step.Ref, inside(step.Spec, state.Marker))
			continue
		}
		took := time.Duration(state.Marker.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
		fmt.Fprintf(out, "%s: set up in %s (%s)\n", step.Ref, took, inside(step.Spec, state.Marker))
	}
	return nil
}

// prepareSteps are the environments that are to be made. Of those that are
// ready it says so at once; with all, it leaves out what is impossible here.
func prepareSteps(ctx context.Context, out io.Writer, m environment.Maker, refs []environment.Ref, all bool) ([]environment.Step, error) {
	var steps []environment.Step
	for _, r := range refs {
		step, err := m.Prepare(ctx, r)
		switch {
		case all && step.State.Condition == environment.Impossible:
			fmt.Fprintf(out, "%s: left out, %s\n", r, step.State.Why)
		case err != nil:
			return nil, err
		case step.State.Condition == environment.Ready:
			fmt.Fprintf(out, "%s: already set up (%s)\n", r, inside(step.Spec, step.State.Marker))
		default:
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// freeSpace is how much a folder's disk can hold. Tests have fuller disks.
var freeSpace = environment.Free

// announce says what will be downloaded and what it takes, and refuses what the
// disks cannot hold.
func announce(ctx context.Context, w io.Writer, store environment.Store, steps []environment.Step) error {
	fmt.Fprintf(w, "environments will be made in %s\n", store.Dir)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	downloads, needs := environment.Needs(steps)
	var notes []string
	for _, s := range steps {
		about, why := "", ""
		if s.Ref.Version != "" {
			about = ", about as much as the pinned version; resolved now, without hashes"
		}
		if s.State.Why != "" {
			why = fmt.Sprintf(" (is %s: %s)", s.State.Condition, s.State.Why)
		}
		fmt.Fprintf(table, "  %s\tdownloads up to %s\ttakes %s on disk%s%s\n", s.Ref, size(s.Spec.Download), size(s.Spec.Disk), about, why)
		if s.Spec.Note != "" && !slices.Contains(notes, s.Spec.Note) {
			notes = append(notes, s.Spec.Note)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(w, "  note:", n)
	}
	if err := announceElsewhere(ctx, w, store, steps); err != nil {
		return err
	}
	free, err := freeSpace(store.Dir)
	if err != nil {
		fmt.Fprintf(w, "  together: downloads up to %s, %s on disk; free space is not known: %v\n", size(downloads), size(needs), err)
		return nil
	}
	fmt.Fprintf(w, "  together: downloads up to %s, %s on disk, of which %s are free; packages that the tool has in its cache are not downloaded\n", size(downloads), size(needs), size(free))
	if needs+needs/20 > free {
		return fmt.Errorf("%s cannot hold it: %s are needed and %s are free; free some, name fewer frameworks, or set %s to a folder on another disk", store.Dir, size(needs+needs/20), size(free), workloads.CacheEnv)
	}
	return nil
}

// announceElsewhere says what is needed on other disks than the environments',
// and refuses what they cannot hold.
func announceElsewhere(ctx context.Context, w io.Writer, store environment.Store, steps []environment.Step) error {
	for _, p := range environment.Elsewhere(ctx, steps, store.Dir) {
		free, err := freeSpace(p.Dir)
		if err != nil { // not known, as on systems without such a call
			continue
		}
		fmt.Fprintf(w, "  on another disk: %s in %s, up to %s, of which %s are free\n", p.What, p.Dir, size(p.Bytes), size(free))
		if p.Bytes > free {
			return fmt.Errorf("%s cannot hold %s: up to %s are needed and %s are free; free some, name fewer frameworks, or set %s to a folder on another disk", p.Dir, p.What, size(p.Bytes), size(free), p.Set)
		}
	}
	return nil
}

// interruptedSetup replaces what an ended context made of an operation.
func interruptedSetup(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return exitError{code: exitInterrupted, err: errors.New("interrupted; what was not complete has been removed")}
	}
	return err
}

func removeEnvironments(cmd *cobra.Command, store environment.Store, refs []environment.Ref) error {
	for _, r := range refs {
		removed, err := store.Remove(r)
		if err != nil {
			return err
		}
		if !removed {
			return fmt.Errorf("%s is not set up; `dlbench setup --list` shows what is", r)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: removed\n", r)
	}
	return nil
}

// listEnvironments shows every environment that could be there or is.
func listEnvironments(cmd *cobra.Command, store environment.Store, asJSON bool) error {
	var refs []environment.Ref
	for _, name := range environment.Names() {
		refs = append(refs, environment.Ref{Name: name})
	}
	for _, r := range store.Refs() {
		if r.Version != "" {
			refs = append(refs, r)
		}
	}
	rows := [][]string{{"environment", "state", "versions", "python", "disk", "made"}}
	for _, r := range refs {
		state := store.Look(r)
		spec, err := environment.Find(r.Name)
		if err != nil {
			return err
		}
		row := []string{r.String(), string(state.Condition), "", "", "", ""}
		if state.Why != "" {
			row[1] += ": " + state.Why
		}
		if m := state.Marker; m.Name != "" {
			row[2], row[3], row[4], row[5] = versionsOf(m.Versions(spec)), m.Python, size(m.Bytes), fmt.Sprintf("%s with %s in %.1f s", m.Made, m.Tool, m.Seconds)
		}
		rows = append(rows, row)
	}
	return writeRows(cmd, rows, asJSON)
}

// inside is what an environment holds, in a few words.
func inside(s environment.Spec, m environment.Marker) string {
	return fmt.Sprintf("%s, Python %s, %s", versionsOf(m.Versions(s)), m.Python, size(m.Bytes))
}

// size writes bytes as people compare them with what their disk says: decimal.
func size(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
}
