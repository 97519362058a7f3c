package ci

import (
	"os"
	"os/exec"
	"testing"
)

// What needs no GoMLX compiles where an int has 32 bits: no constant is beyond one. GoMLX
// itself does not, so that the command needs a platform of 64 bits.
func TestBuildsWhereAnIntHas32Bits(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for another platform")
	}
	args := []string{"build", "./backends/eager/...", "./backends/fake", "./harness/...", "./memprof/...", "./report/...", "./results/...", "./workloads/..."}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("GOARCH=386 go %v: %v\n%s", args, err, out)
	}
}
