// Package oracle says what a program computes: it runs the eager engine in
// float64, and learns from the same engine how far arithmetic of a given
// precision may stray.
package oracle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// CheckSteps is the number of steps after which a golden's parameters are taken.
const CheckSteps = workloads.CheckSteps

// Compute returns the golden of p: its results in float64 over the given
// number of steps (at least CheckSteps), and the budgets of f64, f32 and those of
// precisions that p's mode can have one for. The paths are of the files that p's
// workers load. dialect is "" or a declared variant such as workloads.AdamUncorrected.
//
// What it computes depends neither on the number of threads nor, beyond a few
// units in the last place of float64, on the machine.
func Compute(ctx context.Context, p workloads.Program, weights, batches, dialect string, steps int, precisions ...workloads.Precision) (workloads.Golden, error) {
	o := run{program: p, weights: weights, batches: batches, dialect: dialect, steps: max(steps, CheckSteps)}
	exact, err := o.exact(ctx)
	if err != nil {
		return workloads.Golden{}, err
	}
	g := workloads.Golden{
		Schema:  workloads.GoldenSchema,
		Program: p.Hash,
		Name:    Name(p),
		Dialect: dialect,
		Dropout: p.HasDropout(),
		Losses:  exact.Losses,
		Tensors: exact.Tensors,
		Budgets: map[workloads.Precision]workloads.Budget{},
	}
	if err := o.addBudgets(ctx, &g, exact, slices.Concat(always, precisions)); err != nil {
		return workloads.Golden{}, err
	}
	if g.Dropout {
		if g.LossBand, err = o.band(ctx); err != nil {
			return workloads.Golden{}, fmt.Errorf("oracle of %s, dropout band: %w", p.Name, err)
		}
	}
	return g, nil
}

// Extend returns g with budgets of those of precisions that p's mode can have
// one for and g lacks; nothing else of it changes. The other arguments are
// those that g was computed from.
func Extend(ctx context.Context, g workloads.Golden, p workloads.Program, weights, batches string, precisions ...workloads.Precision) (workloads.Golden, error) {
	if len(Missing(g, p.Mode, precisions)) == 0 {
		return g, nil
	}
	o := run{program: p, weights: weights, batches: batches, dialect: g.Dialect, steps: len(g.Losses)}
	exact, err := o.exact(ctx)
	if err != nil {
		return workloads.Golden{}, err
	}
	g.Budgets = maps.Clone(g.Budgets)
	err = o.addBudgets(ctx, &g, exact, precisions)
	return g, err
}

// Missing lists those of precisions that a program in this mode can have a
// budget for and g has none for.
func Missing(g workloads.Golden, mode workloads.Mode, precisions []workloads.Precision) []workloads.Precision {
	var out []workloads.Precision
	for _, p := range Precisions(mode) {
		if _, ok := g.Budgets[p]; !ok && slices.Contains(precisions, p) {
			out = append(out, p)
		}
	}
	return out
}

// exact is the digest without noise.
func (o *run) exact(ctx context.Context) (workloads.Digest, error) {
	d, err := o.digest(ctx, eager.Options{})
	if err != nil {
		return d, fmt.Errorf("oracle of %s: %w", o.program.Name, err)
	}
	if name, ok := notFinite(d); ok {
		return d, fmt.Errorf("oracle of %s: %s is not a finite number: the workload diverges", o.program.Name, name)
	}
	return d, nil
}

// addBudgets makes the budgets of precisions that g lacks.
func (o *run) addBudgets(ctx context.Context, g *workloads.Golden, exact workloads.Digest, precisions []workloads.Precision) error {
	missing := Missing(*g, o.program.Mode, precisions)
	var finer workloads.Budget
	for _, a := range arithmetics {
		if slices.Contains(missing, a.precision) {
			b, err := o.budget(ctx, exact, a)
			if err != nil {
				return fmt.Errorf("oracle of %s, budget of %s: %w", o.program.Name, a.precision, err)
			}
			b.Floor = floorOver(finer, a.floor)
			g.Budgets[a.precision] = b
		}
		finer = g.Budgets[a.precision]
	}
	return nil
}

