package calibration

import (
	"math/rand/v2"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// gateCount is how many A/A gates are drawn from a run.
const gateCount = 200

// gates are the outcomes of A/A gates, over all cells and of each.
type gates struct {
	all   results.Gates
	cells []results.Gates
}

// drawGates judges A/A gates. In each a stretch of rounds is drawn, as long as a
// gate's, in which A and B are exchanged or not in every round and cell by the
// toss of a coin. Which of two trials of the same thing is called A is chance, so
// each of these is as good an A/A gate as the one that was run (R. A. Fisher's
// randomization), with the order of the rounds, their drift and their correlation
// as they were. They share trials, so their number is not that of independent
// gates. The seed is fixed: the same records give the same gates.
func drawGates(pairs []twins, meta results.Meta, minEffect, alpha float64) gates {
	metric, _ := results.LookupMetric(compare.DefaultMetric)
	longest := 0
	var contrasts []compare.Contrast
	var cells []results.Cell
	for _, p := range pairs {
		longest = max(longest, len(p.trials))
		contrasts = append(contrasts, compare.Contrast{Base: compare.Sample{Cell: p.a}, Head: compare.Sample{Cell: p.b}, Metric: metric, MinEffect: minEffect})
		cells = append(cells, p.a, p.b)
	}
	rounds := min(longest, compare.DefaultMaxRounds)
	g := gates{all: results.Gates{Rounds: rounds}, cells: make([]results.Gates, len(pairs))}
	policy := results.Policy{Alpha: alpha, MinEffect: minEffect, MinRounds: compare.DefaultMinRounds, MaxRounds: compare.DefaultMaxRounds}
	random := rand.New(rand.NewPCG(meta.Seed, 2))
	for range gateCount {
		records := draw(pairs, random.IntN(longest-rounds+1), rounds, random)
		run := results.Run{Meta: results.Meta{Schema: results.Schema, Cells: cells, Policy: policy}, Records: records}
		alarm, open := false, false
		for i, c := range compare.Judge([]results.Run{run}, contrasts, policy) {
			add(&g.cells[i], c.Verdict)
			g.cells[i].Rounds = rounds
			alarm = alarm || c.Verdict == compare.Improved || c.Verdict == compare.Regressed
			open = open || c.Verdict != compare.Equivalent
		}
		switch {
		case alarm:
			add(&g.all, compare.Regressed)
		case open:
			add(&g.all, compare.Inconclusive)
		default:
			add(&g.all, compare.Equivalent)
		}
	}
	return g
}

func add(g *results.Gates, v compare.Verdict) {
	g.Count++
	switch v {
	case compare.Improved, compare.Regressed:
		g.FalseAlarms++
	case compare.Equivalent:
		g.Equivalent++
	default:
		g.Inconclusive++
	}
}

// draw copies a stretch of rounds, with labels exchanged by chance, as the rounds
// from 1 of a run.
func draw(pairs []twins, from, rounds int, random *rand.Rand) []results.Record {
	var records []results.Record
	for round := range rounds {
		for _, p := range pairs {
			flip := random.IntN(2)
			if from+round >= len(p.trials) {
				continue
			}
			trial := p.trials[from+round]
			for i, cell := range []results.Cell{p.a, p.b} {
				r := trial[i^flip]
				r.Cell, r.Round, r.Attempt, r.Planned = cell, round+1, 1, 0
				records = append(records, r)
			}
		}
	}
	return records
}
