package gate

import (
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		p, s string
		want bool
	}{
		{"*", "", true}, {"", "", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "a/b/c", true}, {"*c", "a/b/c", true},
		{"a*b*c", "axxbyyc", true}, {"a*b*c", "axxbyy", false}, {"?", "世", true}, {"a?c", "abc", true}, {"*train*", "A/mode=train/x", true},
	} {
		if got := Pattern(tc.p).Match(tc.s); got != tc.want {
			t.Errorf("%q on %q: %v", tc.p, tc.s, got)
		}
	}
	long := strings.Repeat("a", 400)
	if Pattern(strings.Repeat("a*", 200) + "b").Match(long) {
		t.Error("matched")
	}
}

func TestParseSelector(t *testing.T) {
	s, err := ParseSelector("allocator=tuned,pytorch@2.14.0")
	if err != nil || s.String() != "allocator=tuned,backend=pytorch@2.14.0" {
		t.Errorf("%v, %v", s, err)
	}
	for _, bad := range []string{"", "a,", "backnd=x", "a,b", "batch="} {
		if _, err := ParseSelector(bad); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}
