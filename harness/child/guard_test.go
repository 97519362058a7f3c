//go:build linux

package child

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMemoryLimit(t *testing.T) {
	const limit = 1 << 30
	witness := filepath.Join(t.TempDir(), "touched")
	c := start(t, Spec{MemoryLimit: limit}, "eat", "30000", witness)
	e := wait(t, c, 20*time.Second)
	if !e.OOM || e.Killed || e.Signal != "SIGKILL" || !strings.Contains(e.Reason, "1024.0 MiB") {
		t.Errorf("ended %+v", e)
	}
	text, err := os.ReadFile(witness)
	if err != nil {
		t.Fatal(err)
	}
	touched := int64(number(string(text)))
	t.Logf("limit %d MiB, peak seen %d MiB, touched %d MiB", limit>>20, e.Peak>>20, touched>>20)
	for _, got := range []int64{e.Peak, touched} {
		if got < limit-limit/20 || got > limit*13/10 {
			t.Errorf("%d bytes are not near the limit of %d", got, int64(limit))
		}
	}
}

func TestMemoryLimitCountsTheTree(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{MemoryLimit: 200 << 20}, "eaters")
	e := wait(t, c, 20*time.Second)
	if !e.OOM || e.Peak < 190<<20 || e.Peak > 260<<20 {
		t.Errorf("ended %+v", e)
	}
}

func TestBelowTheLimitNothingHappens(t *testing.T) {
	t.Parallel()
	c := start(t, Spec{MemoryLimit: 300 << 20}, "eat", "100")
	time.Sleep(500 * time.Millisecond)
	select {
	case <-c.Done():
		t.Fatalf("ended %+v", c.Wait())
	default:
	}
	c.Kill()
	e := wait(t, c, 2*time.Second)
	if e.OOM || e.Peak < 100<<20 || e.Peak > 200<<20 {
		t.Errorf("ended %+v", e)
	}
	// The guard and the supervisor's own work must stay far below 1 % of a core.
	t.Logf("CPU of the tree %v", e.CPU)
}
