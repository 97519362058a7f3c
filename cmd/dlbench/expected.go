package main

import (
	"fmt"

	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/harness/forecast"
	"github.com/dlbench/dlbench/harness/host"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// expect forecasts the memory of a plan's cells from what is known on this host.
func expect(plan harness.Plan) (forecast.Forecast, error) {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return forecast.Forecast{}, err
	}
	src, _ := costSources(cache, plan, false) // plan tells the warning
	return forecast.Of(plan, src), nil
}

// forecasts are what a run keeps of a forecast, to be held to what comes.
func forecasts(f forecast.Forecast) map[string]results.Forecast {
	out := map[string]results.Forecast{}
	for _, c := range f.Cells {
		if c.Above > 0 && c.Ends == "" {
			out[c.Name] = results.Forecast{AboveImport: c.Above, RestsOn: string(c.Rests)}
		}
	}
	return out
}

// swaps refuses cells on the CPU that would take more memory than is available:
// the system would swap, or kill some process, before the suite's limit could
// act, and nothing that is measured meanwhile would mean anything.
func swaps(f forecast.Forecast, available int64) error {
	var worst forecast.Cell
	n := 0
	for _, c := range f.Cells {
		if c.Cell.Device != workloads.DeviceCPU || c.Ends != "" || c.Peak <= available {
			continue
		}
		n++
		if c.Peak > worst.Peak {
			worst = c
		}
	}
	if n == 0 {
		return nil
	}
	others := ""
	if n > 1 {
		others = fmt.Sprintf(" (the largest of %d such cells)", n)
	}
	return fmt.Errorf("cell %s%s would take %.1f GiB at its peak (%s), and %.1f GiB are available: choose others with --backend and --workload, or a smaller batch (`dlbench fit %s --backend %s --memory %s` finds the largest that fits); --force runs it all the same",
		worst.Name, others, gib(worst.Peak), worst.Rests, gib(available), worst.Cell.Workload, worst.Cell.Backend, mostOf(available))
}

// mostOf is somewhat less than what is available, as --memory of fit takes it: that
// much still is when the command is entered.
func mostOf(available int64) string {
	bytes := available / 10 * 9
	if bytes < 1<<30 {
		return fmt.Sprintf("%dMiB", max(1, bytes>>20))
	}
	return fmt.Sprintf("%dGiB", bytes>>30)
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

// available is the memory that workers can take now; all of it where the system
// does not say.
func available() int64 {
	if n, err := host.Available(); err == nil {
		return n
	}
	return 1<<63 - 1
}
