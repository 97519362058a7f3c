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
// and the numbers of the rounds that do not count because they are incomplete;
// see Counted.
func Rounds(records []Record) (trials []Record, incomplete []int) {
	at, incomplete := Counted(records)
	for _, i := range at {
		trials = append(trials, records[i])
	}
	return trials, incomplete
}

// Counted returns which of the records are timed trials that count, ordered by
// round and position, and the numbers of the rounds that do not count because
// they are incomplete.
//
// Of each round only the newest attempt counts: a resumed run redoes the round
// that was interrupted. That attempt is incomplete, and none of its trials
// count, where one of them was interrupted or there are fewer than were
// planned: so all cells that a round measured have equally many valid rounds.
func Counted(records []Record) (at, incomplete []int) {
	newest := map[int]int{}
	for i := range records {
		if r := &records[i]; r.Kind == KindTime {
			newest[r.Round] = max(newest[r.Round], r.Attempt)
		}
	}
	type tally struct {
		done, planned int
		interrupted   bool
	}
	rounds := map[int]tally{}
	for i := range records {
		r := &records[i]
		if r.Kind != KindTime || r.Attempt != newest[r.Round] {
			continue
		}
		t := rounds[r.Round]
		t.done++
		t.planned = max(t.planned, r.Planned)
		t.interrupted = t.interrupted || r.End == EndInterrupted
		rounds[r.Round] = t
		at = append(at, i)
	}
	for n, t := range rounds {
		if t.interrupted || t.done < t.planned {
			incomplete = append(incomplete, n)
		}
	}
	slices.Sort(incomplete)
	at = slices.DeleteFunc(at, func(i int) bool {
		_, bad := slices.BinarySearch(incomplete, records[i].Round)
		return bad
	})
	slices.SortStableFunc(at, func(i, j int) int {
		a, b := &records[i], &records[j]
		return cmp.Or(cmp.Compare(a.Round, b.Round), cmp.Compare(a.Order, b.Order))
	})
	return at, incomplete
}
