package backendtest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/fake"
)

// TestMain lets this binary be a worker in a process of its own: a fake over the
// eager engine, which forks.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "worker" {
		out, err := backends.TakeStdout()
		if err == nil {
			err = fake.Main(strings.TrimPrefix(os.Args[2], "fake:"), os.Stdin, out, claimed(), func(mutant string) (backends.Backend, error) {
				return eager.NewMutant(eager.Mutation(mutant)), nil
			})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
