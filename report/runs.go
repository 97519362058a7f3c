package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// runRow is one of several runs that a page shows.
type runRow struct {
	No      int
	Suite   string
	Started string
	Trials  string
	Rule    text
	Host    text
	Command string
}

// runs describes each run where there are several; they have their own rules,
// commands and hosts.
func (v *view) runs() []runRow {
	if len(v.run.Parts) == 0 {
		return nil
	}
	var rows []runRow
	for i, part := range v.run.Parts {
		m := part.Meta
		rows = append(rows, runRow{
			No: i + 1, Suite: line(m.Suite), Started: utc(m.Started), Trials: whole(int64(len(part.Records))),
			Rule: ruleWords(m.Policy), Host: hostLine(m.Host), Command: clean(strings.Join(m.Command, " "), 1000),
		})
	}
	return rows
}

func ruleWords(p results.Policy) text {
	if p.MaxRounds <= 0 {
		return same(none)
	}
	return textf("bound ±%s; %s to %s rounds; false alarms at most %s", "以 ±%s 为界；%s 至 %s 轮；总体误报率至多 %s",
		percent(p.MinEffect), strconv.Itoa(p.MinRounds), strconv.Itoa(p.MaxRounds), percent(p.Alpha))
}

// hosts are the machines of all runs, each once.
func (v *view) hosts() text {
	var lines []text
	for _, part := range v.parts() {
		if l := hostLine(part.Meta.Host); !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
	}
	return joined(lines, "; ", "；")
}

// bound is the effect that counts, or from which to which it goes where the runs
// have their own.
func (v *view) bound() text {
	lo := v.minEffect(&group{})
	hi := lo
	for i := range v.run.Parts {
		e := v.minEffect(&group{part: i})
		lo, hi = min(lo, e), max(hi, e)
	}
	if lo == hi {
		return percent(lo)
	}
	return textf("%s to %s, by run", "%s 至 %s（依所属运行）", percent(lo), percent(hi))
}

// minEffect is the bound by which a group is judged.
func (v *view) minEffect(g *group) float64 {
	if len(v.run.Parts) > 0 {
		return v.run.Parts[g.part].Meta.Policy.MinEffect
	}
	if e := v.analysis.Policy.MinEffect; e != 0 {
		return e
	}
	return v.run.Meta.Policy.MinEffect
}

// roundLimits are the fewest and the most rounds by which a verdict may fall.
func (v *view) roundLimits() (least, most int) {
	least, most = v.analysis.Policy.MinRounds, v.analysis.Policy.MaxRounds
	for _, part := range v.run.Parts {
		least, most = min(least, part.Meta.Policy.MinRounds), max(most, part.Meta.Policy.MaxRounds)
	}
	return least, most
}

// alpha is the largest chance of a false alarm that a run allows itself.
func (v *view) alpha() float64 {
	a := v.analysis.Policy.Alpha
	for _, part := range v.run.Parts {
		a = max(a, part.Meta.Policy.Alpha)
	}
	return a
}
