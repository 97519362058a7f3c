package harness

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dlbench/dlbench/results"
)

// giveUpAfter is the number of failed timed trials, without one success, after
// which a cell is no longer run: a cell that cannot work must not take the
// time of those that can.
const giveUpAfter = 2

// ErrInterrupted is returned by Run when its context ended.
var ErrInterrupted = errors.New("interrupted")

// Run executes the run: one check trial and one memory trial per cell
// (two where the first compiled, and more where Rounds.Memory says so), then rounds, each a shuffled pass over the cells that are still wanted. Every
// record goes to the sink before the next trial starts; an error of the sink
// ends the run. Run returns ErrInterrupted when ctx ended.
func Run(ctx context.Context, c Config) error {
	r := &runner{Config: c}
	defer r.close()
	return run(ctx, c, r.trial)
}

func run(ctx context.Context, c Config, trial trialRunner) error {
	s := &schedule{Config: c, trial: trial, done: append([]results.Record(nil), c.Done...), began: time.Now()}
	for _, r := range c.Done {
		s.spent += time.Duration(r.WallNS)
	}
	for _, kind := range []string{results.KindCheck, results.KindMemory} {
		if err := s.once(ctx, kind); err != nil {
			return err
		}
	}
	if err := s.warm(ctx); err != nil {
		return err
	}
	for n := 2; n <= c.Rounds.Memory; n++ {
		if err := s.repeatMemory(ctx, n); err != nil {
			return err
		}
	}
	longest := longestRound(c.Done)
	for round := 1; round <= c.Rounds.Max; round++ {
		cells := s.active(round)
		if len(cells) == 0 {
			return nil
		}
		attempt, complete := s.attempt(round, cells)
		if complete {
			continue
		}
		if round > c.Rounds.Min && c.Limits.SuiteNS > 0 && s.elapsed()+longest > time.Duration(c.Limits.SuiteNS) {
			return nil
		}
		began := time.Now()
		if err := s.pass(ctx, results.KindTime, round, attempt, cells); err != nil {
			return err
		}
		longest = max(longest, time.Since(began))
	}
	return nil
}

// schedule is the state of a run in progress.
type schedule struct {
	Config
	trial trialRunner
	done  []results.Record
	began time.Time
	spent time.Duration // by trials of an earlier process, in a resumed run
}

func (s *schedule) elapsed() time.Duration { return s.spent + time.Since(s.began) }

// once runs the trials of a kind that a cell has only one of. Those of an
// earlier process count unless they were interrupted. A cell whose check trial
// failed has no memory trial.
func (s *schedule) once(ctx context.Context, kind string) error {
	return s.passOf(ctx, kind, func(c Cell, ended []results.Record) bool {
		return len(ended) == 0 && (kind == results.KindCheck || s.checked(c.Name))
	})
}

// warm repeats, once, the memory trials that ended ok and had to compile: the
// compiler's processes were in their figures, and what they made now lies on
// disk. Both records stay.
func (s *schedule) warm(ctx context.Context) error {
	return s.passOf(ctx, results.KindMemory, func(_ Cell, ended []results.Record) bool {
		return len(ended) == 1 && ended[0].End == results.EndOK && ended[0].Worker.CompileCache == results.CompileCold
	})
}

// repeatMemory gives the cells whose memory trials all ended ok another one, until
// they have n: how far their peaks differ is part of the result.
func (s *schedule) repeatMemory(ctx context.Context, n int) error {
	return s.passOf(ctx, results.KindMemory, func(_ Cell, ended []results.Record) bool {
		failed := slices.ContainsFunc(ended, func(r results.Record) bool { return r.End != results.EndOK })
		return 0 < len(ended) && len(ended) < n && !failed
	})
}

// passOf runs one more trial of a kind, outside the rounds, of the cells that want
// it. ended are a cell's trials of that kind, those that were interrupted left out.
func (s *schedule) passOf(ctx context.Context, kind string, wanted func(c Cell, ended []results.Record) bool) error {
	var cells []Cell
	attempt := 1
	for _, c := range s.Cells {
		var ended []results.Record
		for _, r := range s.done {
			if r.Kind != kind || r.Cell != c.Name {
				continue
			}
			attempt = max(attempt, r.Attempt+1)
			if r.End != results.EndInterrupted {
				ended = append(ended, r)
			}
		}
		if wanted(c, ended) {
			cells = append(cells, c)
		}
	}
	return s.pass(ctx, kind, 0, attempt, cells)
}

// pass runs one trial of each cell in an order drawn from the seed. Memory
// trials never share: their figures would count what is not the trial's own.
func (s *schedule) pass(ctx context.Context, kind string, round, attempt int, cells []Cell) error {
	order := s.order(s.Share && kind != results.KindMemory, round, attempt, cells)
	for i, turn := range order {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		c := cells[turn.cell]
		e := Event{Kind: kind, Round: round, Rounds: s.Rounds.Max, Index: i + 1, Total: len(order), Cell: c.Name, Elapsed: s.elapsed(), Left: s.left(kind, round, order[i:], cells)}
		s.watch(e)
		r := s.trial(ctx, c, kind, place{round: round, attempt: attempt, order: i + 1, shared: turn.shared, more: turn.more})
		if kind == results.KindTime {
			r.Planned = len(cells)
		}
		s.done = append(s.done, r)
		if err := s.Sink(r); err != nil {
			return err
		}
		e.Record, e.Elapsed = &r, s.elapsed()
		s.watch(e)
	}
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	return nil
}

