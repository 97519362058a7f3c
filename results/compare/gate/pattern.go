package gate

import "github.com/dlbench/dlbench/results"

// Pattern matches names of cells: * stands for any characters, also none and
// also slashes, ? for one.
type Pattern string

// Match reports whether the whole of name matches. It takes time in proportion
// to the product of both lengths at most.
func (p Pattern) Match(name string) bool {
	pat, s := []rune(string(p)), []rune(name)
	star, from := -1, 0 // the last * and what it has swallowed up to
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pat) && pat[i] == '*':
			star, from = i, j
			i++
		case i < len(pat) && (pat[i] == '?' || pat[i] == s[j]):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(pat) && pat[i] == '*' {
		i++
	}
	return i == len(pat)
}

// matches reports whether the pattern means a pair: by the name that both sides
// share, or the whole name of either.
func (p Pattern) matches(name string, cells ...*results.Cell) bool {
	if p.Match(name) {
		return true
	}
	for _, c := range cells {
		if c != nil && p.Match(c.Name()) {
			return true
		}
	}
	return false
}
