package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// pairing is a cell of the base and the cell of the head that answers to it.
type pairing struct {
	name       string
	base, head *results.Cell // nil: there is none
}

// pair finds for each selected cell of the base the one of the head that is the
// same in all that the selectors do not name. oneRun leaves the cells of the base
// out of the head.
func pair(base, head []results.Cell, from, to Selector, oneRun bool) ([]pairing, error) {
	var named []string
	for _, k := range results.CellKeys {
		if from[k] != "" || to[k] != "" {
			named = append(named, k)
		}
	}
	olds := selected(base, from, nil)
	var out []results.Cell
	if oneRun {
		out = olds
	}
	news := selected(head, to, out)
	if len(olds) == 0 && len(base) > 0 {
		return nil, fmt.Errorf("--base %s: no cell of the run has that; %s", from, choices(base, from))
	}
	if len(news) == 0 && len(head) > 0 {
		return nil, fmt.Errorf("--head %s: no cell of the run has that; %s", to, choices(head, to))
	}
	var list []pairing
	at := map[results.Cell]int{}
	for i := range olds {
		key := rest(olds[i], named)
		if j, twice := at[key]; twice {
			return nil, ambiguous("--base", from, list[j].base, &olds[i])
		}
		at[key] = len(list)
		list = append(list, pairing{name: sharedName(olds[i], named), base: &olds[i]})
	}
	for i := range news {
		key := rest(news[i], named)
		j, ok := at[key]
		if !ok {
			j = len(list)
			at[key] = j
			list = append(list, pairing{name: sharedName(news[i], named)})
		}
		if list[j].head != nil {
			return nil, ambiguous("--head", to, list[j].head, &news[i])
		}
		list[j].head = &news[i]
	}
	return list, nil
}

// selected are the cells that a selector means, but for those in out.
func selected(cells []results.Cell, s Selector, out []results.Cell) []results.Cell {
	var list []results.Cell
	for _, c := range cells {
		if s.match(c) && !slices.Contains(out, c) {
			list = append(list, c)
		}
	}
	return list
}

// ambiguous says which two cells answer to the same one.
func ambiguous(flag string, s Selector, a, b *results.Cell) error {
	var differ []string
	for _, k := range results.CellKeys {
		if a.Part(k) != b.Part(k) {
			differ = append(differ, k)
		}
	}
	return fmt.Errorf("%s %s means both %s and %s; hint: name %s in --base and --head", flag, s, a.Name(), b.Name(), strings.Join(differ, " and "))
}

// choices lists what the cells have for the first key of a selector that no cell
// answers to.
func choices(cells []results.Cell, s Selector) string {
	for _, k := range results.CellKeys {
		want, ok := s[k]
		if !ok {
			continue
		}
		var have []string
		for _, c := range cells {
			if v := c.Part(k); !slices.Contains(have, v) {
				have = append(have, v)
			}
		}
		if !slices.Contains(have, want) {
			return fmt.Sprintf("%s is one of %s", k, strings.Join(have, ", "))
		}
	}
	return "no cell has all of these at once, or only those of the base do"
}
