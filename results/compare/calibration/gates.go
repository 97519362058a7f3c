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
// gate's, and cut at random into blocks; in each block and cell the labels are
// exchanged or not by the toss of one coin. Which of two trials of the same thing is
// called A is chance, so each of these is as good an A/A gate as the one that was
// run (R. A. Fisher's randomization).
//
// A coin per round would make the signs of the log ratios independent and fair,
// which is what the gate's test assumes: no host could ever show more alarms than
// alpha. A coin per block leaves the order of rounds and their dependence as they
// were within it. The lengths of blocks are geometric, as in the stationary
// bootstrap (D. N. Politis and J. P. Romano, J. Am. Stat. Assoc. 89(428), 1994), so
// that no place of a gate is favored. Unlike there, no round is drawn twice: a
// gate with a round in it twice has fewer independent signs than rounds, and more
// false alarms than alpha where nothing is wrong.
//
// Gates share trials, so their number is not that of independent gates. The seed
// is fixed: the same records give the same gates.
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
	block := float64(rounds) / 2
	g := gates{all: results.Gates{Rounds: rounds, Block: block}, cells: make([]results.Gates, len(pairs))}
	for i := range g.cells {
		g.cells[i].Rounds, g.cells[i].Block = rounds, block
	}
	// How the run came to its end decides what its last round may spend.
	policy := results.Policy{Alpha: alpha, MinEffect: minEffect, MinRounds: compare.DefaultMinRounds, MaxRounds: compare.DefaultMaxRounds, Until: meta.Policy.Until}
	random := rand.New(rand.NewPCG(meta.Seed, 2))
	for range gateCount {
		records := draw(pairs, random.IntN(longest-rounds+1), rounds, block, random)
		run := results.Run{Meta: results.Meta{Schema: results.Schema, Cells: cells, Policy: policy, Resumes: meta.Resumes}, Records: records}
		g.add(pairs, compare.Judge([]results.Run{run}, contrasts, policy))
	}
	return g
}

// add counts a gate: one comparison per cell.
func (g *gates) add(pairs []twins, gate []compare.Comparison) {
	verdict, judged := compare.Equivalent, false
	for i, c := range gate {
		could := c.Reason == "" && pairs[i].proven
		count(&g.cells[i], c.Verdict, could)
		judged = judged || could
		switch {
		case c.Verdict == compare.Improved || c.Verdict == compare.Regressed:
			verdict = compare.Regressed
		case c.Verdict != compare.Equivalent && verdict == compare.Equivalent:
			verdict = compare.Inconclusive
		}
	}
	count(&g.all, verdict, judged)
}

// count adds one verdict. Where there could be none, whatever the evidence, nothing
// was judged: of measurements in doubt, and of work that is not proven.
func count(g *results.Gates, v compare.Verdict, judged bool) {
	g.Count++
	if !judged {
		g.Withheld++
	}
	switch v {
	case compare.Improved, compare.Regressed:
		g.FalseAlarms++
	case compare.Equivalent:
		g.Equivalent++
	default:
		g.Inconclusive++
	}
}

// draw copies a stretch of rounds, with labels exchanged block by block, as the
// rounds from 1 of a run. block is the mean length of a block, in rounds.
func draw(pairs []twins, from, rounds int, block float64, random *rand.Rand) []results.Record {
	var records []results.Record
	flip := make([]int, len(pairs))
	for round := range rounds {
		for k, p := range pairs {
			if round == 0 || random.Float64() < 1/block {
				flip[k] = random.IntN(2)
			}
			if from+round >= len(p.trials) {
				continue
			}
			trial := p.trials[from+round]
			for i, cell := range []results.Cell{p.a, p.b} {
				r := trial[i^flip[k]]
				r.Cell, r.Round, r.Attempt, r.Planned = cell, round+1, 1, 0
				records = append(records, r)
			}
		}
	}
	return records
}
