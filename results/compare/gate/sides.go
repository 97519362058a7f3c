package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// sides fills in what was not said of base and head of one run: the base is the
// run's baseline, the head what is left where that is one thing.
func sides(meta results.Meta, base, head Selector) (Selector, Selector, error) {
	if len(meta.Cells) == 0 {
		return nil, nil, fmt.Errorf("the run has no cells")
	}
	if len(base) == 0 && len(head) > 0 && onlyKey(head) != "backend" {
		other, err := other(meta.Cells, head, "--base")
		return other, head, err
	}
	if len(base) == 0 {
		if meta.Baseline == "" {
			return nil, nil, fmt.Errorf("the run has no baseline: name a --base; its backends are %s", strings.Join(values(meta.Cells, "backend"), ", "))
		}
		base = Selector{"backend": meta.Baseline}
		if len(head) > 0 && head["backend"] == meta.Baseline {
			return nil, nil, fmt.Errorf("--head %s is the run's baseline, which is the base unless --base names another", head)
		}
	}
	if len(head) == 0 {
		other, err := other(meta.Cells, base, "--head")
		return base, other, err
	}
	if base.String() == head.String() {
		return nil, nil, fmt.Errorf("--base and --head both mean %s", base)
	}
	return base, head, nil
}

// onlyKey is the key of a selector that has one; empty if it has more.
func onlyKey(s Selector) string {
	for k := range s {
		if len(s) == 1 {
			return k
		}
	}
	return ""
}

// other is what the cells have besides what s means, if that is one thing. flag
// is the one to give where it is not.
func other(cells []results.Cell, s Selector, flag string) (Selector, error) {
	k := onlyKey(s)
	if k == "" {
		return nil, fmt.Errorf("%s is not given, and cannot be told from %s", flag, s)
	}
	have := values(cells, k)
	if !slices.Contains(have, s[k]) {
		return nil, fmt.Errorf("%s: no cell of the run has that; %s is one of %s", s, k, strings.Join(have, ", "))
	}
	left := slices.DeleteFunc(slices.Clone(have), func(v string) bool { return v == s[k] })
	switch len(left) {
	case 0:
		return nil, fmt.Errorf("the run has only one %s, %s: there is nothing to hold it against", k, s[k])
	case 1:
		return Selector{k: left[0]}, nil
	}
	return nil, fmt.Errorf("the run has %d of %s besides %s: name one with %s: %s", len(left), k, s[k], flag, strings.Join(left, ", "))
}

// values lists what cells have for a key, in the order of the plan.
func values(cells []results.Cell, key string) []string {
	var have []string
	for _, c := range cells {
		if v := c.Part(key); !slices.Contains(have, v) {
			have = append(have, v)
		}
	}
	return have
}
