package report

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/gate"
)

// GateOptions are what the outputs of a gate say besides its result.
type GateOptions struct {
	Title   string // names the gate where a build has several; empty: "dlbench"
	Version string // of dlbench
	// Location is the file of the repository that SARIF results point to, with
	// slashes and relative to its root: the policy, else the run.
	Location string
	Terminal TextOptions
}

func (o GateOptions) title() string {
	if o.Title == "" {
		return "dlbench"
	}
	return line(o.Title)
}

// gateLine is a check in words; every output of a gate is made of these.
type gateLine struct {
	gate.Check
	Label        string // of the cell
	Metric       string
	Base, Head   string // values
	Change       string // relative, of the head
	Range        string // of changes that are not excluded
	Word         string // the verdict
	Detail       string // why, in one line
	Doubts       []string
	Icon, Colour string // of a page and of a terminal
}

// gateLines words the checks, in their order.
func gateLines(r gate.Result) []gateLine {
	list := make([]gateLine, len(r.Checks))
	for i, c := range r.Checks {
		l := gateLine{Check: c, Label: line(c.Name), Metric: line(c.Metric), Word: string(c.Verdict), Base: none, Head: none, Change: none, Range: none}
		if c.BaseValue != nil {
			l.Base = plain(gateValue(*c.BaseValue, c.Unit))
		}
		if c.HeadValue != nil {
			l.Head = plain(gateValue(*c.HeadValue, c.Unit))
		}
		if c.Ratio != nil {
			l.Change = change(*c.Ratio)
		}
		if c.Kind == gate.Timed && c.Rounds > 0 || c.Lo != nil || c.Hi != nil {
			l.Range = gateRange(c.Lo, c.Hi)
		}
		for _, w := range c.Warnings {
			l.Doubts = append(l.Doubts, plain(line(w)))
		}
		l.Detail = gateDetail(l)
		l.Icon, l.Colour = gateMark(c)
		list[i] = l
	}
	return list
}

// gateMark is a sign and a colour for a check's outcome.
func gateMark(c gate.Check) (icon, colour string) {
	switch {
	case c.Fails:
		return "✗", "31"
	case c.Outcome == gate.Undecided:
		return "?", "33"
	case c.Outcome == gate.Skip:
		return "·", "2"
	case c.Verdict == compare.Improved:
		return "✓", "32"
	}
	return "✓", ""
}

// gateDetail is what a reader must know of a check besides its verdict.
func gateDetail(l gateLine) string {
	var parts []string
	if l.Metric != "" && l.Change != none {
		s := l.Metric + " " + l.Change
		if l.Range != none {
			s += " (" + l.Range + ")"
		}
		parts = append(parts, s)
	}
	switch l.Kind {
	case gate.Timed:
		parts = append(parts, gateRounds(l)...)
	case gate.Exact, gate.Memory:
		if l.Ratio != nil {
			parts = append(parts, fmt.Sprintf("%s to %s, tolerated %s", l.Base, l.Head, tolerated(l.Tolerance)))
		}
	}
	if l.Reason != "" {
		parts = append(parts, plain(line(l.Reason)))
	}
	return strings.Join(parts, "; ")
}

// gateRounds says what a timed check rests on, and what it could have seen.
func gateRounds(l gateLine) []string {
	if l.Rounds == 0 {
		return nil
	}
	s := fmt.Sprintf("%d rounds", l.Rounds)
	if l.Rounds == 1 {
		s = "1 round"
	}
	parts := []string{s + ", minimum effect " + relative(l.Tolerance)}
	if l.Verdict != compare.Inconclusive || l.Blind || l.Withheld {
		return parts // where the verdict was withheld, the reason says all
	}
	switch {
	case l.RoundsNeeded == 0:
		parts = append(parts, "too few rounds are planned for any verdict")
	case !l.CouldDecide():
		parts = append(parts, fmt.Sprintf("a verdict takes %d rounds at least", l.RoundsNeeded))
	case l.Detectable > 0:
		parts = append(parts, "an effect of "+relative(l.Detectable)+" would have been seen")
	default:
		parts = append(parts, "no effect could have been seen")
	}
	return parts
}

