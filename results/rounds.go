package results

import (
	"cmp"
	"slices"
)

// Trials returns the timed trials that count; see Rounds.
func (r Run) Trials() []Record {
	trials, _ := Rounds(r.Records)
	return trials
}

// Rounds returns the timed trials that count, ordered by round and position,
// and the numbers of the rounds that do not count because they are incomplete.
//
// Of each round only the newest attempt counts: a resumed run redoes the round
// that was interrupted. That attempt is incomplete, and none of its trials
// count, where one of them was interrupted or there are fewer than were
// planned: so all cells that a round measured have equally many valid rounds.
func Rounds(records []Record) (trials []Record, incomplete []int) {
	newest := map[int]int{}
	for _, r := range records {
		if r.Kind == KindTime {
			newest[r.Round] = max(newest[r.Round], r.Attempt)
		}
	}
	type tally struct {
		done, planned int
		interrupted   bool
	}
	rounds := map[int]tally{}
	for _, r := range records {
		if r.Kind != KindTime || r.Attempt != newest[r.Round] {
			continue
		}
		t := rounds[r.Round]
		t.done++
		t.planned = max(t.planned, r.Planned)
		t.interrupted = t.interrupted || r.End == EndInterrupted
		rounds[r.Round] = t
		trials = append(trials, r)
	}
	for n, t := range rounds {
		if t.interrupted || t.done < t.planned {
			incomplete = append(incomplete, n)
		}
	}
	slices.Sort(incomplete)
	trials = slices.DeleteFunc(trials, func(r Record) bool {
		_, bad := slices.BinarySearch(incomplete, r.Round)
		return bad
	})
	slices.SortStableFunc(trials, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Round, b.Round), cmp.Compare(a.Order, b.Order))
	})
	return trials, incomplete
}
