package forecast

import (
	"fmt"
	"math"
	"time"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/results"
)

// Tolerance is how far a forecast may be off, as a share of what came.
const Tolerance = 1. / 3

// Compared is one figure of a forecast beside what came.
type Compared struct {
	What     string  `json:"what"`
	Forecast Span    `json:"forecast"` // one figure has Min = Max
	Came     float64 `json:"came"`
	Unit     string  `json:"unit"` // s, MiB
}

// Off is the distance of what came from the forecast, relative to what came:
// -0.2 where the forecast was 20 % too low.
func (c Compared) Off() float64 {
	switch {
	case c.Came < c.Forecast.Min:
		return (c.Forecast.Min - c.Came) / c.Came
	case c.Came > c.Forecast.Max:
		return (c.Forecast.Max - c.Came) / c.Came
	}
	return 0
}

// Right reports whether the forecast is within the tolerance.
func (c Compared) Right() bool { return math.Abs(c.Off()) <= Tolerance }

// Against holds a forecast to a run of its suite that came to its end: the
// trials of each kind that there were, the whole run, and the largest worker.
func (f Forecast) Against(run results.Run) ([]Compared, error) {
	if len(run.Records) == 0 {
		return nil, fmt.Errorf("%s: no trials to compare with", run.Dir)
	}
	if run.Meta.Suite != f.Suite {
		return nil, fmt.Errorf("%s: a run of suite %s: expected %s, which was forecast", run.Dir, run.Meta.Suite, f.Suite)
	}
	cells := map[string]Cell{}
	for _, c := range f.Cells {
		cells[c.Name] = c
	}
	importOf := map[string]float64{}
	for _, b := range f.Backends {
		importOf[b.Name] = b.Import
	}
	came, foreseen := map[string]float64{}, map[string]float64{}
	var peakCame int64
	shared := false
	for i, r := range run.Records {
		c, ok := cells[r.Cell.Name()]
		if !ok {
			return nil, fmt.Errorf("%s: cell %s was not forecast", run.Dir, r.Cell.Name())
		}
		shared = shared || r.Shared
		came[r.Kind] += float64(r.WallNS) / 1e9
		foreseen[r.Kind] += c.Seconds[formOf(r)]
		if r.Shared && imports(run.Records, i) {
			foreseen[r.Kind] += importOf[r.Cell.Backend]
		}
		peakCame = max(peakCame, harness.Occupied(r))
	}
	var rows []Compared
	for _, kind := range []string{results.KindCheck, results.KindMemory, results.KindTime} {
		if came[kind] > 0 {
			rows = append(rows, Compared{kind + " trials", Span{foreseen[kind], foreseen[kind]}, came[kind], "s"})
		}
	}
	whole, err := wholeRun(run)
	if err != nil {
		return nil, err
	}
	span := f.Fresh
	if shared {
		span = f.Shared
	}
	rows = append(rows, Compared{"whole run", span, whole, "s"})

	most := float64(f.Peak) / mib
	return append(rows, Compared{"largest worker", Span{most, most}, float64(peakCame) / mib, "MiB"}), nil
}

// wholeRun is from the start of the first trial to the end of the last.
func wholeRun(run results.Run) (float64, error) {
	var first, last time.Time
	for i, r := range run.Records {
		began, err := time.Parse(time.RFC3339Nano, r.Start)
		if err != nil {
			return 0, fmt.Errorf("%s: trial %d: start %q is no time", run.Dir, i+1, r.Start)
		}
		if i == 0 || began.Before(first) {
			first = began
		}
		if end := began.Add(time.Duration(r.WallNS)); end.After(last) {
			last = end
		}
	}
	return last.Sub(first).Seconds(), nil
}
