package compare

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// cellTrials is what a run holds of one cell.
type cellTrials struct {
	cell    results.Cell
	records []*results.Record // all
	timed   []results.Record  // valid, of complete rounds
	memory  []results.Record  // valid
	failed  int               // timed and check trials that ended otherwise, of any attempt
	// Of the valid timed trials: those disturbed, those of which nothing is known of
	// the host, and those too short to be confirmed.
	disturbed, unwatched, short int
	status                      string
	reason                      string
	warnings                    []string
}

// sortTrials groups the records of a run by cell.
func sortTrials(cells []results.Cell, records []results.Record) map[results.Cell]*cellTrials {
	by := make(map[results.Cell]*cellTrials, len(cells))
	for _, c := range cells {
		by[c] = &cellTrials{cell: c}
	}
	of := make([]*cellTrials, len(records)) // the cell of each record; nil: not planned
	for i := range records {
		r := &records[i]
		c := by[r.Cell]
		if of[i] = c; c == nil {
			continue
		}
		c.records = append(c.records, r)
	}
	for _, c := range by {
		c.remember(results.Warm(c.records))
	}
	counted, _ := results.Counted(records)
	for _, i := range counted {
		c, r := of[i], &records[i]
		if c == nil || r.End != results.EndOK {
			continue
		}
		if c.timed == nil {
			c.timed = make([]results.Record, 0, len(c.records))
		}
		c.timed = append(c.timed, *r)
	}
	usual := usualCanary(records)
	for _, c := range by {
		c.judge(c.records)
		c.count(usual)
		c.warnings = append(c.warnings, warnings(c.timed, usual)...)
	}
	return by
}

// remember keeps the memory trials among the records, and doubts those that
// compiled.
func (c *cellTrials) remember(records []*results.Record) {
	cold := false
	for _, r := range records {
		if r.Kind == results.KindMemory && r.End == results.EndOK {
			c.memory = append(c.memory, *r)
			cold = cold || r.Worker.CompileCache == results.CompileCold
		}
	}
	if cold {
		c.warnings = append(c.warnings, "memory trial compiled cold: the compiler's memory is in it")
	}
}

// judge finds the cell's status. A failure counts in whatever attempt of a
// round it happened: redoing a round does not undo it. Interrupted trials say
// nothing about the cell.
func (c *cellTrials) judge(records []*results.Record) {
	var first, wrong, unsupported, lostMemory *results.Record
	for _, r := range records {
		switch {
		case r.End == results.EndOK || r.End == results.EndInterrupted:
		case r.End == results.EndWrong:
			wrong = cmp.Or(wrong, r)
		case r.Kind == results.KindMemory:
			lostMemory = cmp.Or(lostMemory, r)
		case r.End == results.EndUnsupported && r.Kind == results.KindCheck && len(c.timed) > 0:
			c.warnings = append(c.warnings, "gradients not checked: "+why(r))
		case r.End == results.EndUnsupported:
			unsupported = cmp.Or(unsupported, r)
			c.failed++
		default:
			first = cmp.Or(first, r)
			c.failed++
		}
		if r.End == results.EndWrong && r.Kind != results.KindMemory {
			c.failed++
		}
	}
	if lostMemory != nil && len(c.timed) > 0 {
		c.warnings = append(c.warnings, "no memory figures: "+why(lostMemory))
	}
	switch {
	case wrong != nil:
		c.status, c.reason = StatusWrong, why(wrong)
	case len(c.timed) > 0 && c.failed > 0:
		c.status = StatusFlaky
		c.reason = fmt.Sprintf("%d failed beside %d valid trials; the first: %s", c.failed, len(c.timed), why(cmp.Or(first, unsupported)))
	case len(c.timed) > 0:
		c.status = StatusOK
		if r := unproven(c.timed); r != "" {
			c.status, c.reason = StatusUnproven, "not proven the same work: "+r
		}
	case first != nil:
		c.status, c.reason = StatusFailed, why(first)
	case unsupported != nil:
		c.status, c.reason = StatusUnsupported, why(unsupported)
	default:
		c.status, c.reason = StatusMissing, "no trial in a complete round"
	}
}

// why is the reason of a trial that did not end ok, in one line.
func why(r *results.Record) string {
	s := r.End
	if r.Phase != "" {
		s += " in " + r.Phase
	}
	reason := strings.TrimPrefix(r.Reason, r.End+": ")
	if r.Phase != "" { // which a worker may name too
		reason = strings.TrimPrefix(reason, r.Phase+": ")
	}
	if reason != "" {
		s += ": " + reason
	}
	return s
}

// unproven is why one of the trials is not proven; empty where all are.
func unproven(trials []results.Record) string {
	for _, r := range trials {
		if r.Check == nil {
			return "a trial was not checked"
		}
		for _, c := range []*results.Check{r.Check, r.FinalCheck} {
			if c != nil && c.Status != "ok" {
				return cmp.Or(c.Reason, c.Status)
			}
		}
	}
	return ""
}
