package child

import (
	"fmt"
	"os"
	"syscall"
)

// Supervise says that there is no supervision here: Windows has neither process
// groups nor inherited pipes beyond the standard three.
func Supervise(args []string) int {
	fmt.Fprintln(os.Stderr, "error: dlbench cannot run trials on windows; run it under WSL 2")
	return 2
}

func ownGroup() *syscall.SysProcAttr { return nil }

func (c *Child) sweep() []int { return nil }
