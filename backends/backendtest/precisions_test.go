package backendtest_test

import (
	"bufio"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/workloads"
)

// lying is the eager engine behind a worker that claims more than it does: it
// reads other requests than were sent, and others read its replies otherwise.
func lying(info backends.Info, request, reply *strings.Replacer) backendtest.Connect {
	return func(ctx context.Context) (*backendtest.Conn, error) {
		conn, err := backendtest.Served(info, eager.New)(ctx)
		if err != nil {
			return nil, err
		}
		conn.In = &changing{WriteCloser: conn.In, change: request.Replace}
		out, in := io.Pipe()
		lines := bufio.NewScanner(conn.Out)
		lines.Buffer(nil, 2<<20)
		go func() {
			for lines.Scan() {
				if _, err := io.WriteString(in, reply.Replace(lines.Text())+"\n"); err != nil {
					return
				}
			}
			in.Close()
		}()
		conn.Out = out
		return conn, nil
	}
}

// A worker that computes in float32 under the name of another precision fails by
// its numbers alone, one that does not skip what overflows by the program that
// overflows, and neither is said to have the precision.
func TestPrecisionsThatAreNotApplied(t *testing.T) {
	for name, tt := range map[string]struct {
		claims         workloads.Precision
		request, reply *strings.Replacer
		fails, passes  string
	}{
		"float32 for bfloat16": {workloads.BF16Mix,
			strings.NewReplacer(`"precision":"bf16-mixed"`, `"precision":"f32"`), strings.NewReplacer(`"activations":"f32"`, `"activations":"bf16"`),
			"program/dense/bf16-mixed", ""},
		"evidence alone": {workloads.BF16Mix,
			strings.NewReplacer(), strings.NewReplacer(`"activations":"bf16"`, `"activations":"f32"`),
			"program/dense/bf16-mixed", "program/dense/f32"},
		"no scale": {workloads.F16Mix,
			strings.NewReplacer(), strings.NewReplacer(`"loss_scale":1024`, `"loss_scale":1`),
			"program/dense/f16-mixed", "program/dense/f32"},
		"bfloat16 for float16": {workloads.F16Mix,
			strings.NewReplacer(`"precision":"f16-mixed"`, `"precision":"bf16-mixed"`), strings.NewReplacer(`"bf16"`, `"f16"`, `"segments"`, `"loss_scale":1024,"segments"`),
			"program/overflow/f16-mixed", ""},
		"batches that no reset brings back": {workloads.F16Mix,
			strings.NewReplacer(`{"t":"reset"}`, `{"t":"run","phase":"first","blocks":1,"per_block":1}`), strings.NewReplacer(`{"t":"ran","phase":"first"`, `{"t":"reset","ns":1,"phase":"first"`),
			"state/loss-scale", "program/overflow/f16-mixed"},
	} {
		t.Run(name, func(t *testing.T) {
			info := eager.Info()
			info.Precisions = []workloads.Precision{workloads.F32, tt.claims}
			if tt.claims == workloads.F16Mix { // what the worker really runs in
				info.Precisions = append(info.Precisions, workloads.BF16Mix)
			}
			opts := options(t)
			opts.Only = func(name string) bool { return name == tt.fails || name == tt.passes }
			r := backendtest.Run(t.Context(), lying(info, tt.request, tt.reply), opts)
			for _, c := range r.Results {
				if (c.Status == backendtest.Fail) != (c.Name == tt.fails) {
					t.Errorf("%s: %s %s", c.Name, c.Status, c.Reason)
				}
			}
			if r.Count(backendtest.Fail) != 1 || (r.Count(backendtest.Pass) == 1) != (tt.passes != "") {
				t.Fatalf("want %s to fail, and %q to pass:\n%s", tt.fails, tt.passes, text(r))
			}
			c := r.Capabilities("2026-11-21", map[string]string{"x": "1"})
			if slices.Contains(c.Precisions, string(tt.claims)) || !slices.Contains(c.Failed, string(tt.claims)) {
				t.Errorf("said to be able to do %v, not %v", c.Precisions, c.Failed)
			}
			if c.Date != "2026-11-21" || c.Versions["x"] != "1" {
				t.Errorf("capabilities %+v", c)
			}
		})
	}
}

// What a report says a worker can do is what programs have proven: claims that
// failed cases speak against are left out.
func TestCapabilitiesOfReports(t *testing.T) {
	r := backendtest.Report{
		Worker:  backends.HelloReply{Info: backends.Info{Ops: []string{"dense", "lstm"}, Features: []string{"accumulate", "checkpoint"}, Precisions: []workloads.Precision{"f32", "f64"}}},
		Proven:  map[string][]string{"dense": {"dense"}, "f32": {"dense"}, "f64": {"dense"}, "accumulate": {"accumulate"}, "host": {"conv2d-host"}},
		Refuted: []string{"f64"},
	}
	c := r.Capabilities("2026-11-21", nil)
	for what, lists := range map[string][2][]string{
		"precisions": {c.Precisions, {"f32"}},
		"features":   {c.Features, {"accumulate", "host"}},
		"ops":        {c.Ops, {"dense"}},
		"failed":     {c.Failed, {"f64", "checkpoint", "lstm"}},
	} {
		if !slices.Equal(lists[0], lists[1]) {
			t.Errorf("%s: %v, want %v", what, lists[0], lists[1])
		}
	}
}
