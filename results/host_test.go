package results

import (
	"slices"
	"testing"
)

func TestHostDiff(t *testing.T) {
	a := Host{OS: "linux", CPU: "A", Cores: 2, Mask: []int{0, 1}, MemBytes: 24 << 30, Flags: []string{"avx2", "fma"}, Env: map[string]string{"X": "1"}}
	b := Host{OS: "linux", CPU: "B", Cores: 4, Mask: []int{0}, MemBytes: 24<<30 - 8192, Flags: []string{"fma", "avx2"}, Env: map[string]string{"Y": "2"}}
	want := []string{`cpu: "A", "B"`, `cores: "2", "4"`, `mask: "[0 1]", "[0]"`, `env X: "1", ""`, `env Y: "", "2"`}
	if got := a.Diff(b); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := a.Diff(a); got != nil {
		t.Errorf("a host differs from itself: %q", got)
	}
	// A run without a cell on a GPU did not ask for them, and may be compared.
	a.GPUs = []string{"H200"}
	if got := a.Diff(b); !slices.Equal(got, want) {
		t.Errorf("GPUs of one side alone: got %q, want %q", got, want)
	}
	b.GPUs = []string{"H100"}
	if got := a.Diff(b); !slices.Contains(got, `gpus: "[H200]", "[H100]"`) {
		t.Errorf("different GPUs: got %q", got)
	}
	b.GPUs = nil
	b.MemBytes = 16 << 30
	if got := a.Diff(b); len(got) != len(want)+1 {
		t.Errorf("8 GiB less memory: got %q", got)
	}
}