func tolerated(v float64) string {
	if v == 0 {
		return "none"
	}
	return relative(v)
}

// relative formats a relative amount: 2 %.
func relative(v float64) string { return plain(percent(v).EN) }

// change formats a ratio as a change: +5.2 %.
func change(ratio float64) string {
	v := 100 * (ratio - 1)
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case v == 0:
		return "0 %"
	case a < 0.0005:
		return fmt.Sprintf("%+.1e %%", v)
	case a < 0.1:
		return fmt.Sprintf("%+.3f %%", v)
	case a < 10:
		return fmt.Sprintf("%+.2f %%", v)
	case a < 1000:
		return fmt.Sprintf("%+.1f %%", v)
	}
	return fmt.Sprintf("×%s", sig(ratio))
}

func gateRange(lo, hi *float64) string {
	from, to := "unbounded", "unbounded"
	if lo != nil {
		from = change(*lo)
	}
	if hi != nil {
		to = change(*hi)
	}
	if lo == nil && hi == nil {
		return "anything"
	}
	return from + " to " + to
}

// gateValue formats a value with its unit.
func gateValue(v float64, unit string) string {
	if s, ok := measured(v, unit); ok {
		return s
	}
	if (unit == "params" || unit == "FLOP/step") && v >= 0 && v < 1e15 && v == math.Trunc(v) {
		return whole(int64(v)) // exact: a difference of one must show
	}
	return count(v) + nbsp + unit
}

// trialsOf is how a warning of a side counts its trials.
var trialsOf = regexp.MustCompile(`\b\d+ of \d+ trials\b`)

// gateDoubts are the warnings of the whole and those of checks, each kind once
// with the names of its checks.
func gateDoubts(r gate.Result, lines []gateLine) []string {
	var out, kinds []string
	for _, w := range r.Warnings {
		out = append(out, plain(line(w)))
	}
	where := map[string][]string{}
	for _, l := range lines {
		for _, w := range l.Doubts {
			kind := bracketed.ReplaceAllString(trialsOf.ReplaceAllString(w, "trials"), "")
			if where[kind] == nil {
				kinds = append(kinds, kind)
			}
			if !slices.Contains(where[kind], l.Label) {
				where[kind] = append(where[kind], l.Label)
			}
		}
	}
	for _, kind := range kinds {
		if n := len(where[kind]); n > namedCells {
			out = append(out, fmt.Sprintf("%s: %d cells", kind, n))
		} else {
			out = append(out, kind+": "+strings.Join(where[kind], "; "))
		}
	}
	if len(r.Ignored) > 0 {
		names := make([]string, len(r.Ignored))
		for i, n := range r.Ignored {
			names[i] = line(n)
		}
		out = append(out, "ignored by the policy: "+strings.Join(names, "; "))
	}
	return out
}

// gateSides says what is held against what.
func gateSides(r gate.Result) string {
	if r.OneRun {
		return plain(line(fmt.Sprintf("base %s, head %s, measured in turn in %s", r.Base.Select, r.Head.Select, r.Base.Dir)))
	}
	of := func(s gate.Side) string {
		if s.Select == "" {
			return s.Dir
		}
		return s.Dir + " (" + s.Select + ")"
	}
	return plain(line(fmt.Sprintf("base %s, head %s", of(r.Base), of(r.Head))))
}

// gateTerms says under which terms the gate stands.
func gateTerms(r gate.Result) string {
	s := fmt.Sprintf("%d timed %s share alpha %s", r.Family, map[bool]string{true: "check", false: "checks"}[r.Family == 1], round3(r.Alpha))
	if r.Policy.File != "" {
		s += ", policy " + r.Policy.File
	} else {
		s += ", no policy: the run's own metric and minimum effect"
	}
	return plain(line(s))
}
