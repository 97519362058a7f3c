package main

import (
	"os"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/fake"
)

// fakesVariable adds the fakes to the catalog: workers with one planted fault
// each, over the eager engine. They exist for tests of the harness.
const fakesVariable = "DLBENCH_TEST_FAKES"

// serveFake is the worker process of a fake.
func serveFake(name string) error {
	out, err := backends.TakeStdout()
	if err != nil {
		return err
	}
	return fake.Main(name, os.Stdin, out, eager.Info(), func(mutant string) (backends.Backend, error) {
		if mutant == "" {
			return eager.New(), nil
		}
		return eager.NewMutant(eager.Mutation(mutant)), nil
	})
}
