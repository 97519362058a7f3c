// Command gemmspeed compares what processes of two programs measured of the
// same matrix products, and prints the table of scripts/gemm-speed.
//
//	go run ./scripts/gemmspeed kernels
//	go run ./scripts/gemmspeed OURS... -- THEIRS...
//
// A file is what one process printed: lines "SHAPE/threads=N GFLOP/s"; with kernels
// it says which kernels would be measured. The exit code is 1 where a ratio of
// medians is below its limit, and 2 where the files cannot be compared, or where
// DLBENCH_EAGER_KERNELS forces kernels that this machine does not have.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dlbench/dlbench/backends/eager/kernel"
)

func main() { os.Exit(program(os.Args[1:], os.Stdout, os.Stderr)) }

// limits of the ratio ours / theirs by number of threads, as names end.
var limits = map[string]float64{"threads=1": 0.9, "threads=2": 1}

func program(args []string, out, errs io.Writer) int {
	if err := kernel.CheckForced(); err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	if slices.Equal(args, []string{"kernels"}) {
		fmt.Fprintln(out, "kernels of the product:", kernel.Kernels()["f32-product"])
		return 0
	}
	cut := slices.Index(args, "--")
	if cut < 1 || cut == len(args)-1 {
		fmt.Fprintln(errs, "usage: gemmspeed kernels | OURS... -- THEIRS...")
		return 2
	}
	ours, names, err := read(args[:cut])
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	theirs, _, err := read(args[cut+1:])
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	var missed []string
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SHAPE MxKxN\tTHREADS\tGO GFLOP/s\tRANGE\tTORCH.MM\tRANGE\tRATIO\tLIMIT\tVERDICT")
	for _, name := range names {
		a, b := ours[name], theirs[name]
		if len(b) == 0 {
			fmt.Fprintf(errs, "%s was not measured by the other side\n", name)
			return 2
		}
		shape, threads, _ := strings.Cut(name, "/")
		limit, ok := limits[threads]
		if !ok {
			fmt.Fprintf(errs, "%s: expected SHAPE/threads=1 or SHAPE/threads=2\n", name)
			return 2
		}
		ratio, verdict := median(a)/median(b), "held"
		if ratio < limit {
			verdict = "MISSED"
			missed = append(missed, fmt.Sprintf("%s: %.2f of torch.mm, limit %.1f", name, ratio, limit))
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f-%.0f\t%.0f\t%.0f-%.0f\t%.2f\t%.1f\t%s\n", shape, strings.TrimPrefix(threads, "threads="),
			median(a), slices.Min(a), slices.Max(a), median(b), slices.Min(b), slices.Max(b), ratio, limit, verdict)
	}
	t.Flush()
	if len(missed) == 0 {
		fmt.Fprintf(out, "\nAll %d limits are held.\n", len(names))
		return 0
	}
	fmt.Fprintf(out, "\nMissed, %d of %d:\n  %s\n", len(missed), len(names), strings.Join(missed, "\n  "))
	return 1
}

// read collects the figures of each product over files, and the products in the
// order of the first file.
func read(paths []string) (figures map[string][]float64, names []string, err error) {
	figures = map[string][]float64{}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			name, word, _ := strings.Cut(lines.Text(), " ")
			v, err := strconv.ParseFloat(word, 64)
			if err != nil || v <= 0 {
				return nil, nil, fmt.Errorf("%s: %q is no line of a product and its GFLOP/s", path, lines.Text())
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			figures[name] = append(figures[name], v)
		}
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("%s: no product was measured", strings.Join(paths, " "))
	}
	return figures, names, nil
}

// median of at least one value.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
