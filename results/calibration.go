package results

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Calibration is what A/A runs showed of the noise of one machine: what differs
// between trials of which nothing differs.
type Calibration struct {
	Schema int              `json:"schema"`
	Host   Host             `json:"host"` // Host.Machine
	Runs   []CalibrationRun `json:"runs"` // newest first; a cell is in the newest run that measured it
}

// CalibrationRun is one A/A run and what it showed. Effects and standard
// deviations are relative: of the natural logarithm of the step time.
type CalibrationRun struct {
	Started   string   `json:"started"` // RFC 3339, UTC
	Command   []string `json:"command"`
	Version   string   `json:"version"` // of dlbench
	Suite     string   `json:"suite"`
	Mask      []int    `json:"mask"` // CPUs granted
	MinEffect float64  `json:"min_effect"`
	Alpha     float64  `json:"alpha"`
	Family    int      `json:"family"` // comparisons that share alpha in each of the gates
	Gates     Gates    `json:"gates"`  // a gate raises a false alarm where any of its cells does
	// Trials are the valid timed ones, and Disturbed those of them during which
	// something else happened on the host.
	Trials    int         `json:"trials"`
	Disturbed int         `json:"disturbed_trials"`
	Cells     []CellNoise `json:"cells"`
}

// Quiet reports whether at most half of the trials were disturbed.
func (r CalibrationRun) Quiet() bool { return 2*r.Disturbed <= r.Trials }

// Dependent reports whether trials of one of the run's cells depend on those of the
// round before, which no gate's rule allows for: at 5 % over all cells of the run
// (Bonferroni).
func (r CalibrationRun) Dependent(n CellNoise) bool {
	return n.BetweenRounds != nil && n.BetweenRounds.P*float64(max(1, r.Family)) <= 0.05
}

// Alarming reports whether more than five times as many gates raised a false alarm
// as alpha allows. Gates share trials: where the rule holds, that happens in fewer
// than one run of five (Markov's inequality).
func (r CalibrationRun) Alarming() bool {
	return float64(r.Gates.FalseAlarms) > 5*r.Alpha*float64(r.Gates.Judged())
}

// Gates counts A/A gates: each is a drawn stretch of rounds that is cut into
// blocks, in each of which the two labels are exchanged or not by the toss of a coin.
type Gates struct {
	Count        int     `json:"count"`
	Rounds       int     `json:"rounds"`                 // of each at most
	Block        float64 `json:"block_rounds,omitempty"` // mean length of a block; 0: a coin was tossed for every round
	FalseAlarms  int     `json:"false_alarms"`           // improved or regressed
	Equivalent   int     `json:"equivalent"`
	Inconclusive int     `json:"inconclusive"`
	// Withheld are those in which there could be no verdict, whatever the evidence,
	// such as of trials that are too short; of a whole gate, in none of its cells.
	Withheld int `json:"withheld,omitempty"`
}

// Judged is the number of gates in which there could be a verdict.
func (g Gates) Judged() int { return g.Count - g.Withheld }

// CellNoise is the noise of one cell.
type CellNoise struct {
	Cell   Cell `json:"cell"` // of the backend without its label
	Trials int  `json:"trials"`
	Rounds int  `json:"rounds"`
	Blocks int  `json:"blocks"`          // per trial
	Steps  int  `json:"steps_per_block"` // per block

	StepTime float64 `json:"step_time"` // median of trials, seconds per step
	TrialSD  float64 `json:"trial_sd"`  // of a trial
	TrialMAD float64 `json:"trial_mad"` // the same from the median absolute deviation, which wild trials do not move
	// Between is the part of TrialSD that longer trials do not lessen: the noise
	// floor. Low and High are the ends of its interval at 95 %.
	Between     float64 `json:"between_sd"`
	BetweenLow  float64 `json:"between_sd_low"`
	BetweenHigh float64 `json:"between_sd_high"`
	Share       float64 `json:"between_share"` // of the variance of a trial's mean
	// Within is the standard deviation of blocks about their trial's mean, relative
	// to it, less what all trials have in common; Autocorrelation is that of a block with the next one.
	Within          float64 `json:"within_sd"`
	Autocorrelation float64 `json:"autocorrelation"`
	PairSD          float64 `json:"pair_sd"` // of the ratio of the two trials of a round

	BetweenRounds *RoundNoise `json:"between_rounds,omitempty"` // nil: not known, or the ratios of rounds never differ

	Faults     *FaultNoise  `json:"faults,omitempty"` // nil: page faults are not known, or never differ
	Gates      Gates        `json:"gates"`
	Detectable []Detectable `json:"detectable"`
}

// RoundNoise relates the ratio of the two trials of a round to that of the round
// before.
type RoundNoise struct {
	Correlation float64 `json:"lag1_rank_correlation"`
	P           float64 `json:"p"` // of no relation, by permutation
}

// FaultNoise relates the step time of trials to their minor page faults.
type FaultNoise struct {
	Trials      int     `json:"trials"`
	Correlation float64 `json:"rank_correlation"` // Spearman's
	P           float64 `json:"p"`                // of no relation, by permutation
	Explained   float64 `json:"explained"`        // share of the variance of a trial that a straight line takes away
}

// Detectable is the smallest relative effect that a budget of rounds sees with
// 80 % probability; 0: none.
type Detectable struct {
	Rounds int     `json:"rounds"`
	Effect float64 `json:"effect"`
}

