package changepoint

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// noise draws a series with steps: the level changes by steps[i] at i.
func noise(random *rand.Rand, n int, heavy bool, steps map[int]float64) []float64 {
	x := make([]float64, n)
	level := 10.0
	for i := range x {
		level += steps[i]
		e := random.NormFloat64()
		if heavy { // Student's t with 2 degrees of freedom
			e /= math.Sqrt(random.ExpFloat64())
		}
		x[i] = level + e
	}
	return x
}

func ats(changes []Change) []int {
	var list []int
	for _, c := range changes {
		list = append(list, c.At)
	}
	return list
}

func find(t *testing.T, x []float64, o Options) []Change {
	t.Helper()
	changes, err := Find(x, o)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// Planted steps are found where they are, and nothing else is.
func TestFindsSteps(t *testing.T) {
	for _, tc := range []struct {
		name  string
		n     int
		heavy bool
		steps map[int]float64
		off   int // how far beside it a change may be found
		least int // of 50 series in which exactly these are found
	}{
		{"a step in the middle", 40, false, map[int]float64{20: 3}, 2, 43},
		{"a step near the end", 40, false, map[int]float64{36: 5}, 1, 40},
		{"up and down again", 60, false, map[int]float64{20: 4, 40: -4}, 2, 42},
		{"heavy tails", 60, true, map[int]float64{30: 6}, 3, 40},
		{"a short series", 8, false, map[int]float64{4: 20}, 0, 45},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := 0
			for seed := range uint64(50) {
				got := ats(find(t, noise(rand.New(rand.NewPCG(seed, 1)), tc.n, tc.heavy, tc.steps), Options{}))
				ok := len(got) == len(tc.steps)
				for at := range tc.steps {
					ok = ok && slices.ContainsFunc(got, func(g int) bool { return g >= at-tc.off && g <= at+tc.off })
				}
				if ok {
					found++
				}
			}
			t.Logf("found in %d of 50", found)
			if found < tc.least {
				t.Errorf("found in %d of 50 series, expected %d", found, tc.least)
			}
		})
	}
}

// In a series without a change the probability of finding any is alpha, whatever
// the noise is.
func TestFalseAlarms(t *testing.T) {
	const series = 600
	for _, tc := range []struct {
		n     int
		heavy bool
		alpha float64
	}{{12, false, 0.05}, {30, true, 0.05}, {30, false, 0.2}} {
		alarms := 0
		for seed := range uint64(series) {
			if len(find(t, noise(rand.New(rand.NewPCG(seed, 2)), tc.n, tc.heavy, nil), Options{Alpha: tc.alpha, Seed: seed})) > 0 {
				alarms++
			}
		}
		t.Logf("%+v: %d of %d", tc, alarms, series)
		// Three standard errors beyond the nominal rate, and not far below it.
		if most := series*tc.alpha + 3*math.Sqrt(series*tc.alpha*(1-tc.alpha)); float64(alarms) > most {
			t.Errorf("%+v: %d of %d series without a change have one, expected at most %.0f", tc, alarms, series, most)
		}
		if float64(alarms) < series*tc.alpha/3 {
			t.Errorf("%+v: %d of %d: the test spends less than a third of its alpha", tc, alarms, series)
		}
	}
}

// Changes do not depend on the unit or its zero, nor on the direction of time.
func TestInvariances(t *testing.T) {
	for seed := range uint64(20) {
		x := noise(rand.New(rand.NewPCG(seed, 3)), 40, false, map[int]float64{15: 4, 28: -3})
		want := find(t, x, Options{})
		for name, f := range map[string]func(float64) float64{
			"shift": func(v float64) float64 { return v + 1000 }, "scale": func(v float64) float64 { return v * 1e-6 }, "mirror": func(v float64) float64 { return -v },
		} {
			y := make([]float64, len(x))
			for i := range x {
				y[i] = f(x[i])
			}
			if got := find(t, y, Options{}); !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d, %s: %v, expected %v", seed, name, got, want)
			}
		}
		back := slices.Clone(x)
		slices.Reverse(back)
		var mirrored []int
		for _, c := range find(t, back, Options{}) {
			mirrored = append(mirrored, len(x)-c.At)
		}
		slices.Sort(mirrored)
		if !slices.Equal(mirrored, ats(want)) {
			t.Errorf("seed %d, back in time: %v, expected %v", seed, mirrored, want)
		}
	}
}