func (s *schedule) watch(e Event) {
	if s.Watch != nil {
		s.Watch(e)
	}
}

// longestRound is the time of the trials of the longest attempt at a round.
func longestRound(records []results.Record) time.Duration {
	took := map[place]time.Duration{}
	var longest time.Duration
	for _, r := range records {
		if r.Kind == results.KindTime {
			at := place{round: r.Round, attempt: r.Attempt}
			took[at] += time.Duration(r.WallNS)
			longest = max(longest, took[at])
		}
	}
	return longest
}

// active says which cells a round measures, from the records of the rounds
// before it alone: so a resumed run plans what the first one planned.
func (s *schedule) active(round int) []Cell {
	var before []results.Record
	for _, r := range s.done {
		if r.Round < round {
			before = append(before, r)
		}
	}
	var undecided map[results.Cell]bool
	if round > s.Rounds.Min && s.Next != nil {
		undecided = map[results.Cell]bool{}
		for _, c := range s.Next(before) {
			undecided[c] = true
		}
	}
	var cells []Cell
	for _, c := range s.Cells {
		if s.checked(c.Name) && !hopeless(before, c.Name) && (undecided == nil || undecided[c.Name]) {
			cells = append(cells, c)
		}
	}
	return cells
}

// checked reports whether the cell's check trial ended ok.
func (s *schedule) checked(cell results.Cell) bool {
	for _, r := range s.done {
		if r.Kind == results.KindCheck && r.Cell == cell && r.End == results.EndOK {
			return true
		}
	}
	return false
}

// hopeless reports whether a cell failed giveUpAfter timed trials and never
// passed one. Interrupted trials say nothing about the cell.
func hopeless(records []results.Record, cell results.Cell) bool {
	failed := 0
	for _, r := range records {
		switch {
		case r.Kind != results.KindTime || r.Cell != cell || r.End == results.EndInterrupted:
		case r.End == results.EndOK:
			return false
		default:
			failed++
		}
	}
	return failed >= giveUpAfter
}

// attempt returns the attempt with which a round is to be run, and whether an
// earlier process already completed it for all cells.
func (s *schedule) attempt(round int, cells []Cell) (attempt int, complete bool) {
	last := 0
	for _, r := range s.done {
		if r.Kind == results.KindTime && r.Round == round {
			last = max(last, r.Attempt)
		}
	}
	if last == 0 {
		return 1, false
	}
	have := map[results.Cell]bool{}
	for _, r := range s.done {
		if r.Kind == results.KindTime && r.Round == round && r.Attempt == last && r.End != results.EndInterrupted {
			have[r.Cell] = true
		}
	}
	for _, c := range cells {
		if !have[c.Name] {
			return last + 1, false
		}
	}
	return last, true
}

// left estimates the time to the end: the rest of this pass and the passes to
// come, bounded by the suite's limit once the minimum of rounds is safe.
func (s *schedule) left(kind string, round int, rest []turn, cells []Cell) time.Duration {
	if len(s.done) == 0 {
		return 0
	}
	mean := meanTimes(s.done)
	var pass, full, memory time.Duration
	for _, t := range rest {
		pass += mean(cells[t.cell].Name, t.shared)
	}
	for _, c := range s.Cells {
		full += mean(c.Name, s.Share && CanShare(c))
		memory += mean(c.Name, false)
	}
	least, most := pass, pass
	if kind == results.KindCheck {
		least, most = pass+memory, pass+memory
	}
	least += full * time.Duration(max(0, s.Rounds.Min-round))
	most += full * time.Duration(max(0, s.Rounds.Max-round))
	if limit := time.Duration(s.Limits.SuiteNS); limit > 0 {
		return max(least, min(most, limit-s.elapsed()))
	}
	return most
}

// meanTimes returns the mean time of a cell's trials of one form, forked or
// fresh: what is known of that form, else of the cell, else of all cells in that
// form, else of all.
func meanTimes(done []results.Record) func(c results.Cell, shared bool) time.Duration {
	type of struct {
		cell   results.Cell
		shared bool
	}
	// The zero Cell stands for all cells.
	sum, n := map[of]time.Duration{}, map[of]int{}
	for _, r := range done {
		for _, cell := range []results.Cell{r.Cell, {}} {
			sum[of{cell, r.Shared}] += time.Duration(r.WallNS)
			n[of{cell, r.Shared}]++
		}
	}
	return func(c results.Cell, shared bool) time.Duration {
		for _, key := range []of{{c, shared}, {c, !shared}, {shared: shared}, {shared: !shared}} {
			if n[key] > 0 {
				return sum[key] / time.Duration(n[key])
			}
		}
		return 0
	}
}
