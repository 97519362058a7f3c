package compare

import "github.com/dlbench/dlbench/results"

// Disturbed counts the valid timed trials of a run, and those of them during
// which something else happened on the host. A run most of whose trials were
// disturbed says little of the host when it is quiet.
func Disturbed(run results.Run) (disturbed, trials int) {
	for _, c := range sortTrials(run.Meta.Cells, run.Records) {
		disturbed += c.disturbed
		trials += len(c.timed)
	}
	return disturbed, trials
}
