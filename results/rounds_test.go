package results

import (
	"fmt"
	"slices"
	"testing"
)

func TestRounds(t *testing.T) {
	rec := func(round, attempt, order, planned int, backend, end string) Record {
		c := plain()
		c.Backend = backend
		return Record{Kind: KindTime, Round: round, Attempt: attempt, Order: order, Planned: planned, Cell: c, End: end}
	}
	for _, test := range []struct {
		name       string
		records    []Record
		want       string
		incomplete []int
	}{
		{name: "nothing", want: "[]"},
		{"plain", []Record{rec(1, 1, 2, 2, "b", EndOK), rec(1, 1, 1, 2, "a", EndOK)}, "[1.1 a 1.1 b]", nil},
		{"failed trials belong to the round", []Record{rec(1, 1, 1, 2, "a", EndCrashed), rec(1, 1, 2, 2, "b", EndOK)}, "[1.1 a 1.1 b]", nil},
		{"killed", []Record{rec(1, 1, 1, 2, "a", EndOK), rec(1, 1, 2, 2, "b", EndOK), rec(2, 1, 1, 2, "b", EndOK)}, "[1.1 a 1.1 b]", []int{2}},
		{"killed and redone", []Record{rec(1, 1, 1, 2, "b", EndOK), rec(1, 2, 1, 2, "a", EndOK), rec(1, 2, 2, 2, "b", EndOK)}, "[1.2 a 1.2 b]", nil},
		{"redone and killed again", []Record{rec(1, 1, 1, 2, "b", EndOK), rec(1, 1, 2, 2, "a", EndInterrupted), rec(1, 2, 1, 2, "a", EndOK)}, "[]", []int{1}},
		{"interrupted, nothing planned known", []Record{rec(1, 1, 1, 0, "a", EndOK), rec(2, 1, 1, 0, "a", EndInterrupted)}, "[1.1 a]", []int{2}},
		{"fewer cells later on", []Record{rec(1, 1, 1, 2, "a", EndOK), rec(1, 1, 2, 2, "b", EndOK), rec(2, 1, 1, 1, "b", EndOK)}, "[1.1 a 1.1 b 2.1 b]", nil},
		{"other kinds", []Record{{Kind: KindMemory, Attempt: 1}, {Kind: KindCheck, Attempt: 1}}, "[]", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			trials, incomplete := Rounds(test.records)
			got := []string{}
			for _, r := range trials {
				got = append(got, fmt.Sprintf("%d.%d %s", r.Round, r.Attempt, r.Cell.Backend))
			}
			if fmt.Sprint(got) != test.want || !slices.Equal(incomplete, test.incomplete) {
				t.Errorf("got %v, incomplete %v; want %s, %v", got, incomplete, test.want, test.incomplete)
			}
		})
	}
}
