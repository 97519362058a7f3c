package strictyaml

import "testing"

func TestDidYouMean(t *testing.T) {
	for _, c := range []struct {
		got  string
		want string
	}{
		{"unit", `; did you mean "units"?`},
		{"Kernle", `; did you mean "kernel"?`},
		{"zzzzzzzzzz", ": expected one of kernel, units"},
	} {
		if got := DidYouMean(c.got, []string{"kernel", "units"}); got != c.want {
			t.Errorf("%s: %q", c.got, got)
		}
	}
}
