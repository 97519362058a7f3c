package results

import (
	"cmp"
	"encoding/csv"
	"io"
	"strconv"
)

// ExportCSV writes one line per record, the failed ones too, in the order of
// the journal, with all settings and every metric; the header names metrics
// with their units. A number that a record does not have is empty. The column
// counts says whether a timed trial is part of a complete round's newest attempt,
// and of a memory trial whether it is used; see Warm.
func ExportCSV(w io.Writer, run Run) error {
	header := []string{
		"name", "workload", "mode", "precision", "device", "data", "batch", "accumulate", "threads", "checkpoint", "allocator", "backend",
		"kind", "round", "attempt", "order", "counts", "start", "end", "phase", "signal", "reason", "check", "steps",
	}
	for _, m := range Metrics {
		header = append(header, m.Name+" ("+m.Unit+")")
	}
	type trial struct {
		cell           Cell
		round, attempt int
	}
	counts := map[trial]bool{}
	for _, r := range run.Trials() {
		counts[trial{r.Cell, r.Round, r.Attempt}] = true
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	used := map[*Record]bool{}
	for _, r := range run.usedMemory() {
		used[r] = true
	}
	for i, r := range run.Records {
		c := r.Cell
		check := ""
		if r.Check != nil {
			check = r.Check.Status
		}
		row := []string{
			c.Name(), c.Workload, c.Mode, c.Precision, c.Device, c.Data, strconv.Itoa(c.Batch), strconv.Itoa(c.Accumulate),
			strconv.Itoa(c.Threads), strconv.Itoa(c.Checkpoint), cmp.Or(c.Allocator, "default"), c.Backend,
			r.Kind, strconv.Itoa(r.Round), strconv.Itoa(r.Attempt), strconv.Itoa(r.Order),
			strconv.FormatBool(r.Kind == KindCheck || used[&run.Records[i]] || counts[trial{c, r.Round, r.Attempt}]),
			r.Start, r.End, r.Phase, r.Signal, oneLine(r.Reason), check, strconv.Itoa(r.Steps()),
		}
		for _, m := range Metrics {
			cell := ""
			if v, ok := m.Of(r); ok {
				cell = strconv.FormatFloat(v, 'g', -1, 64)
			}
			row = append(row, cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
