package harness

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/child"
	"github.com/dlbench/dlbench/results"
)

// trial runs one trial by itself.
func (c Config) trial(ctx context.Context, cell Cell, kind string, at place) results.Record {
	r := &runner{Config: c}
	defer r.close()
	return r.trial(ctx, cell, kind, at)
}

func TestClassifyWhoEndedTheTrial(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	killed := child.Exit{Code: -1, Signal: "SIGKILL", Killed: true}
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		exit child.Exit
		want string
	}{
		{"all well", t.Context(), nil, child.Exit{}, results.EndOK},
		{"all well, and only then the interrupt", interrupted, nil, child.Exit{}, results.EndOK},
		{"exit code after the last reply", t.Context(), nil, child.Exit{Code: 3}, results.EndCrashed},
		{"limit in a phase", late, io.ErrUnexpectedEOF, killed, results.EndTimeout},
		{"limit after the last reply", late, nil, killed, results.EndTimeout},
		{"interrupt in a phase", interrupted, io.ErrUnexpectedEOF, killed, results.EndInterrupted},
		{"interrupt after the last reply", interrupted, nil, killed, results.EndInterrupted},
		{"killed by another", t.Context(), io.ErrUnexpectedEOF, child.Exit{Code: -1, Signal: "SIGKILL"}, results.EndCrashed},
		{"memory outranks the limit", late, io.ErrUnexpectedEOF, child.Exit{OOM: true, Killed: true}, results.EndOOM},
		{"unsupported", t.Context(), &backends.WorkerError{Class: "unsupported"}, killed, results.EndUnsupported},
	} {
		tr := &trial{phase: "measure", rec: results.Record{End: results.EndOK}}
		tr.classify(tc.ctx, tc.err, tc.exit)
		if tr.rec.End != tc.want {
			t.Errorf("%s: %s (%s), want %s", tc.name, tr.rec.End, tr.rec.Reason, tc.want)
		}
	}
}

// What the supervisor's loss left behind is told, or nobody looks for it.
func TestLostSupervisorIsTold(t *testing.T) {
	tr := &trial{phase: "measure", rec: results.Record{End: results.EndOK}}
	tr.classify(t.Context(), io.ErrUnexpectedEOF, child.Exit{Code: -1, Signal: "SIGKILL", Reason: "the supervisor was lost: EOF", Left: []int{41}})
	want := "the supervisor was lost: EOF; processes [41] could not be killed and disturb what follows"
	if tr.rec.End != results.EndCrashed || tr.rec.Reason != want {
		t.Errorf("%s (%s), want crashed (%s)", tr.rec.End, tr.rec.Reason, want)
	}
}

// A cell whose trial could not even start because the run was being interrupted
// must be tried again by a resumed run, so its end may not count as a failure.
func TestInterruptBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := Config{Limits: results.Limits{TrialNS: int64(time.Minute)}}
	r := c.trial(ctx, Cell{Entry: backends.Entry{Argv: []string{"true"}}}, results.KindCheck, place{attempt: 1})
	if r.End != results.EndInterrupted || r.Phase != "import" {
		t.Errorf("ended %s in %q (%s), want interrupted in import", r.End, r.Phase, r.Reason)
	}
}

// What a worker says in its replies is in the record, and the compile cache
// is as the first steps found it.
func TestRepliesAreRecorded(t *testing.T) {
	replies := `{"t":"built","ns":1,"params":0,"dtypes":{"params":"f32","activations":"f32"},"segments":0,"accumulated":1,"tf32":false}
{"t":"ran","phase":"first","block_ns":[1],"wall_ns":1,"cpu_ns":1,"loss":1}
{"t":"ran","phase":"first","block_ns":[1],"wall_ns":1,"cpu_ns":1,"loss":1,"compile_cache":"cold"}
{"t":"ran","phase":"first","block_ns":[1],"wall_ns":1,"cpu_ns":1,"loss":1,"compile_cache":"warm"}
`
	r, w := io.Pipe()
	go func() { // one reply at a time: more would break the protocol
		for line := range strings.Lines(replies) {
			io.WriteString(w, line)
		}
	}()
	tr := &trial{client: backends.NewClient(r, io.Discard)}
	tr.cell.Settings.Precision = "f32"
	tr.cell.Program.Accumulate = 1
	if err := tr.build(backends.ForTime); err != nil {
		t.Fatal(err)
	}
	if tf32 := tr.rec.Worker.TF32; tf32 == nil || *tf32 {
		t.Errorf("tf32 %v, the worker said false", tf32)
	}
	for _, want := range []string{"", "cold", "cold"} {
		if _, err := tr.ask("first", 1, 1); err != nil {
			t.Fatal(err)
		}
		if got := tr.rec.Worker.CompileCache; got != want {
			t.Errorf("compile cache %q, want %q", got, want)
		}
	}
}

func TestLarger(t *testing.T) {
	small, large := new(int64(1)), new(int64(2))
	for _, test := range []struct{ a, b, want *int64 }{
		{nil, nil, nil}, {small, nil, small}, {nil, small, small}, {small, large, large}, {large, small, large},
	} {
		if got := larger(test.a, test.b); got != test.want {
			t.Errorf("larger(%v, %v) = %v", test.a, test.b, got)
		}
	}
}
