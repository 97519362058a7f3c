package nvml

import (
	"slices"
	"testing"
)

func TestReasonsInWords(t *testing.T) {
	for _, tc := range []struct {
		bits Reasons
		want []string
	}{
		{0, nil},
		{Idle, []string{"idle"}},
		{PowerCap | HardwareThermal, []string{"software power cap", "hardware thermal slowdown"}},
		{DisplayClocks | 1<<9 | 1<<63, []string{"display clocks setting", "reason 0x200", "reason 0x8000000000000000"}},
	} {
		if got := tc.bits.Words(); !slices.Equal(got, tc.want) {
			t.Errorf("%#x: %q, want %q", uint64(tc.bits), got, tc.want)
		}
	}
	if len(words) != 9 || Slowdown&(Idle|PowerCap|ApplicationClocks|SyncBoost|DisplayClocks) != 0 {
		t.Error("a setting or limit counts as a slowdown")
	}
}

func FuzzParseProcesses(f *testing.F) {
	f.Add(make([]byte, 48), 2)
	f.Add([]byte{unwritten, 1, 2, 3}, 1)
	f.Fuzz(func(t *testing.T, buf []byte, n int) {
		if n < 0 || n > 1<<10 || len(buf) < n*process535 {
			return
		}
		list, err := parseProcesses(buf, n)
		if err == nil && len(list) != n {
			t.Errorf("%d processes of %d", len(list), n)
		}
	})
}
