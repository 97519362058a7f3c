package compare

import (
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/perf/benchmath"
)

var gateRunsFlag = flag.Int("gate-runs", 40, "simulated gates of each kind; the methodology page has 1000")

// gateRuns is fewer with -short, where the race detector makes each ten times as
// long.
func gateRuns() int {
	if testing.Short() {
		return max(1, *gateRunsFlag/4)
	}
	return *gateRunsFlag
}

// noise is what moves the time of a trial, as measured on real machines.
type noise struct {
	process float64 // standard deviation of the log of a process's speed
	shape   string  // of that: normal, t3 (heavy tails), skewed, modes
}

// The rest of the noise is the same in all worlds: 200 steps per trial with a
// deviation of 4 % and a lag-1 autocorrelation of 0.56 within the process, one
// stall of 100 ms in one trial of 2 s out of fifty, and a host that slows down by a
// fifth during the run, which hits the sides of a pair at different times.
const (
	stepsPerTrial = 200
	stepDeviation = 0.04
	stepLag       = 0.56
	stallShare    = 0.02
	stallCosts    = 0.05
	drift         = 0.2
)

// trial is the log of a trial's time, in a round of the run (from 0 to 1).
func (n noise) trial(rng *rand.Rand, at float64) float64 {
	var p float64
	switch n.shape {
	case "t3":
		p = rng.NormFloat64() / math.Sqrt((sq(rng.NormFloat64())+sq(rng.NormFloat64())+sq(rng.NormFloat64()))/3) / math.Sqrt(3)
	case "skewed":
		p = rng.ExpFloat64() - 1
	case "modes":
		p = math.Copysign(1, rng.Float64()-0.5) + 0.1*rng.NormFloat64()
	default:
		p = rng.NormFloat64()
	}
	var sum, step float64
	step = rng.NormFloat64()
	for range stepsPerTrial {
		step = stepLag*step + math.Sqrt(1-stepLag*stepLag)*rng.NormFloat64()
		sum += 1 + stepDeviation*step
	}
	mean := sum / stepsPerTrial
	if rng.Float64() < stallShare {
		mean += stallCosts
	}
	return n.process*p + math.Log(mean) + drift*at
}

func sq(v float64) float64 { return v * v }

// gate is one simulated gate: of each cell the trials of both sides, in rounds.
type gate struct{ base, head [][]float64 }

const gateCells, gateRounds = 20, 20

// newGate has a head that is slower by the factor in its first cell.
func newGate(rng *rand.Rand, n noise, slower float64) gate {
	var g gate
	for c := range gateCells {
		var base, head []float64
		for round := range gateRounds {
			first, second := (float64(round)+rng.Float64()/2)/gateRounds, (float64(round)+0.5+rng.Float64()/2)/gateRounds
			if rng.IntN(2) == 0 {
				first, second = second, first
			}
			effect := 0.0
			if c == 0 {
				effect = math.Log(slower)
			}
			base, head = append(base, n.trial(rng, first)), append(head, n.trial(rng, second)+effect)
		}
		g.base, g.head = append(g.base, base), append(g.head, head)
	}
	return g
}

// outcome tallies the verdicts of simulated gates.
type outcome struct {
	gates, alarms   int // an alarm: a cell that did not change is called regressed
	changed, caught int // cells
	equal, equalOK  int // verdicts
	ranges, covered int
	rounds, rounds1 []float64 // of unchanged cells, of changed ones
	gateRounds      []float64
	detectable      []float64
}

const gateMargin = 0.01980262729617973 // log 1.02