// Of finds the noise of a cell that is measured on the CPUs of the mask.
func (c *Calibration) Of(cell Cell, mask []int) (CellNoise, CalibrationRun, bool) {
	if c == nil {
		return CellNoise{}, CalibrationRun{}, false
	}
	for _, r := range c.Runs {
		if !slices.Equal(r.Mask, mask) {
			continue
		}
		for _, n := range r.Cells {
			if n.Cell == cell {
				return n, r, true
			}
		}
	}
	return CellNoise{}, CalibrationRun{}, false
}

// With returns the calibration with a newer run, which replaces what earlier
// ones say of its cells.
func (c Calibration) With(newer CalibrationRun) Calibration {
	runs := []CalibrationRun{newer}
	for _, r := range c.Runs {
		if slices.Equal(r.Mask, newer.Mask) {
			r.Cells = slices.DeleteFunc(slices.Clone(r.Cells), func(n CellNoise) bool {
				return slices.ContainsFunc(newer.Cells, func(o CellNoise) bool { return o.Cell == n.Cell })
			})
		}
		if len(r.Cells) > 0 {
			runs = append(runs, r)
		}
	}
	c.Runs = runs
	return c
}

// ParseCalibration reads a calibration as Encode writes it. The error names
// what is wrong and where.
func ParseCalibration(data []byte) (Calibration, error) {
	if len(data) > maxMeta {
		return Calibration{}, fmt.Errorf("larger than %d bytes", maxMeta)
	}
	var c Calibration
	if at, err := strict(data, &c, &c.Schema); err != nil {
		return Calibration{}, fmt.Errorf("%s: %w", position(data, at), err)
	}
	return c, c.valid()
}

func (c Calibration) valid() error {
	if len(c.Runs) == 0 {
		return errors.New("runs: none")
	}
	for i, r := range c.Runs {
		if err := r.valid(); err != nil {
			return fmt.Errorf("runs[%d]: %w", i, err)
		}
	}
	return nil
}

func (r CalibrationRun) valid() error {
	if _, err := time.Parse(time.RFC3339, r.Started); err != nil {
		return fmt.Errorf("started %q: expected a moment such as 2026-11-21T09:00:00Z", r.Started)
	}
	if len(r.Cells) == 0 {
		return errors.New("cells: none")
	}
	if err := within("min_effect", r.MinEffect, 0, math.MaxFloat64); err != nil {
		return err
	}
	if err := within("alpha", r.Alpha, 0, 1); err != nil {
		return err
	}
	if r.Disturbed < 0 || r.Disturbed > r.Trials {
		return fmt.Errorf("disturbed_trials %d of %d trials", r.Disturbed, r.Trials)
	}
	if err := r.Gates.valid(); err != nil {
		return err
	}
	seen := map[Cell]bool{}
	for _, n := range r.Cells {
		if err := n.valid(); err != nil {
			return err
		}
		if seen[n.Cell] {
			return fmt.Errorf("cell %s is listed twice", n.Cell.Name())
		}
		seen[n.Cell] = true
	}
	return nil
}

func (g Gates) valid() error {
	if g.Count < 0 || g.FalseAlarms < 0 || g.FalseAlarms > g.Count {
		return fmt.Errorf("gates: %d false alarms of %d", g.FalseAlarms, g.Count)
	}
	if g.Withheld < 0 || g.Withheld > g.Count {
		return fmt.Errorf("gates: %d withheld of %d", g.Withheld, g.Count)
	}
	return within("gates: block_rounds", g.Block, 0, math.MaxFloat64)
}

func (n CellNoise) valid() error {
	if err := n.Cell.Validate(); err != nil {
		return err
	}
	if n.Trials < 1 {
		return fmt.Errorf("cell %s: trials %d: expected at least 1", n.Cell.Name(), n.Trials)
	}
	f, b := FaultNoise{}, RoundNoise{}
	if n.Faults != nil {
		f = *n.Faults
	}
	if n.BetweenRounds != nil {
		b = *n.BetweenRounds
	}
	for _, f := range []struct {
		name               string
		value, least, most float64
	}{
		{"step_time", n.StepTime, 0, math.MaxFloat64}, {"trial_sd", n.TrialSD, 0, math.MaxFloat64}, {"trial_mad", n.TrialMAD, 0, math.MaxFloat64},
		{"between_sd_low", n.BetweenLow, 0, n.BetweenHigh}, {"between_sd", n.Between, 0, math.MaxFloat64}, {"between_sd_high", n.BetweenHigh, 0, math.MaxFloat64},
		{"between_share", n.Share, 0, 1}, {"within_sd", n.Within, 0, math.MaxFloat64}, {"autocorrelation", n.Autocorrelation, -1, 1},
		{"pair_sd", n.PairSD, 0, math.MaxFloat64},
		{"between_rounds.lag1_rank_correlation", b.Correlation, -1, 1}, {"between_rounds.p", b.P, 0, 1},
		{"faults.rank_correlation", f.Correlation, -1, 1}, {"faults.p", f.P, 0, 1}, {"faults.explained", f.Explained, 0, 1},
	} {
		if err := within(f.name, f.value, f.least, f.most); err != nil {
			return fmt.Errorf("cell %s: %w", n.Cell.Name(), err)
		}
	}
	if err := n.Gates.valid(); err != nil {
		return fmt.Errorf("cell %s: %w", n.Cell.Name(), err)
	}
	for _, d := range n.Detectable {
		if d.Rounds < 1 || !(d.Effect >= 0) {
			return fmt.Errorf("cell %s: detectable: effect %g after %d rounds", n.Cell.Name(), d.Effect, d.Rounds)
		}
	}
	return nil
}

func within(name string, v, least, most float64) error {
	if !(v >= least && v <= most) {
		return fmt.Errorf("%s %g: expected %g to %g", name, v, least, most)
	}
	return nil
}
