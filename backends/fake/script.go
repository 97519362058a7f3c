package fake

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// script says how long steps take: the durations in turn, each times a factor
// drawn once per trial and one drawn per step. Factors are log-normal with
// median 1, their seed is the trial's name: the same trial is always the same.
type script struct {
	steps       []time.Duration
	trial, step float64 // standard deviations of the logarithms
}

// parseScript reads DURATION[,DURATION...][/TRIALNOISE[/STEPNOISE]].
func parseScript(arg string) (script, error) {
	parts := strings.Split(arg, "/")
	if len(parts) > 3 {
		return script{}, fmt.Errorf("script %q: expected DURATION,.../TRIALNOISE/STEPNOISE", arg)
	}
	var s script
	for _, text := range strings.Split(parts[0], ",") {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > time.Minute {
			return script{}, fmt.Errorf("script %q: %q is not a duration up to 1m", arg, text)
		}
		s.steps = append(s.steps, d)
	}
	for i, noise := range []*float64{&s.trial, &s.step} {
		if len(parts) <= i+1 {
			break
		}
		v, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return script{}, fmt.Errorf("script %q: noise %q is not a number from 0 to 1", arg, parts[i+1])
		}
		*noise = v
	}
	return s, nil
}

// durations yields the steps of one trial without end.
func (s script) durations(trial string) func() time.Duration {
	sum := fnv.New64a()
	io.WriteString(sum, trial)
	random := rand.New(rand.NewPCG(sum.Sum64(), 1))
	factor := math.Exp(s.trial * random.NormFloat64())
	n := 0
	return func() time.Duration {
		d := s.steps[n%len(s.steps)]
		n++
		return time.Duration(float64(d) * factor * math.Exp(s.step*random.NormFloat64()))
	}
}

// scripted does the real steps and then waits until the scripted time has
// passed, so that the clocks of both ends agree. A step that takes longer than
// its script keeps its own time.
func scripted(w *worker) (backends.Backend, error) {
	s, err := parseScript(w.arg)
	if err != nil {
		return nil, err
	}
	var next func() time.Duration
	return &hooked{Backend: w.backend, after: func(steps int, took time.Duration) {
		if next == nil {
			next = s.durations(w.session.trial)
		}
		var want time.Duration
		for range steps {
			want += next()
		}
		wait(want - took)
	}}, nil
}

// wait sleeps and spins the last part, which a sleep would overshoot.
func wait(d time.Duration) {
	const tail = 200 * time.Microsecond
	start := time.Now()
	if d > tail {
		time.Sleep(d - tail)
	}
	spin(d - time.Since(start))
}