// judge is the gate's verdicts under a rule, and adds them up.
func (o *outcome) judge(g gate, slower float64, rule tried, need float64) {
	alarm, longest := false, 0
	for c := range g.base {
		x := make([]float64, gateRounds)
		for i := range x {
			x[i] = g.head[c][i] - g.base[c][i]
		}
		y := negated(x)
		larger, smaller := rule.first(x, gateMargin, need), rule.first(y, gateMargin, need)
		low, high := rule.first(x, -gateMargin, need), rule.first(y, -gateMargin, need)
		equal := 0
		if low > 0 && high > 0 {
			equal = max(low, high)
		}
		stop, verdict := gateRounds+1, ""
		for _, v := range []struct {
			word string
			at   int
		}{{"larger", larger}, {"smaller", smaller}, {"equal", equal}} {
			if v.at > 0 && v.at < stop {
				stop, verdict = v.at, v.word
			}
		}
		stop = min(stop, gateRounds)
		longest = max(longest, stop)
		truth := 0.0
		if c == 0 {
			truth = math.Log(slower)
		}
		missed := func(x []float64, m float64) bool { at := rule.first(x, m, need); return at > 0 && at <= stop }
		o.ranges++
		if !missed(x, truth) && !missed(y, -truth) {
			o.covered++
		}
		if verdict == "equal" {
			o.equal++
			if math.Abs(truth) < gateMargin {
				o.equalOK++
			}
		}
		if truth == 0 {
			o.rounds = append(o.rounds, float64(stop))
			alarm = alarm || verdict == "larger"
		} else {
			o.changed++
			o.rounds1 = append(o.rounds1, float64(stop))
			if verdict == "larger" {
				o.caught++
			}
		}
	}
	o.gates++
	if alarm {
		o.alarms++
	}
	o.gateRounds = append(o.gateRounds, float64(longest))
}

func share(k, n int) float64 { return float64(k) / float64(max(n, 1)) }

// gateAlpha is the gate's default.
const gateAlpha = 0.08

var gateWorlds = []struct {
	noise
	slower float64 // by which the changed cell is
	caught float64 // share that must be
}{
	{noise{0.015, "normal"}, 1.05, 0.90},
	{noise{0.03, "normal"}, 1.10, 0.99},
	{noise{0.09, "normal"}, 1.30, 0},
	{noise{0.015, "t3"}, 1.05, 0.90},
	{noise{0.03, "t3"}, 1.10, 0.99},
	{noise{0.09, "t3"}, 1.30, 0},
	{noise{0.015, "skewed"}, 1.05, 0},
	{noise{0.03, "skewed"}, 1.10, 0},
	{noise{0.015, "modes"}, 1.05, 0},
	{noise{0.03, "modes"}, 1.10, 0},
}

// What people can bet on: gates of 20 cells in the noise of real machines, by
// the rule that is used and by those that were tried. With -v it prints the
// table of the methodology page:
//
//	go test ./results/compare -run TestGates -v -gate-runs 1000
func TestGates(t *testing.T) {
	need := needed(gateCells, gateAlpha)
	t.Logf("| noise | rule | false alarms per gate | ranges that hold the truth | equivalent, right | slower | caught | rounds, unchanged | rounds, changed | trials per gate |")
	for _, w := range gateWorlds {
		rng := rand.New(rand.NewPCG(20261121, uint64(w.process*1000)))
		gates, same := make([]gate, gateRuns()), make([]gate, gateRuns())
		for i := range gates {
			gates[i], same[i] = newGate(rng, w.noise, w.slower), newGate(rng, w.noise, 1)
		}
		for i, rule := range allTried() {
			if i > 0 && !testing.Verbose() {
				break
			}
			var quiet, loud outcome
			for j := range gates {
				quiet.judge(same[j], 1, rule, need)
				loud.judge(gates[j], w.slower, rule, need)
			}
			trials := 0.0
			for _, r := range quiet.rounds {
				trials += 2 * r / float64(quiet.gates)
			}
			alarms, caught := share(quiet.alarms, quiet.gates), share(loud.caught, loud.changed)
			covered := share(quiet.covered+loud.covered, quiet.ranges+loud.ranges)
			right := share(quiet.equalOK+loud.equalOK, quiet.equal+loud.equal)
			t.Logf("| %.1f %% %s | %s | %.3f | %.4f | %.3f of %d | %.0f %% | %.3f | %.0f | %.0f | %.0f |", 100*w.process, w.shape, rule.name, alarms, covered,
				right, quiet.equal+loud.equal, 100*(w.slower-1), caught, median(quiet.rounds), median(loud.rounds1), trials)
			if i > 0 {
				continue
			}
			slack := 3 * math.Sqrt(0.01/float64(gateRuns())) // three standard errors of a share of 1 %
			if alarms > 0.01+slack || covered < 0.95 || quiet.equal+loud.equal > 0 && right < 0.99 || caught < w.caught-3*math.Sqrt(w.caught*(1-w.caught)/float64(gateRuns())) {
				t.Errorf("%.1f %% %s: false alarms %.3f, coverage %.3f, equivalent right %.3f, caught %.3f", 100*w.process, w.shape, alarms, covered, right, caught)
			}
		}
	}
}

