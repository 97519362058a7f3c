package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/forecast"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/calibration"
	"github.com/dlbench/dlbench/workloads"
)

// What calibrate measures unless it is told otherwise.
const (
	calibrationSuite  = "quick"
	calibrationRounds = 20
	calibrationBudget = 10 * time.Minute
)

// calibrateFlags are those of calibrate beside the suite's.
type calibrateFlags struct {
	suiteFlags
	out          string
	resume       bool
	rounds       int
	show, asJSON bool
}

func newCalibrate() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use:   "calibrate [--suite NAME]",
		Short: "Measure the noise floor of this host with A/A runs",
		Long: `Measure every cell of a suite under two labels, X@A and X@B, of the same backend,
interleaved and shuffled as in any run, and say what differs where nothing does:

  - the noise floor: the standard deviation of the step time between processes,
    which longer trials do not lessen, with an interval at 95 %
  - the noise within a process and its correlation from block to block
  - whether page faults explain the difference between processes
  - how many of 200 A/A gates drawn from the run raise a false alarm, and whether
    trials depend on those of the round before, of which no gate takes account
  - the smallest effect that 7, 10, 15 and 20 rounds see with 80 % probability

The run is an ordinary one, with a folder and a report. What it shows is kept in
the cache for this machine, and every later run here quotes it in its reports.
Without --suite the cells are those of the suite quick, on the embedded Go
backends, in at most 20 rounds and ten minutes. Trials are fresh processes.

The exit codes are those of run; 3 too when no cell could be calibrated.`,
		Example: `  dlbench calibrate
  dlbench calibrate --suite articles-small --backend pytorch --budget 30m
  dlbench calibrate --show`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.show {
				return showCalibration(cmd, f.asJSON)
			}
			return calibrate(cmd, &f)
		},
	}
	f.registerFor(cmd, calibrationSuite)
	cmd.Flags().IntVar(&f.rounds, "rounds", calibrationRounds, "measure at most this `many` rounds")
	cmd.Flags().StringVar(&f.out, "out", "", "the run's `folder` (default results/runs/calibrate-SUITE-TIME)")
	cmd.Flags().BoolVar(&f.resume, "resume", false, "go on with the interrupted run in --out")
	registerForce(cmd, &f.force)
	cmd.Flags().BoolVar(&f.show, "show", false, "print what is known of this host, and measure nothing")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "as JSON")
	return cmd
}

func calibrate(cmd *cobra.Command, f *calibrateFlags) error {
	if f.rounds < calibration.MinRounds {
		return fmt.Errorf("--rounds %d: expected at least %d; fewer say nothing about noise", f.rounds, calibration.MinRounds)
	}
	f.change, f.twins = f.double, true
	began := time.Now()
	dir, interrupted, err := measure(cmd, &f.suiteFlags, f.out, f.resume)
	if err != nil {
		return err
	}
	run, _, err := conclude(cmd, dir)
	if err != nil {
		return err
	}
	if interrupted != nil {
		return exitError{code: exitInterrupted, err: fmt.Errorf("interrupted, so nothing is kept; go on with --out %s --resume", dir)}
	}
	known, skipped, err := calibration.Of(run)
	for _, why := range skipped {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: not calibrated:", why)
	}
	if err != nil {
		return exitError{code: exitUndecided, err: fmt.Errorf("%s: %w", dir, err)}
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	path, err := results.AddCalibration(cache.Dir, run.Meta.Host, known)
	if err != nil {
		return err
	}
	if err := printCalibration(cmd, results.Calibration{Schema: results.Schema, Host: run.Meta.Host.Machine(), Runs: []results.CalibrationRun{known}}, f.asJSON); err != nil {
		return err
	}
	if !f.asJSON {
		fmt.Fprintf(cmd.OutOrStdout(), "\nran for %s\nrun: %s\nkept in: %s\n", time.Since(began).Round(100*time.Millisecond), dir, path)
	}
	return exitOf(run)
}

// double makes an A/A suite: every backend that is kept under two labels.
func (f *calibrateFlags) double(s *workloads.Suite, here *site) error {
	var labelled []string
	here.rows = slices.Clone(here.rows)
	kept := f.backends
	if len(kept) == 0 {
		kept = s.Backends
	}
	for _, name := range kept {
		if plain, _, _ := strings.Cut(name, "@"); !slices.Contains(s.Backends, name) && !slices.Contains(s.Backends, plain) {
			return fmt.Errorf("--backend %s: suite %s has %v", name, s.Name, s.Backends)
		}
		i := here.find(name)
		if i < 0 {
			return fmt.Errorf("--backend %s: not in the catalog; `dlbench list backends` shows it", name)
		}
		for _, label := range []string{calibration.LabelA, calibration.LabelB} {
			row := here.rows[i]
			row.Info.Name += label
			here.rows = append(here.rows, row)
			if own, ok := here.workers[name]; ok {
				here.workers[row.Info.Name] = own
			}
			labelled = append(labelled, row.Info.Name)
		}
	}
	s.Name, s.Backends, f.backends = "calibrate-"+s.Name, labelled, nil
	s.Compare.Baseline = labelled[0]
	s.Rounds = workloads.Rounds{Min: calibration.MinRounds, Max: f.rounds, Until: workloads.UntilMax}
	s.Limits.Suite = calibrationBudget
	if f.budget > 0 {
		s.Limits.Suite = f.budget
	}
	return nil
}

// plain is the name that the user has for a backend.
func (f *suiteFlags) plain(name string) string {
	if f.twins {
		for _, label := range []string{calibration.LabelA, calibration.LabelB} {
			if plain, ok := strings.CutSuffix(name, label); ok {
				return plain
			}
		}
	}
	return name
}

// unlabelled are entries, and unlabelledForecast is a forecast, as refusals tell of
// them: with the user's names of backends, and every cell once.
func (f *suiteFlags) unlabelled(entries []backends.Entry) []backends.Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Info.Name = f.plain(entries[i].Info.Name)
	}
	return entries
}

func (f *suiteFlags) unlabelledForecast(of forecast.Forecast) forecast.Forecast {
	seen := map[results.Cell]bool{}
	var cells []forecast.Cell
	for _, c := range of.Cells {
		c.Cell.Backend = f.plain(c.Cell.Backend)
		if !seen[c.Cell] {
			seen[c.Cell], c.Name = true, c.Cell.Name()
			cells = append(cells, c)
		}
	}
	of.Cells = cells
	return of
}

// calibrationOf is what is known of the noise of a host; nil where nothing is.
func calibrationOf(h results.Host) (*results.Calibration, error) {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return nil, err
	}
	return results.ReadCalibration(cache.Dir, h)
}

func showCalibration(cmd *cobra.Command, asJSON bool) error {
	known, err := calibrationOf(host.Fingerprint(nil))
	if err != nil {
		return err
	}
	if known == nil {
		return exitError{code: exitUndecided, err: errors.New("nothing is known of the noise of this host: `dlbench calibrate` measures it")}
	}
	return printCalibration(cmd, *known, asJSON)
}

func printCalibration(cmd *cobra.Command, c results.Calibration, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(c)
	}
	return report.CalibrationText(out, c, textOptions(out))
}
