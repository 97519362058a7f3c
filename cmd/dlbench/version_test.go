package main

import (
	"runtime/debug"
	"testing"
)

func TestBuiltFrom(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	for _, tc := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, release},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}, release + "+0123456789ab"},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}, release + "+0123456789ab.modified"},
	} {
		if got := builtFrom(tc.settings); got != tc.want {
			t.Errorf("builtFrom(%v) = %q, want %q", tc.settings, got, tc.want)
		}
	}
}