// At 9 % nothing small can be caught; what is printed as detectable is.
func TestDetectableInNoise(t *testing.T) {
	need := needed(gateCells, gateAlpha)
	e := plan(triedFloor, gateRounds, need)
	for _, process := range []float64{0.015, 0.03, 0.09} {
		rng := rand.New(rand.NewPCG(11, uint64(process*1000)))
		n := noise{process, "normal"}
		ratios := func() []float64 {
			x := make([]float64, gateRounds)
			for i := range x {
				x[i] = n.trial(rng, 0) - n.trial(rng, 0)
			}
			return x
		}
		runs := max(10*gateRuns(), 400)
		var printed, least []float64
		for range runs {
			x := ratios()
			printed = append(printed, math.Log1p(e.detectable(spread(x), gateMargin, need)))
			least = append(least, gateMargin-e.lower(ratios(), need)) // the effect from which on this run would have seen it
		}
		slices.Sort(least)
		truth, said := least[int(detectablePower*float64(runs))], median(printed)
		t.Logf("%.1f %%: printed %.2f %% (quartiles %.2f %% to %.2f %%), in truth %.2f %%", 100*process, 100*math.Expm1(said),
			100*math.Expm1(quantile(printed, 0.25)), 100*math.Expm1(quantile(printed, 0.75)), 100*math.Expm1(truth))
		if said < 0.8*truth || said > 1.2*truth {
			t.Errorf("%.1f %%: printed %.4f, in truth %.4f", 100*process, said, truth)
		}
	}
}

func quantile(x []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[int(q*float64(len(s)-1))]
}

// The same noise through the rules that others use, on 20 trials of a cell:
// base and head one after the other, as these are used, and in turn, which they
// could be. With -v it prints the table.
func TestOtherRules(t *testing.T) {
	mannWhitney := func(base, head []float64) bool {
		b, h := benchmath.NewSample(exp(base), &benchmath.DefaultThresholds), benchmath.NewSample(exp(head), &benchmath.DefaultThresholds)
		return benchmath.AssumeNothing.Compare(b, h).P < 0.05 && median(head) > median(base)
	}
	rules := []struct {
		name    string
		inTurn  bool
		regress func(base, head []float64) bool
	}{
		{"benchstat: Mann-Whitney, n = 10, alpha 0.05, base first", false, mannWhitney},
		{"benchstat: the same, in turn", true, mannWhitney},
		{"single run, 7 %, base first", false, func(base, head []float64) bool { return head[0]-base[9] > math.Log(1.07) }},
		{"single run, alert at 200 %, base first", false, func(base, head []float64) bool { return head[0]-base[9] > math.Log(2) }},
	}
	for _, w := range gateWorlds[:3] {
		for _, rule := range rules {
			rng := rand.New(rand.NewPCG(20261121, uint64(w.process*1000)))
			alarms, caught := 0, 0
			cell := func(slower float64) bool {
				var base, head []float64
				for i := range 10 {
					at := [2]float64{float64(i) / gateRounds, float64(10+i) / gateRounds}
					if rule.inTurn {
						at = [2]float64{float64(2*i+rng.IntN(2)) / gateRounds, float64(2*i+rng.IntN(2)) / gateRounds}
					}
					base, head = append(base, w.trial(rng, at[0])), append(head, w.trial(rng, at[1])+math.Log(slower))
				}
				return rule.regress(base, head)
			}
			for range gateRuns() {
				alarm := false
				for range gateCells {
					alarm = cell(1) || alarm
				}
				if alarm {
					alarms++
				}
				if cell(w.slower) {
					caught++
				}
			}
			t.Logf("| %.1f %% | %s | %.3f | %.0f %% | %.3f |", 100*w.process, rule.name, share(alarms, gateRuns()), 100*(w.slower-1), share(caught, gateRuns()))
			if alarms < gateRuns()/2 && rule.name == rules[0].name {
				t.Errorf("%.1f %%: %s gives %d false alarms in %d gates: the table has nothing to say", 100*w.process, rule.name, alarms, gateRuns())
			}
		}
	}
}

