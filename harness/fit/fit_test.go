package fit

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// worker has a base of so many bytes, grows by so many per example, and by
// steps of an allocator.
type worker struct{ base, each, grain int64 }

func (w worker) peak(batch int) int64 {
	p := w.base + w.each*int64(batch)
	return (p + w.grain - 1) / w.grain * w.grain
}

func TestLargest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		w := worker{base: 1 + rng.Int64N(300<<20), each: 1 + rng.Int64N(1<<20), grain: 1 << rng.IntN(22)}
		s := Search{Memory: 1 + rng.Int64N(4<<30), Step: 1 << rng.IntN(3), Most: 1 << 16, Trials: 24, Within: 0.02}
		tried, err := Largest(context.Background(), s, 1+rng.IntN(1<<16), func(_ context.Context, batch int) (Tried, error) {
			if batch < s.Step || batch > s.Most || batch%s.Step != 0 {
				t.Fatalf("batch %d: expected a multiple of %d up to %d", batch, s.Step, s.Most)
			}
			return Tried{Peak: min(w.peak(batch), s.Memory+1), Fits: w.peak(batch) <= s.Memory}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fits, fails := Best(tried)
		largest := 0 // the truth
		for b := s.Step; b <= s.Most && w.peak(b) <= s.Memory; b += s.Step {
			largest = b
		}
		switch {
		case largest == 0:
			if fits.Batch != 0 || len(tried) != 1 {
				t.Fatalf("%+v %+v: nothing fits, got %v", w, s, tried)
			}
		case fits.Batch > largest:
			t.Fatalf("%+v %+v: got %d, but only %d fits", w, s, fits.Batch, largest)
		case fits.Batch != largest && float64(largest-fits.Batch) > s.Within*float64(fits.Batch):
			t.Fatalf("%+v %+v: got %d of %d in %d trials: %v", w, s, fits.Batch, largest, len(tried), tried)
		case fails.Batch != 0 && fails.Batch <= fits.Batch:
			t.Fatalf("%+v: %d fits and %d does not", w, fits.Batch, fails.Batch)
		}
	}
}

// TestFewTrials: a straight line needs few.
func TestFewTrials(t *testing.T) {
	w := worker{base: 300 << 20, each: 123_456, grain: 4096}
	s := Search{Memory: 4 << 30, Step: 1, Most: 1 << 16, Trials: 12, Within: 0.02}
	tried, err := Largest(context.Background(), s, 256, func(_ context.Context, batch int) (Tried, error) {
		return Tried{Peak: w.peak(batch), Fits: w.peak(batch) <= s.Memory}, nil
	})
	if err != nil || len(tried) > 5 {
		t.Errorf("%d trials: %v, %v; expected at most 5", len(tried), tried, err)
	}
}

func TestErrorEnds(t *testing.T) {
	broken := errors.New("broken")
	tried, err := Largest(context.Background(), Search{Memory: 1, Step: 1, Most: 4, Trials: 4}, 2, func(context.Context, int) (Tried, error) {
		return Tried{}, broken
	})
	if !errors.Is(err, broken) || len(tried) != 0 {
		t.Errorf("got %v and %v, expected the error of the measurement", tried, err)
	}
}
