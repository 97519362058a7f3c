package child

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Supervise says that there is no supervision here: Windows has neither process
// groups nor inherited pipes beyond the standard three.
func Supervise(args []string) int {
	fmt.Fprintln(os.Stderr, "error: dlbench cannot run trials on windows; run it under WSL 2")
	return 2
}

func ownGroup() *syscall.SysProcAttr { return nil }

func (c *Child) sweep() []int { return nil }

func (c *Child) EndOrphans() []int { return nil }

func (c *Child) CPU() time.Duration { return 0 }

func kernelOOMKills() int { return 0 }