// The same input gives the same output, and the input stays as it was.
func TestSame(t *testing.T) {
	x := noise(rand.New(rand.NewPCG(1, 4)), 50, true, map[int]float64{25: 4})
	before := slices.Clone(x)
	if a, b := find(t, x, Options{}), find(t, x, Options{}); !reflect.DeepEqual(a, b) || len(a) == 0 {
		t.Errorf("%v and %v", a, b)
	}
	if !slices.Equal(x, before) {
		t.Error("the series was changed")
	}
}

func TestOddInput(t *testing.T) {
	for name, x := range map[string][]float64{
		"nothing": nil, "one": {1}, "too short": {1, 1, 1, 9, 9}, "constant": make([]float64, 30), "an odd one": {1, 2, 1, 2, 1, 2, 1, 99, 2, 1, 2, 1, 2, 1, 2, 1},
		"huge": {1e300, -1e300, 1e300, -1e300, 1e300, -1e300, 1e300, -1e300},
	} {
		if got := find(t, x, Options{}); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Two values and no noise at all are the clearest change.
	if got := ats(find(t, []float64{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}, Options{})); !slices.Equal(got, []int{5}) {
		t.Errorf("a step without noise: %v", got)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := Find([]float64{1, bad, 2}, Options{}); err == nil || !strings.Contains(err.Error(), "value 2 of the series") {
			t.Errorf("%g: %v", bad, err)
		}
	}
}

// The clearest step there is shows from Fewest values on, and not before.
func TestFewest(t *testing.T) {
	for _, alpha := range []float64{0.05, 0.01, 0.001} {
		o := Options{Alpha: alpha}
		n := Fewest(o)
		step := func(n int) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = float64(i) * 1e-3
				if i >= n/2 {
					x[i]++
				}
			}
			return x
		}
		t.Logf("alpha %g: %d values", alpha, n)
		if len(find(t, step(n+1), o)) == 0 {
			t.Errorf("alpha %g: nothing in %d values", alpha, n+1)
		}
		if got := find(t, step(n-2), o); len(got) > 0 { // in n-1 luck may draw p below what it is
			t.Errorf("alpha %g: %v in %d values", alpha, got, n-2)
		}
	}
}

// The quick sums of distances are those of the definition.
func TestDistances(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	for range 30 {
		x := noise(random, 15, true, map[int]float64{7: 2})
		x[3], x[9] = x[4], x[4] // ties
		order := random.Perm(len(x))
		cut, gain := newDistances(x).best(order, 2)
		bestCut, bestGain := 0, math.Inf(-1)
		for m := 2; m <= len(x)-2; m++ {
			var left, right, across float64
			for a := range order {
				for b := range a {
					d := math.Abs(x[order[a]] - x[order[b]])
					switch {
					case a < m:
						left += d
					case b >= m:
						right += d
					default:
						across += d
					}
				}
			}
			if g := energy(float64(m), float64(len(x)-m), left, right, across); g > bestGain {
				bestCut, bestGain = m, g
			}
		}
		if cut != bestCut || math.Abs(gain-bestGain) > 1e-9*math.Abs(bestGain)+1e-9 {
			t.Errorf("cut %d, %g; by the definition %d, %g", cut, gain, bestCut, bestGain)
		}
	}
}

// Energy of two samples that are far apart is their distance, weighted.
func TestEnergy(t *testing.T) {
	_, gain := newDistances([]float64{0, 0, 10, 10}).best(identity(4), 2)
	if gain != 2*2/4*2*10 {
		t.Errorf("%g, expected 20", gain)
	}
}
