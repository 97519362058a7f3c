// Package fit finds the largest batch of a workload that fits into so much
// memory, by measuring.
package fit

import (
	"context"
	"fmt"
	"math"
)

// Tried is one batch that was measured.
type Tried struct {
	Batch int    `json:"batch"`
	Peak  int64  `json:"peak_bytes"` // of the worker; what was seen before it was stopped where it does not fit
	Fits  bool   `json:"fits"`
	Why   string `json:"why,omitempty"` // it does not, if the peak does not say it
}

// Measure runs a step or a few of a batch and says what it took.
type Measure func(ctx context.Context, batch int) (Tried, error)

// Search bounds a search.
type Search struct {
	Memory int64 // bytes that the worker may take
	Step   int   // batches are multiples of it
	Most   int   // largest batch to try
	Trials int   // at most so many
	// Within ends the search: where the smallest batch that does not fit is at most
	// this share above the largest that does.
	Within float64
}

// Largest measures batches until the largest that fits is known to within
// s.Within, and returns all that it tried, in order. A worker's memory grows
// nearly in a straight line with its batch, so each batch is where the line
// through the last two that fit meets the limit; between one that fits and one
// that does not, never outside, and in the middle if lines do not get there.
//
// The first batch is s.Step: if that does not fit, nothing does.
func Largest(ctx context.Context, s Search, guess int, measure Measure) ([]Tried, error) {
	var tried []Tried
	var low, before Tried // the largest that fits, and one that fits below it
	high := Tried{Batch: s.round(s.Most) + s.Step}
	next := s.Step
	for len(tried) < s.Trials {
		t, err := measure(ctx, next)
		if err != nil {
			return tried, err
		}
		t.Batch = next
		tried = append(tried, t)
		if t.Fits {
			low, before = t, low
		} else {
			high = t
		}
		if low.Batch == 0 || s.close(low.Batch, high.Batch) {
			break
		}
		next = s.next(low, before, high, guess, len(tried))
	}
	return tried, nil
}

// close reports whether nothing is left to be found between two batches.
func (s Search) close(low, high int) bool {
	return high-low <= s.Step || float64(high-low) <= s.Within*float64(low)
}

// next is a batch strictly between low, which fits, and high, which does not or
// is beyond what may be tried. It aims a little below where the line meets the
// limit, so that it fits; when nothing more is to be won there, a little above low,
// so that it does not. Where the line leads nowhere, it halves what is left.
func (s Search) next(low, before, high Tried, guess, trial int) int {
	aim := guess
	switch {
	case before.Batch > 0 && low.Peak > before.Peak:
		slope := float64(low.Peak-before.Peak) / float64(low.Batch-before.Batch)
		meets := float64(low.Batch) + min(float64(s.Memory-low.Peak)/slope, float64(s.Most))
		if aim = int(meets * (1 - s.Within/4)); aim <= low.Batch {
			aim = low.Batch + max(s.Step, int(s.Within*float64(low.Batch)/2))
		}
	case before.Batch > 0: // memory does not grow with the batch
		aim = 4 * low.Batch
	}
	if s.seen(high) && (aim >= high.Batch || trial > straight) {
		aim = int(math.Sqrt(float64(low.Batch) * float64(high.Batch)))
	}
	return min(max(s.round(aim), low.Batch+s.Step), high.Batch-s.Step)
}

// straight is after how many trials the worker is no longer taken for one that
// grows in a straight line.
const straight = 5

// seen reports whether a batch was measured, and is not the end of the range.
func (s Search) seen(high Tried) bool { return high.Batch <= s.round(s.Most) }

// round is the largest multiple of the step up to n.
func (s Search) round(n int) int { return n / s.Step * s.Step }

// Best is the largest batch that fits, and the smallest that was found not to;
// a zero Batch where there is none.
func Best(tried []Tried) (fits, fails Tried) {
	for _, t := range tried {
		switch {
		case t.Fits && t.Batch > fits.Batch:
			fits = t
		case !t.Fits && (fails.Batch == 0 || t.Batch < fails.Batch):
			fails = t
		}
	}
	return fits, fails
}

// Validate says what is wrong with the bounds.
func (s Search) Validate() error {
	switch {
	case s.Memory <= 0:
		return fmt.Errorf("memory %d: expected more than 0 bytes", s.Memory)
	case s.Step < 1 || s.Most < s.Step:
		return fmt.Errorf("batches from %d to %d: expected at least 1, and no more than the largest", s.Step, s.Most)
	case s.Trials < 2:
		return fmt.Errorf("%d trials: expected at least 2", s.Trials)
	case s.Within < 0 || s.Within >= 1:
		return fmt.Errorf("within %v: expected a share below 1", s.Within)
	}
	return nil
}