// Page faults per step explain most of the noise of a process whose allocator
// gives memory back (correlation 0.86 over the eight processes of PyTorch that
// were watched). Taking them out of the times finds smaller regressions, and is
// not done: it takes out a regression that works through page faults as well.
func TestFaultsAsCovariate(t *testing.T) {
	const explained, process, slower = 0.86, 0.09, 1.15
	need := needed(gateCells, gateAlpha)
	rng := rand.New(rand.NewPCG(20261121, 86))
	draw := func(faults float64) (time, f float64) {
		f = rng.NormFloat64() + faults
		return process*(explained*f+math.Sqrt(1-explained*explained)*rng.NormFloat64()) + noise{}.trial(rng, 0), f
	}
	caught := map[string]int{}
	runs := 4 * gateRuns()
	for range runs {
		for _, kind := range []string{"nothing", "plain", "through faults"} {
			var base, head, fb, fh []float64
			for range gateRounds {
				effect, faults := 0.0, 0.0
				switch kind {
				case "plain":
					effect = math.Log(slower)
				case "through faults":
					faults = math.Log(slower) / (process * explained)
				}
				b, f := draw(0)
				base, fb = append(base, b), append(fb, f)
				h, g := draw(faults)
				head, fh = append(head, h+effect), append(fh, g)
			}
			slope := pooledSlope(fb, base, fh, head)
			x, adjusted := make([]float64, gateRounds), make([]float64, gateRounds)
			for i := range x {
				x[i] = head[i] - base[i]
				adjusted[i] = x[i] - slope*(fh[i]-fb[i])
			}
			if looksRule(x, gateMargin, need) > 0 {
				caught[kind]++
			}
			if looksRule(adjusted, gateMargin, need) > 0 {
				caught[kind+", adjusted"]++
			}
		}
	}
	for _, kind := range []string{"nothing", "plain", "through faults"} {
		t.Logf("| 15 %% slower, %s | %.3f | %.3f with the covariate |", kind, share(caught[kind], runs), share(caught[kind+", adjusted"], runs))
	}
	if caught["plain, adjusted"] <= caught["plain"] {
		t.Errorf("the covariate helps no more: %v", caught)
	}
	if 2*caught["through faults, adjusted"] >= caught["through faults"] {
		t.Errorf("the covariate hides no regression any more, so it could be used: %v", caught)
	}
}

// pooledSlope is the least-squares slope of y on x within two groups.
func pooledSlope(x1, y1, x2, y2 []float64) float64 {
	var xy, xx float64
	for _, g := range [][2][]float64{{x1, y1}, {x2, y2}} {
		mx, my := mean(g[0]), mean(g[1])
		for i, v := range g[0] {
			xy, xx = xy+(v-mx)*(g[1][i]-my), xx+sq(v-mx)
		}
	}
	return xy / xx
}

func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func exp(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Exp(v)
	}
	return y
}
