package gate

import (
	"cmp"
	"fmt"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// require adds a failure for every required pattern that means no cell, and
// makes one of what would otherwise be passed over.
func (j *judge) require() {
	for _, pattern := range j.Policy.Required {
		found := false
		for _, p := range j.cells {
			found = found || pattern.matches(p.name, p.pairing.base, p.pairing.head)
		}
		if !found {
			reason := "required by the policy, and no cell has that name"
			for _, name := range j.out.Ignored {
				if pattern.Match(name) {
					reason = "required by the policy, which ignores it too"
				}
			}
			j.out.Checks = append(j.out.Checks, Check{Name: string(pattern), Kind: Presence, Verdict: compare.Missing, Outcome: Fail, Reason: reason})
		}
	}
}

// required reports whether the policy requires the cells of a check.
func (j *judge) required(c Check) bool {
	for _, pattern := range j.Policy.Required {
		if pattern.matches(c.Name, c.Base, c.Head) {
			return true
		}
	}
	return false
}

// settle gives every check its outcome and says whether the build fails for it.
func (j *judge) settle() {
	of := map[string]pairState{}
	for _, p := range j.cells {
		of[p.name] = p
	}
	for i := range j.out.Checks {
		c := &j.out.Checks[i]
		c.BaseValue, c.HeadValue, c.Ratio, c.Lo, c.Hi = finite(c.BaseValue), finite(c.HeadValue), finite(c.Ratio), finite(c.Lo), finite(c.Hi)
		p, paired := of[c.Name]
		if c.Outcome == "" {
			c.Outcome = outcome(c.Verdict)
			if c.Kind == Timed {
				j.settleTimed(c, p)
			}
		}
		if c.Verdict == New && c.Kind == Presence && (p.head.status == compare.StatusWrong || p.head.status == compare.StatusFlaky || p.head.status == compare.StatusFailed) {
			c.Verdict, c.Outcome, c.Reason = broken(p.head.status), Broken, "new, and "+p.head.reason
		}
		if c.Outcome == Skip && c.Kind != Exact && c.Kind != Memory && j.required(*c) {
			c.Outcome, c.Reason = Fail, "required by the policy: "+c.Reason
		}
		if c.Blind || c.Withheld {
			c.Detectable = 0
		}
		undecided := j.Policy.Undecided
		if paired {
			undecided = p.terms.undecided
		}
		c.Fails = c.Outcome == Fail || c.Outcome == Broken || c.Outcome == Undecided && undecided == UndecidedFail
	}
}

// outcome is what a verdict means where nothing else is known.
func outcome(v compare.Verdict) Outcome {
	switch v {
	case compare.Regressed, Vanished:
		return Fail
	case compare.Improved, compare.Equivalent:
		return Pass
	case compare.Wrong, compare.Flaky:
		return Broken
	case New:
		return Skip
	}
	return Undecided
}

// broken words a status whose trials did not end ok.
func broken(status string) compare.Verdict {
	switch status {
	case compare.StatusWrong:
		return compare.Wrong
	case compare.StatusFlaky:
		return compare.Flaky
	}
	return compare.Missing
}

// settleTimed finds out what it means that a timed check has no figures: both
// sides were planned.
func (j *judge) settleTimed(c *Check, p pairState) {
	base, head := p.base, p.head
	switch {
	case c.Verdict == compare.Wrong, c.Verdict == compare.Flaky:
		c.Reason = j.blame(p)
	case head.status == compare.StatusFailed || base.status == compare.StatusFailed:
		c.Outcome, c.Reason = Broken, j.blame(p)
	case head.status == compare.StatusUnsupported && base.status == compare.StatusUnsupported:
		c.Outcome, c.Reason = Skip, "neither side can do it: "+head.reason
	case head.status == compare.StatusUnsupported:
		c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "the head cannot do it any more: "+head.reason
	case base.status == compare.StatusUnsupported && head.status == compare.StatusMissing:
		c.Outcome, c.Reason = Skip, "the base cannot do it, and the head has no trial"
	case base.status == compare.StatusUnsupported:
		c.Verdict, c.Outcome, c.Reason = New, Skip, "the base cannot do it: "+base.reason
	case head.status == compare.StatusMissing && base.status == compare.StatusMissing:
		c.Outcome, c.Reason = Fail, "planned, and neither side has a trial in a complete round"
		if j.out.Compared == 0 { // an empty run: nothing was compared, which is another exit code
			c.Outcome = Undecided
		}
	case head.status == compare.StatusMissing:
		c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "planned, and the head has no trial in a complete round"
	case base.status == compare.StatusMissing:
		c.Outcome, c.Reason = Fail, "planned, and the base has no trial in a complete round"
	case c.Verdict == compare.Missing && c.BaseValue != nil && c.HeadValue == nil:
		c.Verdict, c.Outcome, c.Reason = Vanished, Fail, "no trial of the head has a "+c.Metric
	case c.Verdict == compare.Missing && c.BaseValue == nil:
		c.Reason = "no trial of the base has a " + c.Metric
	case c.Verdict == compare.Missing:
		c.Reason = "no round has a ratio: a side has no trial in it, or its " + c.Metric + " is 0"
	case c.Verdict == compare.Inconclusive:
		for _, s := range []state{head, base} {
			if s.status == compare.StatusUnproven {
				c.Reason, c.Blind = cmp.Or(c.Reason, s.reason), true
			}
		}
		if c.Reason == "" && c.Rounds < j.own.MaxRounds { // the run's own family, alpha and minimum effect may be easier
			c.Reason = fmt.Sprintf("the run stopped after %d of at most %d rounds", c.Rounds, j.own.MaxRounds)
		}
	}
}

// blame names the side whose trials did not end ok, and how.
func (j *judge) blame(p pairState) string {
	for _, s := range []struct {
		name string
		state
		cell *results.Cell
	}{{"head", p.head, p.pairing.head}, {"base", p.base, p.pairing.base}} {
		switch s.status {
		case compare.StatusWrong, compare.StatusFlaky, compare.StatusFailed:
			return fmt.Sprintf("%s (%s): %s", s.name, s.cell.Backend, s.reason)
		}
	}
	return ""
}