// Name is what people call the program of a golden: workload/mode/batch, and
// the micro-batches where there are several.
func Name(p workloads.Program) string {
	name := fmt.Sprintf("%s/%s/%d", p.Name, p.Mode, p.Batch)
	if p.Accumulate > 1 {
		name += fmt.Sprintf("/accumulate=%d", p.Accumulate)
	}
	return name
}

// run is one call of Compute.
type run struct {
	program          workloads.Program
	weights, batches string
	dialect          string
	steps            int
}

// build makes the program ready on an engine that follows opt.
func (o *run) build(ctx context.Context, prec workloads.Precision, purpose backends.Purpose, opt eager.Options) (backends.Backend, error) {
	opt.Dialect = o.dialect
	p := o.program
	p.Segments = nil // recomputation changes no bit
	b := eager.NewWith(opt)
	_, err := b.Build(ctx, backends.Job{
		Program: p,
		Settings: workloads.Settings{
			Mode: p.Mode, Precision: prec, Device: workloads.DeviceCPU, Data: workloads.DataResident,
			Batch: p.Batch, Accumulate: p.Accumulate, Threads: runtime.GOMAXPROCS(0),
		},
		Weights: o.weights, Batches: o.batches, For: purpose,
	})
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// digest does what a worker's check does, in float64 on an engine that follows
// opt, and goes on to the last step.
func (o *run) digest(ctx context.Context, opt eager.Options) (d workloads.Digest, err error) {
	b, err := o.build(ctx, workloads.F64, backends.ForCheck, opt)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, o.close(b)) }()
	return check(ctx, b, o.program, o.steps)
}

// largeParams is from where a run's parameters are given back to the system
// before the next run takes its own: 200 million of them take 8 GB in training.
const largeParams = 256 << 20 // bytes

// close ends a run.
func (o *run) close(b backends.Backend) error {
	err := b.Close()
	if o.program.Work.ParamBytes > largeParams {
		debug.FreeOSMemory()
	}
	return err
}

// check takes the digest of a built backend over CheckSteps steps and the
// losses of the steps after that.
func check(ctx context.Context, b backends.Backend, p workloads.Program, steps int) (d workloads.Digest, err error) {
	d.Tensors = map[string]workloads.Fingerprint{}
	add := func(what, prefix string) error {
		read, err := b.Read(what, 0)
		for name, t := range read {
			d.Tensors[prefix+name] = workloads.FingerprintOf(t.Data)
		}
		return err
	}
	if err := add("logits", ""); err != nil {
		return d, err
	}
	if p.Mode == workloads.Train {
		if err := add("grads", "grad/"); err != nil {
			return d, err
		}
	}
	for s := range steps {
		loss, err := lossOfStep(ctx, b, p, s)
		if err != nil {
			return d, err
		}
		d.Losses = append(d.Losses, loss)
		if s == CheckSteps-1 && p.Mode == workloads.Train {
			if err := add("params", "param/"); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}

// lossOfStep makes step s and returns its loss.
func lossOfStep(ctx context.Context, b backends.Backend, p workloads.Program, s int) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := b.Run([]int{s % p.Data.Batches}); err != nil {
		return 0, err
	}
	loss, err := b.Read("loss", 0)
	if err != nil {
		return 0, err
	}
	return loss["loss"].Data[0], nil
}

// notFinite names a quantity of the digest that is NaN or infinite.
func notFinite(d workloads.Digest) (string, bool) {
	bad := func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }
	for i, loss := range d.Losses {
		if bad(loss) {
			return fmt.Sprintf("loss %d", i), true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Tensors)) {
		if f := d.Tensors[name]; bad(f.Norm) || bad(f.Proj) {
			return strings.TrimPrefix(name, "param/"), true
		}
	}
	return "", false
}
